"""Agents, which are mounted into devboxes, and secrets, which devboxes have in their environment."""

from __future__ import annotations

from typing import Any, Union

from buntime import _http
from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime.runloop.connection import RequestOptions
from buntime.runloop.pages import Listing
from buntime.runloop.resource import Operations, Resource
from buntime.runloop.wire.requests import OPTIONS, check_keywords
from buntime.runloop.wire.routes import ROUTES
from buntime.runloop.wire.views.storage import AgentView, SecretView


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
        return Agent(self._connection, self._connection.call("agents.create", **params).id)

    def _create(self, kind: str, source: dict[str, Any], optional: str, params: dict[str, Any]) -> Agent:
        if "source" in params:
            raise ValueError(f"create_from_{kind}() makes the source; call create() to pass one")
        names = tuple(filter(None, (optional, "agent_setup")))
        known = (*ROUTES["agents.create"].body, *names, *OPTIONS)
        check_keywords(f"create_from_{kind}", params, known)
        values = {**source, **{name: params.pop(name, None) for name in names}}
        present = {name: value for name, value in values.items() if value is not None}
        return self.create(source={"type": kind, kind: present}, **params)

    def create_from_npm(self, *, package_name: str, **params: Any) -> Agent:
        """Create an agent from a package of npm, by default of its public ``registry_url``."""
        return self._create("npm", {"package_name": package_name}, "registry_url", params)

    def create_from_pip(self, *, package_name: str, **params: Any) -> Agent:
        """Create an agent from a package of Python, by default of its public ``registry_url``."""
        return self._create("pip", {"package_name": package_name}, "registry_url", params)

    def create_from_git(self, *, repository: str, **params: Any) -> Agent:
        """Create an agent from a repository, at a ``ref``: a branch, a tag or a commit."""
        return self._create("git", {"repository": repository}, "ref", params)

    def create_from_object(self, *, object_id: str, **params: Any) -> Agent:
        """Create an agent from an object of the storage, such as one of ``upload_from_dir``."""
        return self._create("object", {"object_id": object_id}, "", params)

    def from_id(self, agent_id: str) -> Agent:
        """Return an agent that exists; nothing is sent."""
        return Agent(self._connection, agent_id)

    def list_public(self, **params: Any) -> Listing[Agent]:
        """Return all public agents, fetched as they are needed."""
        return self._list("list_public", params)


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
        self._connection.call("secrets.create", name=name, value=value, **options)
        return Secret(self._connection, name)

    def from_name(self, name: str) -> Secret:
        """Return a secret that exists; nothing is sent."""
        return Secret(self._connection, name)

    def update(self, secret: Union[str, Secret], value: str, **options: Unpack[RequestOptions]) -> Secret:
        """Replace the value of a secret, or of the one with this name."""
        target = self.from_name(secret) if isinstance(secret, str) else secret
        target.update(value, **options)
        return target

    def delete(self, secret: Union[str, Secret], **options: Unpack[RequestOptions]) -> SecretView:
        """Delete a secret, or the one with this name."""
        return (self.from_name(secret) if isinstance(secret, str) else secret).delete(**options)

    def list(self, **params: Any) -> Listing[Secret]:
        """Return all secrets, at most 5,000."""
        return self._list("list", {"limit": 5000, **params})


export("buntime.runloop", Agent, AgentOps, Secret, SecretOps)
