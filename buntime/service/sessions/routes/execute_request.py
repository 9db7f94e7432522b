"""Parsing the body of ``POST /execute``."""

from __future__ import annotations

from typing import Any, Callable

import attrs

from buntime.service.errors import invalid
from buntime.service.executors import Execution
from buntime.service.requests import RequestFields, check_unicode
from buntime.service.sessions.limits import Plan
from buntime.service.sessions.routes.context import workspace_errors
from buntime.service.sessions.sessions import LiveSession
from buntime.service.workspace.base import PathError
from buntime.service.workspace.paths import normalise, parents


@attrs.frozen
class ExecuteCommand:
    """An execution, and the files to write before it."""

    execution: Execution
    files: tuple[tuple[str, bytes], ...]


@attrs.frozen
class _Parser:
    plan: Plan
    session: LiveSession
    fields: RequestFields
    files: tuple[tuple[str, bytes], ...]

    def env(self) -> dict[str, str]:
        env = self.fields.object("env")
        self.plan.check("env_variables", len(env), field="env", of="variables")
        for name, value in env.items():
            if not isinstance(value, str):
                raise invalid(f"env.{name}", f"env.{name} must be a string")
            if not name or "=" in name or "\0" in name + value:
                raise invalid(
                    f"env.{name}",
                    "A name in env must not be empty or hold '='; neither name nor value may hold a NUL",
                )
            check_unicode("env", name + value)
        return dict(env)

    def timeout(self) -> int:
        timeout = self.fields.optional_integer("timeout", 1)
        if timeout is None:
            return self.session.limits.timeout
        self.plan.check("execution_timeout", timeout, field="timeout")
        return timeout

    def working_dir(self) -> str:
        path = self.fields.optional_text("workingDir")
        if not path:
            return ""
        with workspace_errors(self.session, self.plan, path, field="workingDir"):
            folder = normalise(path)
            if any(folder in parents(file) for file, _ in self.files):
                return folder
            try:
                kind = self.session.workspace.stat(folder).type
            except FileNotFoundError:
                kind = "file"
        if kind == "file":
            message = f"workingDir {path} is not a directory of the workspace"
            raise invalid("workingDir", message, path=path)
        return folder

    def file_texts(self) -> dict[str, str]:
        return {path: content.decode() for path, content in self.files}

    def stream(self) -> bool:
        return self.fields.flag("stream")


# To add an option of `execute`: a field of Execution, and its parser here.
_OPTIONS: dict[str, Callable[[_Parser], Any]] = {
    "env": _Parser.env,
    "timeout": _Parser.timeout,
    "working_dir": _Parser.working_dir,
    "files": _Parser.file_texts,
    "stream": _Parser.stream,
}


def parse_execute(plan: Plan, session: LiveSession, fields: RequestFields) -> ExecuteCommand:
    """Return the execution in a body; all of it is checked before anything is written or run."""
    code, command = fields.optional_text("code"), fields.optional_text("command")
    if (code is None) == (command is None):
        problem = "neither was" if code is None else "both were"
        raise invalid("code", f"Exactly one of code and command must be given; {problem}")
    if command is not None and "\0" in command:
        raise invalid("command", "command must not hold a NUL")
    files = fields.array("files")
    plan.check("files_per_request", len(files), field="files", of="entries")
    contents = tuple(_file(plan, f"files[{index}]", file) for index, file in enumerate(files))
    parser = _Parser(plan, session, fields, contents)
    options = {name: parse(parser) for name, parse in _OPTIONS.items()}
    return ExecuteCommand(Execution(code=code, command=command, **options), contents)


def _file(plan: Plan, name: str, file: Any) -> tuple[str, bytes]:
    if not isinstance(file, dict):
        raise invalid(name, f"{name} must be an object with path and content")
    fields = RequestFields(file, prefix=f"{name}.")
    path, content = fields.text("path"), fields.text("content").encode()
    plan.check_file_size(path, len(content))
    try:
        return normalise(path), content
    except PathError as error:
        raise invalid(fields.name("path"), str(error), path=path) from error
