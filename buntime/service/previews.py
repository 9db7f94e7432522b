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

_LONGEST_PART = (1 << 16) - 1
_BACKLOG = 128
_OUT_OF_DESCRIPTORS = 0.1
_FAILED = (OSError, PathError, WorkspaceGone)

Place = Union[tuple[Path, str], None]
"""A sandbox's workspace and the path of its socket in there; ``None`` for a session on the host's network.

What is sent to that socket comes in parts, each behind its length; see ``preview.js``.
"""

Door = Callable[[], Place]
"""Returns where a session is reached; ``OSError`` for nowhere."""


class Previews:
    """Carries the bytes of connections, both ways. Its one thread exists while something listens.

    ``port`` is the session's where it is on the host's network; in a sandbox its supervisor knows it.
    """

    def __init__(self, port: int = 8080) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None
        self._open: dict[socket.socket, asyncio.Task[None]] = {}

    def open(self, listener: socket.socket, door: Door) -> None:
        """Let connections in; ``door`` says where to, each time. ``OSError`` where it cannot listen."""
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        with self._lock:
            loop = self._loop or self._start()
            asyncio.run_coroutine_threadsafe(self._begin(listener, door), loop).result()

    def close(self, listener: socket.socket) -> None:
        """End the connections that came in here, and listen no more. Idempotent."""
        with self._lock:
            if listener not in self._open or self._loop is None:
                return
            asyncio.run_coroutine_threadsafe(self._end(listener), self._loop).result()
            if not self._open:
                self._stop(self._loop)

    def _start(self) -> asyncio.AbstractEventLoop:
        self._loop = loop = asyncio.new_event_loop()
        # A daemon, as a transport that nobody closes is closed after the wait for all other threads.
        self._thread = threading.Thread(target=_run, args=(loop,), name="buntime-previews", daemon=True)
        self._thread.start()
        return loop

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join()
        self._loop = self._thread = None

    async def _begin(self, listener: socket.socket, door: Door) -> None:
        self._open[listener] = asyncio.get_running_loop().create_task(_let_in(listener, door, self._port))

    async def _end(self, listener: socket.socket) -> None:
        task = self._open.pop(listener)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _let_in(listener: socket.socket, door: Door, port: int) -> None:
    loop = asyncio.get_running_loop()
    connections: set[asyncio.Task[None]] = set()
    try:
        while True:
            try:
                outside, _ = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(_OUT_OF_DESCRIPTORS)
                continue
            task = loop.create_task(_carry(outside, door, port))
            connections.add(task)
            task.add_done_callback(connections.discard)
    finally:
        await _cancelled(connections)


async def _carry(outside: socket.socket, door: Door, port: int) -> None:
    """Carry one connection to its end. One that fails is closed, as it would be without us."""
    loop = asyncio.get_running_loop()
    with outside, suppress(*_FAILED), ExitStack() as stack:
        family, address = stack.enter_context(_address(door(), port))
        inside = stack.enter_context(socket.socket(family))
        inside.setblocking(False)
        await loop.sock_connect(inside, address)
        for one in (outside, inside):
            if one.family == socket.AF_INET:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        way_in = _pass_on(outside, inside) if family == socket.AF_INET else _pass_on_in_parts(outside, inside)
        ways = {loop.create_task(way_in), loop.create_task(_pass_on(inside, outside))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await _cancelled(ways)


async def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _LONGEST_PART):
        await loop.sock_sendall(sink, data)
    sink.shutdown(socket.SHUT_WR)


async def _pass_on_in_parts(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _LONGEST_PART):
        await loop.sock_sendall(sink, len(data).to_bytes(2, "big") + data)
    await loop.sock_sendall(sink, bytes(2))


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _address(place: Place, port: int) -> Iterator[tuple[socket.AddressFamily, Union[str, tuple[str, int]]]]:
    """Give the address of the session's port.

    Untrusted code can put anything in the place of its socket. So what is there is opened without following
    a link that leads out, and looked at, and then it is that and nothing else that is connected to.
    """
    if place is None:
        yield socket.AF_INET, ("127.0.0.1", port)
        return
    workspace, path = place
    with PathWalker(str(workspace)) as descent:
        name = descent.to(path)
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descent.folder)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise ConnectionRefusedError("what the session listens on is no socket")
        yield socket.AF_UNIX, f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
