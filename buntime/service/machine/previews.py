"""Connections to previews: from a loopback port of this machine to the session's own port 8080."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Callable, Optional, Union

from buntime.service.workspace.base import PathError, WorkspaceGone
from buntime.service.workspace.resolve import PathWalker

_PIECE = 1 << 16
_BACKLOG = 128
_PAUSE = 0.1
_FAILURES = (OSError, PathError, WorkspaceGone)

Target = Union[tuple[Path, str], None]
"""A sandbox's workspace and the path of its socket in there; ``None`` for a session on the host's network."""

Locate = Callable[[], Target]
"""Returns the target of a new connection; raises ``OSError`` if there is none."""


class Previews:
    """Carries the bytes of connections, both ways, in one thread that lives while something listens.

    ``port`` is the session's if it is on the host's network; in a sandbox its supervisor knows it.
    """

    def __init__(self, port: int = 8080) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None
        self._open: dict[socket.socket, asyncio.Task[None]] = {}

    def open(self, listener: socket.socket, locate: Locate) -> None:
        """Accept connections, each to the target of the moment. Raises ``OSError`` if it cannot listen."""
        listener.listen(_BACKLOG)
        listener.setblocking(False)

        async def begin() -> None:
            task = asyncio.get_running_loop().create_task(_accept(listener, locate, self._port))
            self._open[listener] = task

        with self._lock:
            asyncio.run_coroutine_threadsafe(begin(), self._loop or self._start()).result()

    def close(self, listener: socket.socket) -> None:
        """End the connections of a listener, and accept none any more. Idempotent."""
        with self._lock:
            if listener not in self._open or self._loop is None:
                return
            tasks = {self._open.pop(listener)}
            asyncio.run_coroutine_threadsafe(_cancel(tasks), self._loop).result()
            if not self._open and self._thread is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()
                self._loop = self._thread = None

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        # A daemon: a transport that was not closed is closed at exit, after the wait for all other threads.
        self._thread = threading.Thread(target=loop.run_forever, name="buntime-previews", daemon=True)
        self._thread.start()
        self._loop = loop
        return loop


async def _accept(listener: socket.socket, locate: Locate, port: int) -> None:
    loop = asyncio.get_running_loop()
    connections: set[asyncio.Task[None]] = set()
    try:
        while True:
            try:
                outside, _ = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(_PAUSE)  # out of descriptors
                continue
            task = loop.create_task(_carry(outside, locate, port))
            connections.add(task)
            task.add_done_callback(connections.discard)
    finally:
        await _cancel(connections)


async def _carry(outside: socket.socket, locate: Locate, port: int) -> None:
    """Carry one connection to its end. One that fails is closed, as a server's would be."""
    loop = asyncio.get_running_loop()
    with outside, suppress(*_FAILURES), ExitStack() as stack:
        family, address = stack.enter_context(_address(locate(), port))
        inside = stack.enter_context(socket.socket(family))
        inside.setblocking(False)
        await loop.sock_connect(inside, address)
        for connection in (outside, inside):
            if connection.family == socket.AF_INET:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = {loop.create_task(_copy(outside, inside)), loop.create_task(_copy(inside, outside))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await _cancel(ways)


async def _copy(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _PIECE):
        await loop.sock_sendall(sink, data)
    sink.shutdown(socket.SHUT_WR)


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _address(target: Target, port: int) -> Iterator[tuple[socket.AddressFamily, Union[str, tuple[str, int]]]]:
    """Yield the address of the session's port.

    Untrusted code can replace its socket by anything. So the path is opened without following a link that
    leads out, checked, and then it is that file and nothing else that is connected to.
    """
    if target is None:
        yield socket.AF_INET, ("127.0.0.1", port)
        return
    workspace, path = target
    with PathWalker(str(workspace)) as walker:
        name = walker.to(path)
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=walker.folder)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise ConnectionRefusedError("the file in place of the session's socket is not a socket")
        yield socket.AF_UNIX, f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
