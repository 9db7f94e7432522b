"""Executions on a real Bun: each session has one supervisor process, in its own sandbox."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Union

from buntime._support.owner import Owner
from buntime.service.clock import monotonic
from buntime.service.executors import Execution, ExecutionLost, Limits
from buntime.service.machine.channel import Channel, ChannelLost, Inbox, number_of
from buntime.service.machine.find import SetupError, find_bun, find_sandbox, read_switch
from buntime.service.machine.launch import Isolated, Launcher, Unprotected
from buntime.service.machine.run import Run
from buntime.service.workspace.base import Workspace

if TYPE_CHECKING:
    from buntime.service.machine.previews import Previews, Target

_ANSWER_TIMEOUT = 30.0
logger: logging.Logger = logging.getLogger("buntime.service")


class BunExecutor:
    """Runs the executions of each session on a real Bun of this machine.

    ``isolation="required"`` puts every session in a bubblewrap sandbox; ``"none"`` runs them as the user,
    with no protection. ``network=True`` gives a sandbox the host's network, loopback included; by default
    ``BUNTIME_NETWORK`` decides. ``bun`` is the executable; by default it is looked up, see
    :func:`~buntime.service.machine.find.find_bun`. ``environ`` replaces the process's environment. Raises
    :class:`~buntime.service.machine.find.SetupError` if this machine cannot do that; it never falls back
    to less isolation.

    Of a session's limits, memory is that of all its processes together, its temporary files included,
    watched (Linux); disk bounds each file; cpu is not enforced.
    """

    def __init__(
        self,
        *,
        isolation: str = "required",
        network: Union[bool, None] = None,
        bun: Union[str, os.PathLike[str], None] = None,
        environ: Union[Mapping[str, str], None] = None,
    ) -> None:
        if isolation not in {"required", "none"}:
            raise SetupError(f'isolation must be "required" or "none", not {isolation!r}')
        if sys.platform == "win32":
            raise SetupError("sessions run on Linux and macOS, not on Windows")
        environ = os.environ if environ is None else environ
        network = read_switch("BUNTIME_NETWORK", environ) if network is None else network
        self.bun: str = find_bun(bun, environ)
        """The path of the Bun executable."""
        self.launcher: Launcher = (
            Isolated(find_sandbox(self.bun, environ, network=network))
            if isolation == "required"
            else Unprotected(self.bun)
        )
        """Starts the supervisors of sessions and of devboxes."""
        self._runtimes: dict[str, BunRuntime] = {}
        self._shared_previews: Union[Previews, None] = None
        self._lock = threading.Lock()

    def open(self, session_id: str, workspace: Workspace, limits: Limits, lifetime: float) -> BunRuntime:
        """Return the runtime of a new session; its supervisor starts with its first execution.

        ``workspace`` is on disk: its ``root`` is a directory of the host.
        """
        root = getattr(workspace, "root", None)
        if not isinstance(root, Path):
            raise TypeError("a real Bun needs a workspace on disk")
        runtime = BunRuntime(self.launcher, root, limits, lifetime, self._previews)
        with self._lock:
            self._runtimes = {key: each for key, each in self._runtimes.items() if not each.closed}
            self._runtimes[session_id] = runtime
        return runtime

    def preview_url(self, session_id: str) -> str:
        """Return the URL under which a server on the session's port 8080 is reached from this machine.

        Without isolation, or with ``network=True``, sessions share this machine's own port 8080.
        """
        with self._lock:
            return self._runtimes[session_id].preview_url

    def _previews(self) -> Previews:
        with self._lock:
            if self._shared_previews is None:
                # Imported by the first session that serves something: it brings asyncio.
                from buntime.service.machine.previews import Previews

                self._shared_previews = Previews()
            return self._shared_previews

    def close(self) -> None:
        """End every session. Idempotent."""
        with self._lock:
            runtimes, self._runtimes = self._runtimes, {}
        for runtime in runtimes.values():
            runtime.close()


class BunRuntime:
    """The executions of one session, all under one supervisor.

    It belongs to the process that created it: in a forked child ``run`` and ``kill`` raise ``RuntimeError``,
    and ``close`` and ``end_processes`` do nothing.
    """

    def __init__(
        self,
        launcher: Launcher,
        workspace: Path,
        limits: Limits,
        lifetime: float,
        previews: Callable[[], Previews],
    ) -> None:
        self._launcher = launcher
        self._workspace = workspace
        self.limits = limits
        self._ends = monotonic() + lifetime
        self._owner = Owner()
        # Held while a supervisor is started or exchanged, never while one is waited for.
        self._lock = threading.Lock()
        self._channel: Union[Channel, None] = None
        self.closed: bool = False
        """Whether the session has ended for good."""
        self._previews = previews
        self._serving = False
        # Of the type below socket.socket: that class may be forbidden, as pytest-socket does, until serve().
        self._preview = socket.SocketType()
        self._listener: Union[socket.socket, None] = None
        # Bound, not listening: the port is this session's, and refuses connections until there may be a
        # server.
        self._preview.bind(("127.0.0.1", 0))
        self.preview_url: str = f"http://127.0.0.1:{self._preview.getsockname()[1]}"
        """A loopback address that is this session's until it is closed."""

    def run(self, execution: Execution, *, timeout: Union[float, None] = None) -> Run:
        """Start an execution; see :meth:`buntime.service.executors.Runtime.run`."""
        self._check_process()
        message = {
            "op": "run",
            "code": execution.code,
            "command": execution.command,
            "env": dict(execution.env),
            "timeout": execution.timeout,
            "cwd": execution.working_dir,
            "stream": execution.stream,
            "max_output": execution.max_output,
        }
        channel, inbox = self._request(message)
        return Run(
            channel,
            inbox,
            timeout,
            maximum=execution.max_output if execution.stream else None,
            memory=self.limits.memory,
            without_network=isinstance(self._launcher, Isolated) and not self._launcher.sandbox.network,
            on_serving=self.serve,
        )

    def serve(self) -> None:
        """Listen for the preview from now on: there may be a server."""
        with self._lock:
            if self._serving or self.closed:
                return
            # First, as a Ctrl-C may interrupt the import: close() needs no previews without a listener.
            previews, self._serving = self._previews(), True
            try:
                self._listener = socket.socket(fileno=self._preview.fileno())
                self._preview.detach()
                previews.open(self._listener, self._preview_target)
            except (OSError, RuntimeError, Warning):
                logger.exception("The preview %s cannot be served", self.preview_url)

    def _preview_target(self) -> Target:
        channel = self._channel
        if channel is None or not channel.usable():
            raise ConnectionRefusedError("nothing runs in the session")
        return None if channel.preview_socket is None else (self._workspace, channel.preview_socket)

    def _request(self, message: dict[str, Any], *, is_repeated: bool = False) -> tuple[Channel, Inbox]:
        # A supervisor acts on whole lines: one that was lost before the end of ours did nothing, so that the
        # message can be sent to another. Once: a second loss has a reason that does not pass.
        try:
            channel = self._running_channel()
            return channel, channel.request(message)
        except ChannelLost as error:
            if is_repeated or self.closed:
                raise ExecutionLost(f"the session's supervisor was lost: {error}") from error
        return self._request(message, is_repeated=True)

    def _running_channel(self) -> Channel:
        with self._lock:
            if self.closed:
                raise ExecutionLost("the session has ended")
            # A supervisor that was lost is replaced; its files stay, as the workspace is the host's.
            if self._channel is not None and not self._channel.usable():
                self._channel.close(expected=False)
                self._channel = None
            if self._channel is None:
                lifetime = max(0.0, self._ends - monotonic())
                try:
                    supervisor = self._launcher.start(self._workspace, self.limits, lifetime)
                except OSError as error:
                    raise ExecutionLost(f"the session's supervisor cannot be started: {error}") from error
                self._channel = Channel(supervisor)
                self._channel.start()
            return self._channel

    def kill(self, pid: Union[int, None]) -> list[int]:
        """End one process of the session, or all of them; return the pids, as the session sees them."""
        self._check_process()
        pids = self._ask({"op": "kill", "pid": pid}).get("pids")
        numbers = map(number_of, pids if isinstance(pids, list) else [])
        return [int(number) for number in numbers if number is not None]

    def processes(self) -> int:
        """Return how many processes of executions are alive."""
        if not self._owner.is_this_process():
            return 0
        return int(number_of(self._ask({"op": "count"}).get("count")) or 0)

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            channel = self._channel
        if channel is None or not channel.usable():
            return {}
        try:
            return channel.receive(channel.request(message), _ANSWER_TIMEOUT)
        except ChannelLost:
            return {}
        except TimeoutError as error:
            raise ExecutionLost("the session's supervisor does not answer") from error

    def end_processes(self) -> None:
        """End every process, the supervisor included; the next execution starts another."""
        if not self._owner.is_this_process():
            return
        with self._lock:
            # Closed without the lock: that takes seconds, and an execution may start the next supervisor
            # meanwhile.
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def close(self) -> None:
        """End every process for good. Idempotent."""
        if not self._owner.is_this_process():
            return
        with self._lock:
            self.closed = True
            if self._listener is not None:
                self._previews().close(self._listener)
                self._listener.close()
            self._preview.close()
        self.end_processes()

    def _check_process(self) -> None:
        if not self._owner.is_this_process():
            raise RuntimeError(
                "this session belongs to the process that created it; a forked process creates its own"
            )
