"""The meaning of Runloop's messages to a cassette: ids, fields that vary, secrets, waits, output streams.

The names of fields and paths come from the tables of routes and views; the tables below have the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union
from urllib.parse import parse_qsl, urlsplit

import attrs

from buntime._http import Request
from buntime.runloop.wire import session_messages
from buntime.runloop.wire.requests import NEW_SHELL
from buntime.runloop.wire.responses import read_event
from buntime.runloop.wire.routes import ROUTES
from buntime.runloop.wire.views import KINDS
from buntime.wire.dialect import DIALECT as SESSIONS
from buntime.wire.events import ParsedEvent
from buntime.wire.local_folders import LocalFolders

Message = Mapping[str, Any]
"""A request or a response in the form of a cassette."""

_CREATES = re.compile(r"/v1/(?:\w+|scenarios/scorers|\w+/start_run|devboxes/create_and_await_running)")
"""The paths that create something, which replay has to tell apart; an id is created by any POST."""
_PREFIX = re.compile(r"([a-z]{2,8})_\w")
_IDS = {"id": "id", "execution_id": "exc", "devbox_id": "dbx"}
"""The fields with a new id, and the kind of one that has no prefix."""
_PRESIGNED = ("upload_url", "download_url")
"""The fields with a presigned URL."""
_URL = "https://storage.invalid/url"
"""The name of a presigned URL in a cassette, which gets a number."""
_HEADERS = "upload_headers"
_SHORTEST, _LONG = 8, 20
"""Characters from which on a header, and a parameter of a presigned URL, is a secret."""

_STARTING = (
    *("devboxes", "blueprints", "create_and_await_running", "execute_async", "kill", "suspend", "resume"),
    *("start_run", "score", "cancel"),
)
"""The last parts of paths whose response shows something in progress, or already done on a fast day."""
_PROGRESS = (
    *("status", "state", "exit_status", "stdout", "stderr", "stdout_truncated", "stderr_truncated"),
    *session_messages.DECODED,
)
_IN_PROGRESS = ("queued", "provisioning", "building", "awaiting_upload", "in_progress", "running", "scoring")
"""The statuses of a resource that a wait fetches again."""
_VARYING = (
    *("cmd_id", "size_bytes", "total_count", "remaining_count", "shell_name", "state_transitions"),
    *_PRESIGNED,
)
_SUMMARY = ("command", "file_path", "path", "name", "problem_statement")


class DevboxesDialect:
    """Implements :class:`buntime.cassette.dialect.Dialect`."""

    public_fields: frozenset[str] = frozenset(
        {"auth_mode", "secrets", "secrets_provided", "required_secret_names"}
    )
    stored_headers: tuple[str, ...] = (
        *("Content-Type", "Retry-After", "retry-after-ms", "x-should-retry", "x-request-id"),
    )
    _volatile_headers = frozenset({"retry-after-ms", "x-request-id"})
    returned_fields: frozenset[str] = SESSIONS.returned_fields
    user_fields: frozenset[str] = frozenset(
        {"metadata", "environment_variables", "envVars", "build_args", "scoring_context", "scorer_params"}
    ).union(SESSIONS.user_fields)

    routes: frozenset[str] = frozenset(route.path for route in ROUTES.values() if "{" not in route.path)
    fields: frozenset[str] = frozenset().union(
        ("message", "code", "output", "offset", "has_more", _HEADERS, *_VARYING),
        session_messages.FIELDS,
        *((*route.body, *route.query, route.items) for route in ROUTES.values()),
        *map(attrs.fields_dict, KINDS.values()),
    )

    def serves(self, path: str) -> bool:
        """Whether a path is one of the API, or a presigned URL."""
        return path.startswith(("/v1/", "http://", "https://"))

    def is_volatile(self, name: str) -> bool:
        """Whether a header or a field varies from run to run: times, sizes, transitions, measurements."""
        is_measured = name in session_messages.MEASUREMENTS or SESSIONS.is_volatile(name)
        return is_measured or name.endswith("_ms") or name in _VARYING or name in self._volatile_headers

    def settled(self, request: Message, body: Any) -> Any:
        """Return the JSON body of a response without what shows how far something was."""
        is_starting = request["method"] == "POST" and request["path"].rpartition("/")[2] in _STARTING
        fields = _object(body)
        if fields and (is_starting or ("execution_id" in fields and fields.get("status") in _IN_PROGRESS)):
            return {name: value for name, value in fields.items() if name not in _PROGRESS}
        return body

    def unrecorded_response(self, request: Request) -> Optional[bytes]:  # noqa: ARG002 - of the protocol
        """Return ``None``: all requests are recorded."""
        return None

    def decode_request(self, request: Message) -> dict[str, Any]:
        """Return a request without ``command_id`` and names of shells that are new in each run.

        The value of a secret is in a field whose name shows it.
        """
        decoded = dict(request)
        if "query" in request:
            decoded["query"] = [[name, NEW_SHELL.sub("shell", value)] for name, value in request["query"]]
        if isinstance(request.get("json"), dict):
            body = {name: value for name, value in request["json"].items() if name != "command_id"}
            if request["path"].startswith("/v1/secrets"):
                body = {"secret" if name == "value" else name: value for name, value in body.items()}
            if isinstance(shell_name := body.get("shell_name"), str):
                body["shell_name"] = NEW_SHELL.sub("shell", shell_name)
            decoded["json"] = session_messages.decode_request(body)
        return decoded

    def decode_response(self, request: Message, body: Any) -> Any:  # noqa: ARG002 - of the protocol
        """Return a response with the outcome of a session's request, and the reply of a helper, as values."""
        return session_messages.decode_response(body)

    def encode_response(self, request: Message, body: Any) -> Any:  # noqa: ARG002 - of the protocol
        """Return the response that :meth:`decode_response` decoded."""
        return session_messages.encode_response(body)

    def is_creation(self, request: Message) -> bool:
        """Whether a request creates something with an id, which replay has to tell apart."""
        return request["method"] == "POST" and _CREATES.fullmatch(request["path"]) is not None

    def new_ids(
        self, request: Message, body: Any
    ) -> Iterator[tuple[str, str, Optional[str], Optional[LocalFolders]]]:
        """Yield the ids in a response to a POST whose path does not have them, and presigned URLs."""
        fields, known = _object(body), request["path"].split("/")
        runs = fields.get("runs")  # the service creates them by itself: a list is the first to have their ids
        created = [fields] if request["method"] == "POST" else []
        for each in [*created, *(map(_object, runs) if isinstance(runs, list) else ())]:
            for field, kind in _IDS.items():
                value = each.get(field)
                if isinstance(value, str) and value and value not in known:
                    prefix = _PREFIX.match(value)
                    yield prefix[1] if prefix else kind, value, None, _FOLDERS
        for field in _PRESIGNED:
            if isinstance(url := fields.get(field), str) and "://" in url:
                yield _URL, url.partition("?")[0], None, None

    def version(self, request: Message, body: Any) -> Optional[tuple[object, str]]:
        """Return a file in a session's response, and the text that changes with each change of the file."""
        return session_messages.version(request, _object(body))

    def environment(self, request: Message) -> Mapping[str, Any]:
        """Return the environment variables that a request passes to a devbox or a run."""
        body = _object(request.get("json"))
        profile, contents = _object(body.get("runProfile")), _object(body.get("contents"))
        return _object(profile.get("envVars") or contents.get("env") or body.get("environment_variables"))

    def response_secrets(self, request: Message, body: Any) -> Iterator[tuple[str, str]]:
        """Yield the queries of presigned URLs, as a whole and their long parameters, and upload headers.

        Also the name of a session's request, which differs in a run with other secrets or another release.
        """
        fields = _object(body)
        if name := session_messages.name_of(_object(request.get("json"))):
            yield "request", name
        for field in _PRESIGNED:
            if isinstance(url := fields.get(field), str) and "?" in url:
                query = urlsplit(url).query
                yield field, query
                for name, value in parse_qsl(query):
                    if len(value) >= _LONG and value != query:
                        yield f"{field}.{name}", value
        for name, value in _object(fields.get(_HEADERS)).items():
            if isinstance(value, str) and len(value) >= _SHORTEST and name.lower() != "content-type":
                yield f"{_HEADERS}.{name}", value

    def is_piece(self, request: Message) -> bool:
        """Whether a request reads a part of an output, or may be for a piece of a file."""
        is_cut = any(name in {"offset", "last_n"} for name, _ in request.get("query", ()))
        return is_cut or session_messages.is_piece(_object(request.get("json")))

    def is_pending(self, request: Message, response: Message) -> bool:
        """Return whether a wait goes on: the status is not one that it waits for."""
        sent, body = _object(request.get("json")), _object(response.get("json"))
        if response["status"] == 408:
            return True
        if response["status"] >= 300 or not body or "command" in sent:
            return False
        status, goals = body.get("status", body.get("state")), sent.get("statuses")
        return status not in goals if isinstance(goals, list) else status in _IN_PROGRESS

    def summary(self, request: Message) -> str:
        """Return the first line of a command, or the path of a file, or the name of a resource.

        For a request of a session it is that of an execution of buntime.sh.
        """
        body = _object(request.get("json"))
        if (fields := session_messages.request_in(body)) is not None:
            return SESSIONS.summary(session_messages.execution(fields))
        texts = map(body.get, _SUMMARY)
        text = next((text for text in texts if isinstance(text, str) and text.strip()), "")
        return repr(text.strip().splitlines()[0].rstrip()[:60]) if text else ""

    def read_event(self, name: str, data: Union[str, dict[str, Any]]) -> ParsedEvent:
        """Parse an event of a stream, as the client does."""
        return read_event(name, data)

    def date_of(self, body: Any) -> Optional[float]:  # noqa: ARG002 - of the protocol
        """Return ``None``: no call of the client depends on the date."""
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


_FOLDERS = LocalFolders("devboxes", {"": "/home", "home": "/home/user", "tmp": "/tmp"})  # noqa: S108 - the path in a sandbox
DIALECT = DevboxesDialect()
