"""What a call to ``/execute`` asks for, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from buntime.service.errors import invalid
from buntime.service.executors import Execution
from buntime.service.requests import Fields, check_unicode
from buntime.service.sessions.limits import Plan
from buntime.service.sessions.routes.context import workspace_refusals
from buntime.service.sessions.sessions import Session
from buntime.service.workspace.base import PathError
from buntime.service.workspace.paths import WORKSPACE, normalise, parents


@attrs.frozen
class ExecuteCommand:
    """An execution, and the files to be written before it."""

    execution: Execution
    files: tuple[tuple[str, bytes], ...]


def parse_execute(plan: Plan, session: Session, fields: Fields) -> ExecuteCommand:
    """Return the order in a body, checked whole before anything of it is done."""
    code, command = _program(fields)
    files = _files(plan, fields.array("files"))
    execution = Execution(
        code=code,
        command=command,
        env=_env(plan, fields.object("env")),
        timeout=_timeout(plan, session, fields),
        working_dir=_working_dir(plan, session, fields, [path for path, _ in files]),
        files={path: content.decode() for path, content in files},
        stream=fields.flag("stream"),
    )
    return ExecuteCommand(execution, files)


def _program(fields: Fields) -> tuple[str | None, str | None]:
    code, command = fields.optional_text("code"), fields.optional_text("command")
    if (code is None) == (command is None):
        which = "neither was" if code is None else "both were"
        raise invalid("code", f"Exactly one of code and command must be given; {which}")
    if command is not None and "\0" in command:
        raise invalid("command", "command must not hold a NUL")
    return code, command


def _timeout(plan: Plan, session: Session, fields: Fields) -> int:
    timeout = fields.optional_integer("timeout", 1)
    if timeout is None:
        return session.limits.timeout
    plan.check("execution_timeout", timeout, field="timeout")
    return timeout


def _env(plan: Plan, env: Mapping[str, Any]) -> dict[str, str]:
    plan.check("env_variables", len(env), field="env", of="variables")
    for name, value in env.items():
        if not isinstance(value, str):
            raise invalid(f"env.{name}", f"env.{name} must be a string")
        if not name or "=" in name or "\0" in name + value:
            raise invalid(f"env.{name}", "A name in env must not be empty or hold '=', nothing a NUL")
        check_unicode("env", name + value)
    return dict(env)


def _files(plan: Plan, files: list[Any]) -> tuple[tuple[str, bytes], ...]:
    plan.check("files_per_request", len(files), field="files", of="entries")
    return tuple(_file(plan, f"files[{index}]", file) for index, file in enumerate(files))


def _file(plan: Plan, name: str, file: Any) -> tuple[str, bytes]:
    if not isinstance(file, dict):
        raise invalid(name, f"{name} must be an object with path and content")
    fields = Fields(file, prefix=f"{name}.")
    path, content = fields.text("path"), fields.text("content").encode()
    if len(content) > plan.file_size:
        raise plan.file_too_large(path, len(content))
    try:
        return normalise(path), content
    except PathError as error:
        raise invalid(fields.name("path"), str(error), path=path) from error


def _working_dir(plan: Plan, session: Session, fields: Fields, files: list[str]) -> str:
    path = fields.optional_text("workingDir") or WORKSPACE
    with workspace_refusals(session, plan, path, field="workingDir"):
        folder = normalise(path)
        if any(folder in parents(file) for file in files):
            return folder
        try:
            kind = session.workspace.stat(folder).type
        except FileNotFoundError:
            kind = "file"
    if kind == "file":
        raise invalid("workingDir", f"workingDir {path} is not a directory of the workspace", path=path)
    return folder
