"""Finds snapshots, builds blueprints: the disks that devboxes start from."""

from __future__ import annotations

from typing import Any

from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime.runloop import waiting
from buntime.runloop.connection import RequestOptions
from buntime.runloop.devbox import Devbox, DevboxOps, Snapshot
from buntime.runloop.resource import Operations, Resource
from buntime.runloop.wire.views.devboxes import BlueprintLogsView, BlueprintView


class SnapshotOps(Operations[Snapshot]):
    """Finds snapshots; :meth:`list` filters by ``devbox_id``, ``source_blueprint_id`` and ``metadata``."""

    _resource = Snapshot

    def from_id(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot that exists; nothing is sent."""
        return Snapshot(self._connection, snapshot_id)


class Blueprint(Resource[BlueprintView]):
    """A blueprint: an image that is built once, for devboxes to start from."""

    _calls = "blueprints"

    def logs(self, **options: Unpack[RequestOptions]) -> BlueprintLogsView:
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


export("buntime.runloop", Blueprint, BlueprintOps, SnapshotOps)
