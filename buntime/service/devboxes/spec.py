"""The parameters of a new devbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

import attrs

from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.storage import StoredObject
from buntime.service.requests import RequestFields, check_unicode

_KEEP_ALIVE, _MOST_KEEP_ALIVE = 3600, 172800
_GIGABYTES = {"X_SMALL": 1, "SMALL": 2, "MEDIUM": 4, "LARGE": 8, "X_LARGE": 16, "XX_LARGE": 32}
_SIZES = (*_GIGABYTES, "CUSTOM_SIZE")
_NOTED = {
    "code_mounts": "code mounts are not cloned",
    "gateways": "gateways do not exist",
    "mcp": "MCP servers do not exist",
}
_NOTED_LAUNCH = {
    "network_policy_id": "network policies are not applied",
    "required_services": "services are not started",
    "user_parameters": "commands run as the user named user",
}


@attrs.define
class DevboxSpec:
    """A request to create a devbox. ``memory`` is in MB."""

    name: Optional[str]
    metadata: Mapping[str, str]
    environment: Mapping[str, str]
    launch_parameters: Mapping[str, Any]
    launch_commands: list[str]
    entrypoint: Optional[str]
    memory: int
    contents: list[tuple[str, Union[str, StoredObject]]]
    """Files and archives by path, in their order."""
    notes: list[str]
    blueprint_id: Optional[str] = None
    snapshot_id: Optional[str] = None


def parse_devbox(
    fields: RequestFields, blueprint: Mapping[str, Any], secrets: Mapping[str, str]
) -> DevboxSpec:
    """Return the parameters in a body. Those of its ``blueprint`` are the defaults.

    ``secrets`` are values by name. Raises a 400.
    """
    base = RequestFields(blueprint)
    _secrets(base, secrets)  # for its build only
    launch: dict[str, Any] = {"keep_alive_time_seconds": _KEEP_ALIVE}
    for each in (base, fields):
        launch.update(without_nulls(each.object("launch_parameters")))
    parameters = RequestFields(launch, prefix="launch_parameters.")
    parameters.optional_integer("keep_alive_time_seconds", 1, _MOST_KEEP_ALIVE)
    if idle := parameters.object("after_idle"):
        idle_fields = RequestFields(idle, prefix="launch_parameters.after_idle.")
        on_idle = idle_fields.optional_text("on_idle")
        seconds = idle_fields.optional_integer("idle_time_seconds", 1)
        if seconds is None or on_idle not in {"shutdown", "suspend"}:
            required = 'idle_time_seconds, and on_idle: "shutdown" or "suspend"'
            raise invalid(f"launch_parameters.after_idle needs {required}")
    return DevboxSpec(
        name=fields.optional_text("name"),
        metadata=texts(fields, "metadata"),
        environment={**_environment(fields), **_secrets(fields, secrets)},
        launch_parameters=launch,
        launch_commands=[*strings(parameters, "launch_commands")],
        entrypoint=fields.optional_text("entrypoint"),
        memory=_memory(parameters),
        contents=[*{**texts(base, "file_mounts"), **texts(fields, "file_mounts")}.items()],
        notes=[*_notes(fields, parameters)],
    )


def check_launch(launch: Mapping[str, Any], environment: Optional[Mapping[str, Any]] = None) -> None:
    """Raise a 400 for launch parameters or variables with which no devbox could be created later."""
    fields = {"launch_parameters": launch, "environment_variables": environment}
    parse_devbox(RequestFields(fields), {}, {})


def environment_of(fields: RequestFields) -> dict[str, Any]:
    """Return the environment parameters of scenarios in a body."""
    values = without_nulls(fields.object("environment_parameters"))
    environment = RequestFields(values, prefix="environment_parameters.")
    for name in ("blueprint_id", "snapshot_id", "working_directory"):
        environment.optional_text(name)
    launch = environment.object("launch_parameters")
    check_launch(launch)
    return {**values, **({"launch_parameters": without_nulls(launch)} if launch else {})}


def without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not ``null``: clients send it for what they leave out."""
    return {name: value for name, value in values.items() if value is not None}


def texts(fields: RequestFields, name: str) -> dict[str, str]:
    """Return an object whose values are strings."""
    values = without_nulls(fields.object(name))
    for key, value in values.items():
        if not isinstance(value, str):
            raise invalid(f"{fields.name(name)}.{key} must be a string")
        check_unicode(fields.name(name), key + value)
    return values


def _environment(fields: RequestFields) -> dict[str, str]:
    values = texts(fields, "environment_variables")
    for name, value in values.items():
        if not name or "=" in name or "\0" in name + value:
            raise invalid("A name in environment_variables must not be empty or hold '=', and nothing a NUL")
    return values


def _secrets(fields: RequestFields, secrets: Mapping[str, str]) -> dict[str, str]:
    names = texts(fields, "secrets")
    for name in names.values():
        if name not in secrets:
            raise invalid(f"There is no secret {name}")
    return {variable: secrets[name] for variable, name in names.items()}


def strings(fields: RequestFields, name: str) -> tuple[str, ...]:
    """Return an array of strings, such as commands."""
    values = fields.array(name)
    if not all(isinstance(value, str) and "\0" not in value for value in values):
        raise invalid(f"{fields.name(name)} must be an array of strings without NUL")
    return tuple(values)


def clean_text(fields: RequestFields, name: str) -> str:
    """Return a required string without NUL, such as a command."""
    value = fields.text(name)
    if "\0" in value:
        raise invalid(f"{fields.name(name)} must not hold a NUL")
    return value


def _memory(parameters: RequestFields) -> int:
    size = parameters.optional_text("resource_size_request", _SIZES) or "SMALL"
    parameters.optional_number("custom_cpu_cores")
    parameters.optional_integer("custom_disk_size", 1)
    custom = parameters.optional_integer("custom_gb_memory", 1)
    return 1024 * ((custom or 2) if size == "CUSTOM_SIZE" else _GIGABYTES[size])


def _notes(fields: RequestFields, parameters: RequestFields) -> Iterator[str]:
    """Explain what is accepted and has no effect here."""
    for values, reasons in ((fields, _NOTED), (parameters, _NOTED_LAUNCH)):
        for name, reason in reasons.items():
            if values.values.get(name):
                yield f"{values.name(name)}: {reason} by this model"
    if any(isinstance(mount, dict) and mount.get("type") == "code_mount" for mount in fields.array("mounts")):
        yield f"mounts: {_NOTED['code_mounts']} by this model"
