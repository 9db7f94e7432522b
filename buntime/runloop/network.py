"""Tunnels and SSH to a devbox."""

from __future__ import annotations

from typing import Any

from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.runloop.connection import Connection, RequestOptions
from buntime.runloop.wire.views.devboxes import SSHKeyView, TunnelView


class NetworkInterface(NotPicklable):
    """Tunnels and SSH to a devbox."""

    def __init__(self, connection: Connection, devbox_id: str) -> None:
        self._connection = connection
        self._devbox_id = devbox_id

    def _call(self, call: str, /, **fields: Any) -> Any:
        return self._connection.call(f"devboxes.{call}", self._devbox_id, **fields)

    def create_ssh_key(self, **options: Unpack[RequestOptions]) -> SSHKeyView:
        """Create a key for SSH."""
        return self._call("create_ssh_key", **options)

    def enable_tunnel(self, **params: Any) -> TunnelView:
        """Make the ports reachable from outside.

        ``params`` are ``auth_mode`` (open, authenticated), ``http_keep_alive`` and ``wake_on_http``, and the
        options of every call.
        """
        return self._call("enable_tunnel", **params)

    def remove_tunnel(self, **options: Unpack[RequestOptions]) -> object:
        """Remove the tunnel."""
        return self._call("remove_tunnel", **options)


export("buntime.runloop", NetworkInterface)
