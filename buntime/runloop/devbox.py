"""Devboxes, and the snapshots and blueprints from which they start, as objects."""

from __future__ import annotations

from typing import Any, Optional

import buntime
from buntime import _validate
from buntime._support.typing import Unpack
from buntime.runloop import waiting
from buntime.runloop.commands import CommandInterface, NamedShell
from buntime.runloop.connection import RequestOptions, WaitOptions
from buntime.runloop.resource import EndsWithBlock, HasCalls, Operations, Resource
from buntime.runloop.wire.requests import names_keywords, new_shell, resource_id
from buntime.runloop.wire.views import devboxes as views

_TUNNEL = "https://{port}-{key}.tunnel.runloop.ai"


class FileInterface(HasCalls):
    """Reads and writes files. Relative paths are below ``/home/user``."""

    @names_keywords
    def read(self, *, file_path: str, **options: Unpack[RequestOptions]) -> str:
        """Return the text of a file; bytes that are not UTF-8 become U+FFFD, see :meth:`download`."""
        return self._call("read_file_contents", file_path=file_path, **options)

    @names_keywords
    def write(
        self, *, file_path: str, contents: str, **options: Unpack[RequestOptions]
    ) -> views.ExecutionDetailView:
        """Write a text file, and create its folders."""
        return self._call("write_file_contents", file_path=file_path, contents=contents, **options)

    @names_keywords
    def download(self, *, path: str, **options: Unpack[RequestOptions]) -> bytes:
        """Return the bytes of a file."""
        return self._call("download_file", path=path, **options)

    @names_keywords
    def upload(self, *, path: str, file: Any, **options: Unpack[RequestOptions]) -> object:
        """Write a file of any size, in constant memory.

        ``file`` is bytes, text, a path on this machine (``Path``), an open file, an iterable of bytes, a
        response of requests, :func:`to_file` with a name, or a tuple of name, content and type.
        """
        return self._call("upload_file", path=path, file=file, **options)


class NetworkInterface(HasCalls):
    """Tunnels and SSH to a devbox."""

    def create_ssh_key(self, **options: Unpack[RequestOptions]) -> views.SSHKeyView:
        """Create a key for SSH."""
        return self._call("create_ssh_key", **options)

    def enable_tunnel(self, **params: Any) -> views.TunnelView:
        """Make the ports reachable from outside.

        ``params`` are ``auth_mode`` (open, authenticated), ``http_keep_alive`` and ``wake_on_http``, and the
        options of every call.
        """
        return self._call("enable_tunnel", **params)

    def remove_tunnel(self, **options: Unpack[RequestOptions]) -> object:
        """Remove the tunnel."""
        return self._call("remove_tunnel", **options)


class Devbox(EndsWithBlock[views.DevboxView]):
    """A devbox. As a context manager it is shut down at the end of the block."""

    _end_call = "shutdown"
    _end_states = waiting.ENDED

    @property
    def cmd(self) -> CommandInterface:
        """Runs commands, such as ``cmd.exec("ls")``."""
        return CommandInterface(self._connection, self._id)

    @property
    def file(self) -> FileInterface:
        """Reads and writes files, such as ``file.read(file_path="a.txt")``."""
        return FileInterface(self._connection, self._id)

    @property
    def net(self) -> NetworkInterface:
        """Tunnels and SSH."""
        return NetworkInterface(self._connection, self._id)

    def shell(self, shell_name: Optional[str] = None) -> NamedShell:
        """Return a shell whose commands share directory and variables; by default with a new name."""
        name = _validate.optional_text("shell_name", shell_name) or new_shell()
        return NamedShell(self._connection, self._id, name)

    def as_session(self) -> buntime.Session:
        """Return a session of buntime.sh over this devbox: code and commands in ``~/workspace``, with Bun.

        Nothing is sent before its first call, which installs Bun if the devbox has none;
        :class:`~buntime.ConfigurationError` if that fails. Leaving the session's block does not shut the
        devbox down; ``session.delete()`` does.
        """
        from buntime.runloop.session import as_session

        return as_session(self._connection, self._id)

    def get_tunnel(self, **options: Unpack[RequestOptions]) -> Optional[views.TunnelView]:
        """Return the tunnel, or ``None``."""
        return self.get_info(**options).tunnel

    def get_tunnel_url(self, port: int, **options: Unpack[RequestOptions]) -> Optional[str]:
        """Return the public URL of a port, or ``None`` without a tunnel."""
        port = _validate.port(port)
        tunnel = self.get_tunnel(**options)
        return None if tunnel is None else _TUNNEL.format(port=port, key=tunnel.tunnel_key)

    def update(self, **params: Any) -> views.DevboxView:
        """Change ``name`` or ``metadata``; an empty value clears it."""
        return self._call("update", **params)

    def logs(self, **params: Any) -> views.DevboxLogsView:
        """Return the log, or that of an ``execution_id`` or a ``shell_name``."""
        return self._call("logs.list", **params)

    def await_running(self, **options: Unpack[WaitOptions]) -> views.DevboxView:
        """Wait until the devbox runs; :class:`ResourceFailedError` if it ends before."""
        return self._call("await_running", **options)

    def await_suspended(self, **options: Unpack[WaitOptions]) -> views.DevboxView:
        """Wait until the devbox is suspended; :class:`ResourceFailedError` if it ends before."""
        return self._call("await_suspended", **options)

    def suspend(self, **options: Unpack[WaitOptions]) -> views.DevboxView:
        """Suspend the devbox and wait for it: its disk stays, its processes end."""
        wait, call = waiting.SUSPENDED, "devboxes.suspend"
        return wait.method(self._connection, "suspend", options, self._id, after=call)

    def resume(self, **options: Unpack[WaitOptions]) -> views.DevboxView:
        """Resume the devbox and wait until it runs."""
        wait, call = waiting.RUNNING, "devboxes.resume"
        return wait.method(self._connection, "resume", options, self._id, after=call)

    def resume_async(self, **options: Unpack[RequestOptions]) -> views.DevboxView:
        """Resume the devbox without waiting."""
        return self._call("resume", **options)

    def keep_alive(self, **options: Unpack[RequestOptions]) -> object:
        """Restart the time after which the devbox is shut down."""
        return self._call("keep_alive", **options)

    def snapshot_disk(self, **params: Any) -> Snapshot:
        """Take a snapshot of the disk and wait until it is complete.

        ``params`` are ``name``, ``commit_message`` and ``metadata``, and the options of a call that waits.
        """
        return Snapshot(self._connection, self._call("snapshot_disk", **params).id)

    def snapshot_disk_async(self, **params: Any) -> Snapshot:
        """Begin a snapshot of the disk without waiting; see :meth:`snapshot_disk`."""
        return Snapshot(self._connection, self._call("snapshot_disk_async", **params).id)

    def shutdown(
        self, *, force: Optional[bool] = None, **options: Unpack[RequestOptions]
    ) -> views.DevboxView:
        """Shut the devbox down; ``force`` also during a snapshot."""
        return self._ended("shutdown", force=force, **options)


class DevboxOps(Operations[Devbox]):
    """Creates and finds devboxes."""

    _resource = Devbox

    def create(self, *, keep: bool = False, **params: Any) -> Devbox:
        """Create a devbox and return it when it runs.

        ``params`` are the fields of ``POST /v1/devboxes``, such as ``name``, ``metadata``,
        ``environment_variables``, ``launch_parameters`` and ``mounts``, and the options of a call that waits.
        If it does not run, or the wait is interrupted, it is shut down unless ``keep`` is true; the exception
        has its ``devbox_id``.
        """
        call = "devboxes.create"
        return self._object(waiting.create(self._connection, "devbox.create", params, call, keep=keep))

    def create_from_blueprint_id(self, blueprint_id: str, **params: Any) -> Devbox:
        """Create a devbox from a blueprint; see :meth:`create`."""
        return self.create(blueprint_id=resource_id("blueprint_id", blueprint_id), **params)

    def create_from_blueprint_name(self, blueprint_name: str, **params: Any) -> Devbox:
        """Create a devbox from the latest blueprint of that name; see :meth:`create`."""
        return self.create(blueprint_name=resource_id("blueprint_name", blueprint_name), **params)

    def create_from_snapshot(self, snapshot_id: str, **params: Any) -> Devbox:
        """Create a devbox with the disk of a snapshot; see :meth:`create`."""
        return self.create(snapshot_id=resource_id("snapshot_id", snapshot_id), **params)

    def from_id(self, devbox_id: str) -> Devbox:
        """Return a devbox that exists; nothing is sent."""
        return Devbox(self._connection, devbox_id)


class Snapshot(Resource[views.SnapshotStatusView]):
    """A snapshot of a disk."""

    _calls = "devboxes.disk_snapshots"
    _info = "query_status"

    def await_completed(self, **options: Unpack[WaitOptions]) -> views.SnapshotStatusView:
        """Wait until the snapshot is complete; :class:`ResourceFailedError` if it fails."""
        return self._call("await_completed", **options)

    def update(self, **params: Any) -> views.SnapshotView:
        """Change ``name``, ``commit_message`` or ``metadata``."""
        return self._call("update", **params)

    def delete(self, **options: Unpack[RequestOptions]) -> object:
        """Delete the snapshot."""
        return self._call("delete", **options)

    def create_devbox(self, **params: Any) -> Devbox:
        """Create a devbox with the disk of this snapshot; see :meth:`DevboxOps.create`."""
        return DevboxOps(self._connection).create(snapshot_id=self._id, **params)


class SnapshotOps(Operations[Snapshot]):
    """Finds snapshots; :meth:`list` filters by ``devbox_id``, ``source_blueprint_id`` and ``metadata``."""

    _resource = Snapshot

    def from_id(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot that exists; nothing is sent."""
        return Snapshot(self._connection, snapshot_id)


class Blueprint(Resource[views.BlueprintView]):
    """A blueprint: an image that is built once, for devboxes to start from."""

    _calls = "blueprints"

    def logs(self, **options: Unpack[RequestOptions]) -> views.BlueprintLogsView:
        """Return the log of the build."""
        return self._call("logs", **options)

    def delete(self, **options: Unpack[RequestOptions]) -> object:
        """Delete the blueprint; refused while snapshots depend on it."""
        return self._call("delete", **options)

    def create_devbox(self, **params: Any) -> Devbox:
        """Create a devbox from this blueprint; see :meth:`DevboxOps.create`."""
        return DevboxOps(self._connection).create(blueprint_id=self._id, **params)


class BlueprintOps(Operations[Blueprint]):
    """Builds and finds blueprints; :meth:`list` filters by ``name`` and ``status``."""

    _resource = Blueprint

    def create(self, **params: Any) -> Blueprint:
        """Build a blueprint and wait for it.

        ``params`` are the fields of ``POST /v1/blueprints``, such as ``name``, ``dockerfile`` and
        ``system_setup_commands``, and the options of a call that waits.
        """
        call = "blueprints.create"
        return self._object(waiting.BUILT.method(self._connection, "blueprint.create", params, after=call))

    def from_id(self, blueprint_id: str) -> Blueprint:
        """Return a blueprint that exists; nothing is sent."""
        return Blueprint(self._connection, blueprint_id)
