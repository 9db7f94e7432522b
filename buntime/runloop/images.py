"""Finds snapshots, builds blueprints: the disks that devboxes start from."""

from __future__ import annotations

from typing import Any

from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.runloop import waiting
from buntime.runloop.connection import Connection, RequestOptions, split_options
from buntime.runloop.devbox import Devbox, DevboxOps, Snapshot
from buntime.runloop.pages import Listing, Page
from buntime.runloop.wire.requests import WAIT_OPTIONS, check_keywords, resource_id
from buntime.runloop.wire.routes import ROUTES
from buntime.runloop.wire.views.images import BlueprintLogsView, BlueprintView


class SnapshotOps(NotPicklable):
    """Finds snapshots."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def from_id(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot that exists; nothing is sent."""
        return Snapshot(self._connection, snapshot_id)

    def list(self, **params: Any) -> Listing[Snapshot]:
        """Return all snapshots, newest first, of a ``devbox_id``, ``source_blueprint_id`` or ``metadata``."""
        page = Page(self._connection, "devboxes.disk_snapshots.list", params)
        return Listing(page, lambda view: Snapshot(self._connection, view.id))


class Blueprint(NotPicklable):
    """A blueprint: an image that is built once, for devboxes to start from."""

    def __init__(self, connection: Connection, blueprint_id: str) -> None:
        self._connection = connection
        self._id = resource_id("blueprint_id", blueprint_id)

    def __repr__(self) -> str:
        return f"<Blueprint {self._id}>"

    @property
    def id(self) -> str:
        """The id."""
        return self._id

    def get_info(self, **options: Unpack[RequestOptions]) -> BlueprintView:
        """Return the present state."""
        view: BlueprintView = self._connection.call("blueprints.retrieve", self._id, **options)
        return view

    def logs(self, **options: Unpack[RequestOptions]) -> BlueprintLogsView:
        """Return the log of the build."""
        view: BlueprintLogsView = self._connection.call("blueprints.logs", self._id, **options)
        return view

    def delete(self, **options: Unpack[RequestOptions]) -> object:
        """Delete the blueprint; refused while snapshots depend on it."""
        return self._connection.call("blueprints.delete", self._id, **options)

    def create_devbox(self, **params: Any) -> Devbox:
        """Create a devbox from this blueprint; see :meth:`DevboxOps.create`."""
        return DevboxOps(self._connection).create(blueprint_id=self._id, **params)


class BlueprintOps(NotPicklable):
    """Builds and finds blueprints."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, **params: Any) -> Blueprint:
        """Build a blueprint and wait for it.

        ``params`` are the fields of ``POST /v1/blueprints``, such as ``name``, ``dockerfile`` and
        ``system_setup_commands``, and the options of a call that waits.
        """
        check_keywords("blueprint.create", params, (*ROUTES["blueprints.create"].body, *WAIT_OPTIONS))
        request, waits = split_options(params)
        with self._connection.options(waits) as connection:
            view = connection.call("blueprints.create", **request)
            waiting.await_blueprint(connection, view.id)
        return Blueprint(self._connection, view.id)

    def from_id(self, blueprint_id: str) -> Blueprint:
        """Return a blueprint that exists; nothing is sent."""
        return Blueprint(self._connection, blueprint_id)

    def list(self, **params: Any) -> Listing[Blueprint]:
        """Return all blueprints, newest first; ``name`` and ``status`` filter them."""
        page = Page(self._connection, "blueprints.list", params)
        return Listing(page, lambda view: Blueprint(self._connection, view.id))


export("buntime.runloop", Blueprint, BlueprintOps, SnapshotOps)
