"""Objects of the storage; agents, which devboxes mount; and secrets, which they have in their environment."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Optional, Union

from buntime import _http
from buntime._support.typing import Unpack
from buntime.runloop import transfer
from buntime.runloop.connection import Connection, RequestOptions
from buntime.runloop.resource import Listing, Operations, Resource
from buntime.runloop.wire.multipart import content_body
from buntime.runloop.wire.requests import OPTIONS, check_keywords
from buntime.runloop.wire.routes import BY_NAME
from buntime.runloop.wire.views.devboxes import AgentView, ObjectDownloadURLView, ObjectView, SecretView

Content = Union[str, bytes, os.PathLike[str], IO[bytes], Iterable[bytes]]
_TEXT = (".txt", ".html", ".css", ".js", ".json", ".xml", ".yaml", ".yml", ".md", ".csv")
_CONTENT_TYPES = {"tgz": (".tgz", ".tar.gz"), "gzip": (".gz",), "tar": (".tar",), "text": _TEXT}


class StorageObject(Resource[ObjectView]):
    """An object of the storage; ``upload_url`` is where its content is sent, if it has just been created."""

    _calls = "objects"

    def __init__(self, connection: Connection, object_id: str, view: Optional[ObjectView] = None) -> None:
        super().__init__(connection, object_id)
        self._view = view

    @property
    def upload_url(self) -> Optional[str]:
        """The URL to which the content is sent, until the object is complete."""
        return None if self._view is None else self._view.upload_url

    def refresh(self, **options: Unpack[RequestOptions]) -> ObjectView:
        """Return the present state, as :meth:`get_info` does."""
        return self.get_info(**options)

    def upload_content(self, content: Content, **options: Unpack[RequestOptions]) -> None:
        """Send the content: bytes, text, a ``Path``, an open file or an iterable of bytes, of any size.

        Raises ``RuntimeError`` if this is not a new object of :meth:`StorageObjectOps.create`.
        """
        if self._view is None or self._view.upload_url is None:
            raise RuntimeError(f"the object {self._id} has no upload_url; create a new one")
        body = content_body(content)
        with self._connection.waits("upload_content", options) as (connection, _):
            transfer.upload(connection, self._view, body)

    def complete(self, **options: Unpack[RequestOptions]) -> ObjectView:
        """End the upload: from then on the object can be read, and not changed."""
        view: ObjectView = self._call("complete", **options)
        self._view = None
        return view

    def get_download_url(self, **params: Any) -> ObjectDownloadURLView:
        """Return a URL for the content, which needs no key, for ``duration_seconds`` (an hour by default)."""
        return self._call("download", **params)

    def download_as_bytes(self, **params: Any) -> bytes:
        """Return the content; ``params`` as for :meth:`get_download_url`."""
        with self._connection.waits("download_as_bytes", params, "objects.download") as (connection, fields):
            view = connection.call("objects.download", self._id, **fields)
            return transfer.download(connection, view.download_url)

    def download_as_text(self, **params: Any) -> str:
        """Return the content, which is UTF-8 (``UnicodeDecodeError`` if it is not)."""
        return self.download_as_bytes(**params).decode()

    def download_to(self, path: Union[str, os.PathLike[str]], **params: Any) -> None:
        """Write the content to a local file, in constant memory; after an error ``path`` is as before."""
        with self._connection.waits("download_to", params, "objects.download") as (connection, fields):
            view = connection.call("objects.download", self._id, **fields)
            transfer.download_to(connection, view.download_url, Path(path))

    def delete(self, **options: Unpack[RequestOptions]) -> ObjectView:
        """Delete the object."""
        return self._call("delete", **options)

    def as_build_context(self) -> dict[str, str]:
        """Return the ``build_context=`` of a blueprint."""
        return {"type": "object", "object_id": self._id}


class StorageObjectOps(Operations[StorageObject]):
    """Creates, uploads and finds objects.

    The ``params`` of an upload are ``metadata``, ``ttl`` (a ``timedelta``) or ``ttl_ms`` after which the
    object is deleted, and the options of a call. All of an upload is one call, with one ``timeout``; if it
    fails, the object is deleted.
    """

    _resource = StorageObject

    def create(self, **params: Any) -> StorageObject:
        """Create an object without content: ``name``, ``content_type``, ``metadata``, ``ttl_ms``."""
        view = self._call("create", **params)
        return StorageObject(self._connection, view.id, view)

    def from_id(self, object_id: str) -> StorageObject:
        """Return an object that exists; nothing is sent."""
        return StorageObject(self._connection, object_id)

    def upload_from_file(
        self,
        file_path: Union[str, os.PathLike[str]],
        *,
        name: Optional[str] = None,
        content_type: Optional[str] = None,
        **params: Any,
    ) -> StorageObject:
        """Upload a local file. By default its suffix decides the type, and the object has its name."""
        path = Path(file_path)
        kinds = (kind for kind, suffixes in _CONTENT_TYPES.items() if path.name.lower().endswith(suffixes))
        content_type = content_type or next(kinds, "unspecified")
        return self._upload("upload_from_file", path, name or path.name, content_type, params)

    def upload_from_dir(
        self,
        dir_path: Union[str, os.PathLike[str]],
        *,
        name: Optional[str] = None,
        ignore: Optional[transfer.Filter] = None,
        **params: Any,
    ) -> StorageObject:
        """Upload a local folder as a compressed archive, which is the same for the same files.

        ``ignore`` takes each ``tarfile.TarInfo`` and returns it, or ``None`` to leave it out. Raises
        ``ValueError`` for anything but files, folders, and links that stay in the folder.
        """
        path = Path(dir_path)
        if not path.is_dir():
            raise ValueError(f"dir_path must be a folder, and {path} is not one")
        with transfer.folder_archive(path, ignore) as file:
            return self._upload("upload_from_dir", file, name or f"{path.name}.tar.gz", "tgz", params)

    def upload_from_text(self, text: str, *, name: str, **params: Any) -> StorageObject:
        """Upload a text as UTF-8."""
        return self._upload("upload_from_text", text, name, "text", params)

    def upload_from_bytes(self, data: bytes, *, name: str, content_type: str, **params: Any) -> StorageObject:
        """Upload bytes of a ``content_type``: unspecified, text, binary, gzip, tar or tgz."""
        return self._upload("upload_from_bytes", data, name, content_type, params)

    def _upload(self, call: str, content: Any, name: str, kind: str, params: dict[str, Any]) -> StorageObject:
        with self._connection.waits(call, params, "objects.create", "ttl") as (connection, fields):
            ttl = fields.pop("ttl", None)
            if ttl is not None:
                if not isinstance(ttl, timedelta):
                    raise TypeError(f"ttl must be a timedelta, not {type(ttl).__name__}; or pass ttl_ms=")
                fields["ttl_ms"] = ttl // timedelta(milliseconds=1)
            body = content_body(content)
            view = connection.call("objects.create", name=name, content_type=kind, **fields)
            try:
                transfer.upload(connection, view, body)
                connection.call("objects.complete", view.id)
            except BaseException:
                transfer.discard(connection, view)
                raise
        return StorageObject(self._connection, view.id)


class Agent(Resource[AgentView]):
    """An agent: a package, a repository or an object that is installed in devboxes with an agent mount."""

    _calls = "agents"

    def delete(self, **options: Unpack[RequestOptions]) -> object:
        """Delete the agent."""
        return self._call("delete", **options)


class AgentOps(Operations[Agent]):
    """Creates and finds agents.

    ``params`` are ``name``, ``version``, the options of a call, and ``agent_setup``: commands that run in a
    devbox after the installation.
    """

    _resource = Agent

    def create(self, **params: Any) -> Agent:
        """Create an agent from a ``source`` as the API has it."""
        return self._object(self._call("create", **params))

    def _create(self, kind: str, source: dict[str, str], params: dict[str, Any], *optional: str) -> Agent:
        if "source" in params:
            raise ValueError(f"create_from_{kind}() makes the source; call create() to pass one")
        names = (*optional, "agent_setup")
        check_keywords(f"create_from_{kind}", params, (*BY_NAME["agents.create"].body, *names, *OPTIONS))
        more = {name: value for name in names if (value := params.pop(name, None)) is not None}
        return self.create(source={"type": kind, kind: {**source, **more}}, **params)

    def create_from_npm(self, *, package_name: str, **params: Any) -> Agent:
        """Create an agent from a package of npm, by default of its public ``registry_url``."""
        return self._create("npm", {"package_name": package_name}, params, "registry_url")

    def create_from_pip(self, *, package_name: str, **params: Any) -> Agent:
        """Create an agent from a package of Python, by default of its public ``registry_url``."""
        return self._create("pip", {"package_name": package_name}, params, "registry_url")

    def create_from_git(self, *, repository: str, **params: Any) -> Agent:
        """Create an agent from a repository, at a ``ref``: a branch, a tag or a commit."""
        return self._create("git", {"repository": repository}, params, "ref")

    def create_from_object(self, *, object_id: str, **params: Any) -> Agent:
        """Create an agent from an object of the storage, such as one of ``upload_from_dir``."""
        return self._create("object", {"object_id": object_id}, params)

    def from_id(self, agent_id: str) -> Agent:
        """Return an agent that exists; nothing is sent."""
        return Agent(self._connection, agent_id)

    def list_public(self, **params: Any) -> Listing[Agent]:
        """Return all public agents, fetched as they are needed."""
        return Listing(self._call("list_public", **params), self._object)


class Secret(Resource[SecretView]):
    """A secret, by its name. Its value cannot be read; ``secrets={"VARIABLE": name}`` of a devbox has it."""

    _calls = "secrets"
    _key = "name"

    @property
    def name(self) -> str:
        """The name."""
        return self._id

    def update(self, value: str, **options: Unpack[RequestOptions]) -> SecretView:
        """Replace the value, for devboxes that are created from then on."""
        value = _http.Secret(value)
        return self._call("update", value=value, **options)

    def delete(self, **options: Unpack[RequestOptions]) -> SecretView:
        """Delete the secret; devboxes that have it keep it."""
        return self._call("delete", **options)


class SecretOps(Operations[Secret]):
    """Creates and finds secrets."""

    _resource = Secret

    def create(self, name: str, value: str, **options: Unpack[RequestOptions]) -> Secret:
        """Create a secret; an ``InvalidRequestError`` if there is one of that name."""
        value = _http.Secret(value)
        secret = self.from_name(name)
        self._call("create", name=name, value=value, **options)
        return secret

    def from_name(self, name: str) -> Secret:
        """Return a secret that exists; nothing is sent."""
        return Secret(self._connection, name)

    def update(self, secret: Union[str, Secret], value: str, **options: Unpack[RequestOptions]) -> Secret:
        """Replace the value of a secret, or of the one with this name."""
        target = secret if isinstance(secret, Secret) else self.from_name(secret)
        target.update(value, **options)
        return target

    def delete(self, secret: Union[str, Secret], **options: Unpack[RequestOptions]) -> SecretView:
        """Delete a secret, or the one with this name."""
        return (secret if isinstance(secret, Secret) else self.from_name(secret)).delete(**options)

    def list(self, **params: Any) -> Listing[Secret]:
        """Return all secrets, at most 5,000."""
        return super().list(**{"limit": 5000, **params})
