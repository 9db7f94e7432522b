"""Write the OpenAPI document of the model of Runloop: ``python docs/runloop_openapi.py``.

Methods and paths are those of the model; fields and responses are those of the client's routes and views.
The tables below have the types of the fields, the values of enumerations, and the refusals of each call.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Optional, Union, get_args, get_origin, get_type_hints

import attrs

from buntime._http import Secret
from buntime.runloop.wire.routes import BY_NAME, Route
from buntime.runloop.wire.views import KINDS, View
from buntime.service.devboxes.app import ROUTES
from buntime.service.devboxes.routes.devboxes import STATUSES
from buntime.service.devboxes.routes.images import BUILD_STATUSES

TARGET = Path(__file__).resolve().parents[1] / "buntime" / "service" / "server" / "runloop-openapi.json"
Schema = dict[str, Any]

_DESCRIPTION = """\
Devboxes, commands, files, snapshots, blueprints, objects, agents, scenarios, scorers and benchmarks.

This document is not the service's own. It describes the model of the service that runs on this machine \
(`buntime serve`, `LocalTransport`, `FakeTransport`), with the names of the official clients; the project's \
tests compare the two. A field of a body that is `null` counts as absent, and one that the model does not \
know is ignored. A 501 is a request that is beyond the model, such as a file outside of `/home/user`."""


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _enum(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _integer(low: int, high: Optional[int] = None) -> Schema:
    return {"type": "integer", "minimum": low, **({} if high is None else {"maximum": high})}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(required: str = "", **properties: Schema) -> Schema:
    """Return an object; a field that is not required may be ``null``."""
    names = required.split()
    optional = {name: schema if name in names else _or_null(schema) for name, schema in properties.items()}
    return {"type": "object", "properties": optional, **({"required": names} if names else {})}


def _or_null(schema: Schema) -> Schema:
    if "enum" in schema:
        return {**schema, "type": ["string", "null"], "enum": [*schema["enum"], None]}
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else {}


TEXT: Schema = {"type": "string"}
CLEAN: Schema = {"type": "string", "pattern": "^[^\\u0000]*$"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number", "exclusiveMinimum": 0}
TEXTS: Schema = {"type": "object", "additionalProperties": _or_null(TEXT)}
VARIABLES: Schema = {
    **TEXTS,
    "additionalProperties": _or_null(CLEAN),
    "propertyNames": {"pattern": "^[^=\\u0000]+$"},
}
LINES: Schema = _list(CLEAN)
IGNORED: Schema = {}

FIELDS: dict[str, Schema] = {
    **dict.fromkeys(("metadata", "secrets", "file_mounts"), TEXTS),
    "environment_variables": VARIABLES,
    **dict.fromkeys(("attach_stdin", "kill_process_group", "http_keep_alive", "wake_on_http"), FLAG),
    **dict.fromkeys(("include_total_count", "force", "is_public"), _enum("true", "false")),
    **dict.fromkeys(
        ("scenario_ids", "scenarios_to_add", "scenarios_to_remove", "system_setup_commands"), LINES
    ),
    **dict.fromkeys(("required_environment_variables", "required_secret_names"), LINES),
    **dict.fromkeys(("code_mounts", "gateways", "mcp", "build_args", "services"), IGNORED),
    **dict.fromkeys(("network_policy_id", "scoring_context"), IGNORED),
    **dict.fromkeys(("last_n", "offset"), _integer(0)),
    "limit": _integer(1, 5000),
    "ttl_ms": _integer(1),
    "duration_seconds": _integer(1, 604800),
    "optimistic_timeout": _integer(0, 25),
    "scorer_timeout_sec": _integer(1),
    "command": CLEAN,
    "bash_script": CLEAN,
    "signal": _enum("EOF", "INTERRUPT"),
    "auth_mode": _enum("open", "authenticated"),
    "content_type": _enum("unspecified", "text", "binary", "gzip", "tar", "tgz"),
    "validation_type": _enum("UNSPECIFIED", "FORWARD", "REVERSE", "EVALUATION"),
    "launch_parameters": _ref("LaunchParameters"),
    "mounts": _list(_ref("Mount")),
    "tunnel": _ref("Tunnel"),
    "source": _ref("AgentSource"),
    "build_context": _ref("BuildContext"),
    "input_context": _ref("InputContext"),
    "scoring_contract": _ref("ScoringContract"),
    "environment_parameters": _ref("ScenarioEnvironment"),
    "run_profile": _ref("RunProfile"),
    "file": {"type": "string", "format": "binary"},
}
"""The schema of each field of a request; any other is a text."""
EXCEPTIONS: dict[tuple[str, str], Schema] = {
    ("devboxes.list", "status"): _enum(*STATUSES),
    ("blueprints.list", "status"): _enum(*BUILD_STATUSES),
    ("devboxes.wait_for_status", "statuses"): {**_list(_enum(*STATUSES)), "minItems": 1},
    ("devboxes.wait_for_status", "timeout_seconds"): _integer(0, 30),
    ("devboxes.wait_for_command", "statuses"): {
        **_list(_enum("queued", "running", "completed")),
        "minItems": 1,
    },
    ("devboxes.wait_for_command", "timeout_seconds"): _integer(0, 25),
    ("scenarios.update", "input_context"): _object(problem_statement=TEXT, additional_context=IGNORED),
    ("objects.list", "content_type"): TEXT,
    ("objects.list_public", "content_type"): TEXT,
    ("scenarios.list", "validation_type"): TEXT,
    ("devboxes.disk_snapshots.list", "metadata"): {"type": "object"},
}
_SCORERS = {
    "command_scorer": _object("type command", command=CLEAN),
    "bash_script_scorer": _object("type bash_script", bash_script=CLEAN),
    "python_script_scorer": _object("type python_script", python_script=CLEAN, requirements_contents=TEXT),
    "custom_scorer": _object("type custom_scorer_type", custom_scorer_type=CLEAN, scorer_params=IGNORED),
    "test_based_scorer": _object("type test_command", test_command=CLEAN, test_files=_list(_ref("TestFile"))),
    "ast_grep_scorer": _object(
        "type pattern search_directory", pattern=CLEAN, search_directory=CLEAN, lang=IGNORED
    ),
}
_MOUNTS = {
    "file_mount": _object("type target content", target=TEXT, content=TEXT),
    "object_mount": _object("type object_id object_path", object_id=TEXT, object_path=TEXT),
    "agent_mount": _object("type", agent_id=TEXT, agent_name=TEXT, agent_path=TEXT, auth_token=TEXT),
    "code_mount": _object("type"),
}
_PACKAGE = _object("package_name", package_name=TEXT, registry_url=TEXT, agent_setup=LINES)
_SOURCES = {
    "npm": _PACKAGE,
    "pip": _PACKAGE,
    "git": _object("repository", repository=TEXT, ref=TEXT, agent_setup=LINES),
    "object": _object("object_id", object_id=TEXT, agent_setup=LINES),
}


def _one_of(variants: dict[str, Schema], *, field: bool = False) -> Schema:
    """Return the variants by their ``type``, each with its fields, or with a field that is named for it."""
    schemas = []
    for name, variant in variants.items():
        shown = _object(f"type {name}", **{name: variant}) if field else variant
        properties = {"type": {"type": "string", "const": name}, **shown["properties"]}
        schemas.append({**shown, "properties": properties})
    return {"oneOf": schemas}


_OUTPUT = _object("output", output=TEXT, offset=_integer(0))
SCHEMAS: dict[str, Schema] = {
    "Error": {
        **_object("message code", message=TEXT, code=TEXT),
        "description": "What happened, and its kind.",
    },
    "OutputEvent": {
        **_object(
            "data", data={"type": "string", "contentMediaType": "application/json", "contentSchema": _OUTPUT}
        ),
        "description": "A piece of output in a stream. `offset` is that of its first byte.",
    },
    "LaunchParameters": _object(
        keep_alive_time_seconds=_integer(1, 172800),
        launch_commands=LINES,
        resource_size_request=_enum(
            "X_SMALL", "SMALL", "MEDIUM", "LARGE", "X_LARGE", "XX_LARGE", "CUSTOM_SIZE"
        ),
        custom_cpu_cores=NUMBER,
        custom_disk_size=_integer(1),
        custom_gb_memory=_integer(1),
        after_idle=_object(
            "idle_time_seconds on_idle", idle_time_seconds=_integer(1), on_idle=_enum("shutdown", "suspend")
        ),
    ),
    "Tunnel": _object(auth_mode=FIELDS["auth_mode"], http_keep_alive=FLAG, wake_on_http=FLAG),
    "Mount": _one_of(_MOUNTS),
    "AgentSource": _one_of(_SOURCES, field=True),
    "BuildContext": _object("object_id", object_id=TEXT),
    "InputContext": _object("problem_statement", problem_statement=TEXT, additional_context=IGNORED),
    "TestFile": _object("file_path", file_path=TEXT, file_contents=TEXT),
    "Scorer": _one_of(_SCORERS),
    "ScoringFunction": _object(
        "name weight scorer",
        name={"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"},
        weight=NUMBER,
        scorer=_ref("Scorer"),
    ),
    "ScoringContract": _object(
        "scoring_function_parameters",
        scoring_function_parameters={**_list(_ref("ScoringFunction")), "minItems": 1, "maxItems": 100},
    ),
    "ScenarioEnvironment": _object(
        blueprint_id=TEXT,
        snapshot_id=TEXT,
        working_directory=TEXT,
        launch_parameters=_ref("LaunchParameters"),
    ),
    "RunProfile": _object(
        envVars=VARIABLES,
        secrets=TEXTS,
        launchParameters=_ref("LaunchParameters"),
        mounts=_list(_ref("Mount")),
        purpose=TEXT,
    ),
}
_STATES = {
    "DevboxView.status": STATUSES,
    "StateTransitionView.status": STATUSES,
    "ExecutionView.status": ("queued", "running", "completed"),
    "SnapshotStatusView.status": ("in_progress", "complete", "error", "deleted"),
    "BlueprintView.status": BUILD_STATUSES,
    "BlueprintView.state": ("created", "deleted"),
    "ObjectView.state": ("UPLOADING", "READ_ONLY", "DELETED", "ERROR"),
    "ScenarioRunView.state": ("running", "scoring", "scored", "completed", "canceled", "timeout", "failed"),
    "ScoringFunctionResultView.state": ("unknown", "complete", "error"),
    "BenchmarkRunView.state": ("running", "completed", "canceled", "failed"),
}
_PRIMITIVES: dict[Any, Schema] = {
    str: TEXT,
    Secret: TEXT,
    bool: FLAG,
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}


def _schema_of(hint: Any) -> Schema:
    """Return the schema of a type of a field of a view."""
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    arguments = get_args(hint)
    if get_origin(hint) is Union:
        return _schema_of(arguments[0])
    if get_origin(hint) is list:
        return _list(_schema_of(arguments[0]))
    if get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1])}
    return {"type": "object"} if hint is View else _ref(hint.__name__)


def _view(kind: type[View]) -> Schema:
    """Return the schema of a view. Every list and mapping is part of a response, even an empty one."""
    hints = get_type_hints(kind)
    properties, required = {}, []
    for name, field in attrs.fields_dict(kind).items():
        if name != "extra":
            spelt = name.replace("scenario_ids", "scenarioIds")
            states = _STATES.get(f"{kind.__name__}.{name}")
            properties[spelt] = _enum(*states) if states else _schema_of(hints[name])
            if field.default is attrs.NOTHING or isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
                required.append(spelt)
    description = (kind.__doc__ or "").partition("\n")[0].replace("``", "`")
    return {"type": "object", "description": description, "properties": properties, "required": required}


_EXTRA = {
    "devboxes.create_and_await_running": BY_NAME["devboxes.create"],
    "devboxes.snapshot_disk": BY_NAME["devboxes.snapshot_disk_async"],
}
"""Calls that the model serves for the official clients, and the ones with the same fields."""
_HELD = "408"
_CONFLICTS = ("shutdown", "suspend", "snapshot_disk", "snapshot_disk_async", "execute", "execute_async")
_CONFLICTS += ("execute_sync", "disk_snapshots.delete", "objects.complete", "runs.complete", "runs.cancel")
_FILES = {
    "text": "text/plain; charset=utf-8",
    "bytes": "application/octet-stream",
    "zip": "application/zip",
    "stream": "text/event-stream",
}
_ERRORS = {
    "400": "The request cannot be carried out as it is, or not in the present state.",
    "401": "The API key is missing or wrong.",
    "403": "The URL has expired, or its signature is wrong.",
    "404": "Something with this id or name does not exist.",
    "408": "The service held the request as long as it may; send it again.",
    "409": "Another request is in the way.",
    "413": "The body is larger than 100 MB.",
    "501": "This is beyond the model.",
    "503": "The service is shutting down.",
}


def _field(name: str, call: str) -> Schema:
    return EXCEPTIONS.get((call, name), FIELDS.get(name, TEXT))


def _response(route: Route) -> Schema:
    if route.items:
        counts = {name: {"type": "integer"} for name in ("total_count", "remaining_count")}
        page = _object(f"{route.items} has_more", has_more=FLAG, **{route.items: _list(_ref(route.view))})
        schema = {**page, "properties": {**page["properties"], **counts}}
    elif route.view in _FILES:
        content = {"type": "string"} if route.view in {"text", "stream"} else FIELDS["file"]
        events = {"x-event": _ref("OutputEvent")} if route.view == "stream" else {}
        return {"description": "The content.", "content": {_FILES[route.view]: {"schema": content, **events}}}
    else:
        schema = _ref(route.view)
    return {"description": "It was done.", "content": {"application/json": {"schema": schema}}}


def _operation(call: str, method: str, path: str) -> Schema:
    route = _EXTRA.get(call) or BY_NAME[call]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in re.findall(r"{(\w+)}", path)
    ]
    for name in route.query:
        style = {"style": "deepObject", "explode": True} if name == "metadata" else {}
        parameters.append({"name": name, "in": "query", **style, "schema": _field(name, call)})
    if method == "POST":
        parameters.append({"name": "x-request-id", "in": "header", "schema": TEXT})
    operation: Schema = {"operationId": call, "tags": [call.partition(".")[0]], "parameters": parameters}
    if route.body:
        names = ["runProfile" if name == "run_profile" else name for name in route.body]
        fields = {new: _field(name, call) for new, name in zip(names, route.body)}
        # The model keeps what this update leaves out, as an example of the service does.
        required = [
            name for name in route.body if name in route.required and call != "scenarios.scorers.update"
        ]
        body = _object(" ".join(required), **fields)
        kind = "multipart/form-data" if route.is_multipart else "application/json"
        operation["requestBody"] = {"required": bool(required), "content": {kind: {"schema": body}}}
    statuses = {"400", "401", "404", "413", "503"}
    if route.is_wait or call.endswith(("execute_sync", "snapshot_disk")):
        statuses.add("408")
    if call.endswith(_CONFLICTS):
        statuses.add("409")
    if route.is_multipart or call.endswith(
        ("file_contents", "download_file", "start_run", "create", "_running", "execute")
    ):
        statuses.add("501")
    errors = {status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}
    return {**operation, "responses": {"200": _response(route), **errors}}


def _storage(method: str) -> Schema:
    """Return the operation of a presigned URL, which needs no key."""
    content = {"application/octet-stream": {"schema": FIELDS["file"]}}
    names = (("id", "path"), ("expires", "query"), ("signature", "query"))
    operation: Schema = {
        "operationId": f"storage.{method}",
        "tags": ["storage"],
        "security": [],
        "parameters": [
            {"name": name, "in": place, "required": True, "schema": TEXT} for name, place in names
        ],
        "responses": {
            "200": {"description": "The content.", **({"content": content} if method == "get" else {})},
            **{
                status: {"$ref": f"#/components/responses/{status}"}
                for status in ("400", "403", "404", "503")
            },
        },
    }
    return operation if method == "get" else {**operation, "requestBody": {"content": content}}


def document() -> Schema:
    """Return the document."""
    paths: dict[str, Schema] = {}
    for call, (method, pattern, _) in ROUTES.items():
        names = iter(reversed(BY_NAME[call].arguments) if call in BY_NAME else ["id"])
        path = "/".join(f"{{{next(names)}}}" if part == "{id}" else part for part in pattern.split("/"))
        is_storage = call.startswith("storage.")
        operation = _storage(method.lower()) if is_storage else _operation(call, method, path)
        paths.setdefault(path, {})[method.lower()] = operation
    error = {"application/json": {"schema": _ref("Error")}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Runloop", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "https://api.runloop.ai"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {**SCHEMAS, **{name: _view(kind) for name, kind in KINDS.items()}},
            "responses": {
                status: {"description": text, "content": error} for status, text in _ERRORS.items()
            },
        },
    }


def text() -> str:
    """Return the document as it is stored."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
