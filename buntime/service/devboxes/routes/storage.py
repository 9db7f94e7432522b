"""Objects, agents and secrets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from buntime._http import Body, Response
from buntime.service.devboxes.context import JSON, Call, Collection
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.spec import strings, texts, without_nulls
from buntime.service.devboxes.storage import Agent, NamedSecret, StoredObject, view
from buntime.service.presigned import LARGEST_OBJECT, PREFIX, expiry_of, presign
from buntime.service.requests import RequestFields

_CONTENT_TYPES = ("unspecified", "text", "binary", "gzip", "tar", "tgz")
_UPLOAD_SECONDS = _DOWNLOAD_SECONDS = 3600
_LONGEST_DOWNLOAD = 604800
_PIECE = 1 << 20
_SOURCES = {"npm": "package_name", "pip": "package_name", "git": "repository", "object": "object_id"}


def create_object(call: Call) -> JSON:
    """``POST /v1/objects``: an object without content, and the URL to which the content is sent."""
    stored = call.once(_new_object)
    return {**view(call.model.object(stored.id)), "upload_url": _url(call, "PUT", stored, _UPLOAD_SECONDS)}


def _new_object(call: Call) -> StoredObject:
    content_type = call.body.text("content_type", _CONTENT_TYPES)
    now, ttl = call.model.now_ms(), call.body.optional_integer("ttl_ms", 1)
    name, metadata = call.body.text("name"), texts(call.body, "metadata")
    call.model.all_objects()  # ends those that are due
    end = None if ttl is None else now + ttl
    object_id = call.model.new_id("obj_")
    return call.model.objects.add(StoredObject(object_id, name, content_type, metadata, now, end))


def _url(call: Call, method: str, stored: StoredObject, seconds: int) -> str:
    return presign(call.request, method, f"{PREFIX}{stored.id}", call.model.now_ms() + 1000 * seconds)


def list_objects(call: Call) -> JSON:
    """``GET /v1/objects``: a page, the newest first; deleted ones only if ``state`` is ``DELETED``."""
    is_deleted = call.query.optional_text("state") == "DELETED"
    views = [view(each) for each in call.model.all_objects() if (each.state == "DELETED") == is_deleted]
    return call.page("objects", views, exact=("content_type", "state"), part=("name",))


def retrieve_object(call: Call) -> JSON:
    """``GET /v1/objects/{id}``; also after its deletion."""
    return view(call.model.object(*call.ids))


def complete_object(call: Call) -> JSON:
    """``POST /v1/objects/{id}/complete``: the upload is at its end."""
    stored = call.model.object(*call.ids)
    if stored.state != "UPLOADING":
        raise ApiError(409, f"Object {stored.id} is {stored.state}")
    if stored.size_bytes is None:
        raise invalid(f"Nothing was sent to the upload_url of object {stored.id}")
    stored.state = "READ_ONLY"
    return view(stored)


def download_object(call: Call) -> JSON:
    """``GET /v1/objects/{id}/download``: a URL that returns the content."""
    stored = call.model.readable_object(*call.ids)
    seconds = call.query.query_integer("duration_seconds", 1, _LONGEST_DOWNLOAD, _DOWNLOAD_SECONDS)
    return {"download_url": _url(call, "GET", stored, seconds)}


def delete_object(call: Call) -> JSON:
    """``POST /v1/objects/{id}/delete``."""
    stored = call.model.object(*call.ids)
    call.model.remove_object(stored)
    return view(stored)


def put_content(call: Call) -> Response:
    """``PUT`` of an ``upload_url``."""
    stored, body = _presigned(call), call.request.body or b""
    if stored.state != "UPLOADING":
        raise ApiError(403, f"Object {stored.id} is {stored.state}")
    size = body.size if isinstance(body, Body) else len(body)
    if size > LARGEST_OBJECT:
        raise invalid(f"The body has {size} bytes; it may have {LARGEST_OBJECT}")
    with body.open() if isinstance(body, Body) else io.BytesIO(body) as file:
        stored.size_bytes = call.model.host.store.write(stored.id, file)
    return Response(200, [("Content-Length", "0")])


def get_content(call: Call) -> Response:
    """``GET`` of a ``download_url``."""
    stored = _presigned(call)
    file = call.model.host.store.open(call.model.readable_object(stored.id).id)
    headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(stored.size_bytes))]
    return Response(200, headers, _pieces(file), on_close=file.close, max_bytes=None)


def _presigned(call: Call) -> StoredObject:
    query = "&".join(f"{name}={value}" for name, value in call.request.query)
    expires = expiry_of(call.request.method, call.request.path, query)
    if expires is None or expires <= call.model.now_ms():
        raise ApiError(403, "The URL has expired" if expires else "The signature of the URL is wrong")
    return call.model.object(*call.ids)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(_PIECE), b"")


def _new_agent(call: Call) -> Agent:
    source = call.body.object("source")
    if call.body.values.get("source") is not None:
        fields = RequestFields(source, prefix="source.")
        kind = fields.text("type", _SOURCES)
        details = RequestFields(fields.object(kind), prefix=f"source.{kind}.")
        name = details.text(_SOURCES[kind])
        for option in ("registry_url", "ref"):
            details.optional_text(option)
        strings(details, "agent_setup")
        if kind == "object":
            call.model.readable_object(name)
    name, version = call.body.text("name"), call.body.optional_text("version")
    return Agent(call.model.new_id("agt_"), name, version, without_nulls(source) or None, call.model.now_ms())


AGENTS: Collection[Agent] = Collection("agents", view, _new_agent)


def list_agents(call: Call) -> JSON:
    """``GET /v1/agents``: a page, the newest first."""
    call.flag("is_public")
    views, exact = [view(agent) for agent in call.model.agents.newest_first()], ["is_public", "version"]
    if call.query.optional_text("version") == "latest":
        views, exact = list({each["name"]: each for each in reversed(views)}.values())[::-1], ["is_public"]
    return call.page("agents", views, exact, ("name",))


def delete_agent(call: Call) -> JSON:
    """``POST /v1/agents/{id}/delete``."""
    call.model.agents.remove(call.model.agents.get(*call.ids))
    return {}


def _new_secret(call: Call) -> NamedSecret:
    name, value, now = call.body.text("name"), call.body.text("value"), call.model.now_ms()
    if call.model.secrets.find(name) is not None:
        raise invalid(f"There is a secret {name} already")
    if not name or "\0" in value:
        raise invalid("A secret needs a name, and a value without NUL")
    return NamedSecret(call.model.new_id("sec_"), name, value, now, now)


def _set_value(call: Call, secret: NamedSecret) -> None:
    """Replace its value, for devboxes that are created from now on."""
    secret.value, secret.update_time_ms = call.body.text("value"), call.model.now_ms()


SECRETS: Collection[NamedSecret] = Collection("secrets", view, _new_secret, _set_value)


def delete_secret(call: Call) -> JSON:
    """``POST /v1/secrets/{name}/delete``."""
    secret = call.model.secrets.get(*call.ids)
    call.model.secrets.remove(secret)
    return view(secret)
