"""A real Bun on this machine, behind a model of the service."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from buntime._http import Request, Response, closed_error
from buntime._support.closing import cleanup_seconds
from buntime._support.owner import Owner
from buntime._support.unpicklable import NotPicklable
from buntime.errors import ConfigurationError
from buntime.service.machine.executor import BunExecutor
from buntime.service.machine.find import SetupError
from buntime.service.sessions.app import Service
from buntime.service.workspace.root import WorkspaceFolder
from buntime.transport._in_process import send_in_process

if TYPE_CHECKING:
    from buntime.service.devboxes.app import DevboxService


class LocalTransport(NotPicklable):
    """Runs sessions and devboxes on this machine: files on disk, no account and no network.

    Executions of sessions run on a real Bun, commands of Runloop's devboxes in bash.

    Arguments:
        isolation: ``"required"`` runs each session in its own sandbox and fails if none can be made;
            ``"none"`` runs it as you, with no protection. By default ``BUNTIME_ISOLATION``, else
            ``"required"``.
        network: let sessions reach the network, this machine's own servers included; by default
            ``BUNTIME_NETWORK`` decides, ``1`` or ``0``.
        bun: the Bun to run. By default ``BUNTIME_BUN``, else the one of the extra ``local``, else the one
            on ``PATH``.
        root: a folder for the workspaces of sessions and the disks of devboxes; by default a temporary one.
        plan: ``"free"``, ``"paid"`` or ``"enterprise"`` to have that plan's limits enforced.

    Raises :class:`~buntime.ConfigurationError` if Bun or the sandbox is missing or does not work, or if
    ``root`` cannot be made; the message says what to do.

    Closing it, or the end of the program, ends all sessions and removes their folders. If the program is
    killed, its sessions end, and the next program with a LocalTransport removes its temporary folder. If
    its caller stops waiting, an execution continues up to its time limit, as it does on the service.

    A LocalTransport does not work after a fork; create one in the child.
    """

    def __init__(
        self,
        *,
        isolation: Optional[Literal["required", "none"]] = None,
        network: Optional[bool] = None,
        bun: Union[str, os.PathLike[str], None] = None,
        root: Union[str, os.PathLike[str], None] = None,
        plan: Optional[Literal["free", "paid", "enterprise"]] = None,
    ) -> None:
        mode = isolation or os.environ.get("BUNTIME_ISOLATION") or "required"
        if mode not in {"required", "none"}:
            source = "isolation" if isolation else "BUNTIME_ISOLATION"
            raise ConfigurationError(f"{source} is {mode!r}; it can be 'required' or 'none'")
        if network is not None and not isinstance(network, bool):
            raise ConfigurationError(f"network must be a bool, not {type(network).__name__}")
        try:
            executor = BunExecutor(
                isolation=mode, network=network, bun=None if bun is None else os.fspath(bun)
            )
        except SetupError as error:
            raise ConfigurationError(str(error)) from error
        self._isolation = mode
        self._owner = Owner()
        self._executor = executor
        self._root = None if root is None else Path(root)
        self._lock = threading.Lock()
        self._devboxes: list[DevboxService] = []
        try:
            self._folder = WorkspaceFolder(self._root)
        except OSError as error:
            executor.close()
            folder = "a temporary folder" if root is None else f"root {os.fspath(root)}"
            raise ConfigurationError(f"{folder} cannot be used: {error}") from error
        try:
            self._service = Service(executor, self._folder.workspace, plan=plan)
        except ValueError as error:
            self._folder.remove()
            executor.close()
            raise ConfigurationError(str(error)) from error
        self._finalizer = weakref.finalize(
            self, _clean_up_silently, self._service, self._devboxes, self._folder, self._owner
        )

    def __repr__(self) -> str:
        return f"<LocalTransport isolation={self._isolation!r}>"

    def send(self, request: Request, /) -> Response:
        """Answer the request as the service would.

        ``RuntimeError`` after :meth:`close`, and in a process forked from the one that made the transport.
        """
        self._check_process()
        if not self._finalizer.alive:
            raise closed_error(request)
        handle = self._devbox_service().handle if request.path.startswith("/v1/") else self._service.handle
        return send_in_process(handle, request, self._check_process)

    def end_holds(self) -> None:
        """End the requests that wait for a devbox or an execution, with a 408: their threads are needed."""
        with self._lock:
            services = list(self._devboxes)
        for service in services:
            service.end_holds()

    def _devbox_service(self) -> DevboxService:
        with self._lock:
            if not self._devboxes:
                from buntime.service.devboxes.app import DevboxService
                from buntime.service.devboxes.machine import MachineHost

                folder = WorkspaceFolder(self._root or self._folder.root, "devboxes")
                self._devboxes.append(DevboxService(MachineHost(self._executor.launcher, folder)))
            return self._devboxes[0]

    def close(self) -> None:
        """End all sessions and devboxes, and remove their folders.

        Idempotent; does nothing in a forked process.
        """
        if (finalizer := self._finalizer.detach()) is None:
            return
        try:
            _clean_up(*finalizer[2])
        except KeyboardInterrupt as interrupt:
            # The first Ctrl-C begins it again, a second ends it.
            if cleanup_seconds(interrupt):
                _clean_up(*finalizer[2])
            raise

    def _check_process(self) -> None:
        if not self._owner.is_this_process():
            raise RuntimeError(
                "this LocalTransport belongs to the process that made it; make one in this process"
            )


def _clean_up(service: Service, devboxes: list[DevboxService], folder: WorkspaceFolder, owner: Owner) -> None:
    if owner.is_this_process():
        service.close()
        for each in devboxes:
            each.close()
        folder.remove()


def _clean_up_silently(*arguments: Any) -> None:
    # At the exit Python would report a Ctrl-C as an exception that it ignores.
    with suppress(KeyboardInterrupt):
        _clean_up(*arguments)
