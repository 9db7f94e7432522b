"""The table of the tools, the forms in which SDKs of language models take it, and the check of arguments."""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional, Union

DEFAULT_TIMEOUT = 30
MCP_NAMES = {"execute": "execute_code"}
"""The names that differ in MCP: the service's own MCP server calls its tool ``execute_code``."""


def _argument(kind: str, description: str, *bounds: int) -> dict[str, Any]:
    """Return the schema of an argument; the bounds of an integer are those of JSON by default."""
    schema = {"type": kind, "description": description}
    return (
        {**schema, **dict(zip(("minimum", "maximum"), bounds or (0, 2**53 - 1)))}
        if kind == "integer"
        else schema
    )


_ARGUMENTS = {
    "arguments": _argument("array", "Arguments of the function, in order"),
    "code": _argument("string", "JavaScript or TypeScript for Bun, with top-level await"),
    "command": _argument("string", "Shell command"),
    "content": _argument("string", "Complete content of the file"),
    "function": _argument("string", "Source such as (a, b) => a + b, or an export such as ./lib.ts#add"),
    "kill": _argument("boolean", "End the process first"),
    "offset": _argument("integer", "First byte to return, by default 0"),
    "path": _argument("string", "Path in the workspace, such as src/main.ts"),
    "process": _argument("integer", "Number that start returned"),
    "recursive": _argument("boolean", "Include everything below the folder"),
    "stderr_offset": _argument("integer", "First byte of stderr, by default 0"),
    "stdout_offset": _argument("integer", "First byte of stdout, by default 0"),
    "timeout": _argument("integer", f"Time limit in seconds, by default {DEFAULT_TIMEOUT}", 1, 300),
    "wait": _argument("integer", "Seconds to wait for the end of the process, by default 0", 0, 60),
    "working_dir": _argument("string", "Folder to run in, by default the workspace"),
}


class Tool(NamedTuple):
    """A tool: its description, and the names of its arguments."""

    name: str
    description: str
    required: tuple[str, ...]
    optional: tuple[str, ...]

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the arguments."""
        properties = {name: copy.deepcopy(_ARGUMENTS[name]) for name in self.required + self.optional}
        required = list(self.required)
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }


_EXECUTE = (
    "Run a program in the sandbox and return its exit code, stdout and stderr. Pass either code or command. "
    "Files of the workspace stay between executions; variables do not. Long output is cut in the middle: "
    "redirect it to a file and read that."
)
_CALL = "Call a JavaScript or TypeScript function in the sandbox and return its value as JSON."
_WRITE = "Write a complete text file of the workspace. Folders are created, and an existing file is replaced."
_READ = (
    "Return the content of a text file of the workspace. If it is long, a part is returned, with the offset "
    "of the next part."
)
_LIST = "List a folder of the workspace, a line for each file, with its size in bytes. Folders end with /."
_START = (
    "Start a program that keeps running, such as a server, and return its process number for logs. "
    "Pass either code or command."
)
_LOGS = "Return the state and the output of a process of start, from the given offsets on."
TOOLS = {
    tool.name: tool
    for tool in (
        Tool("execute", _EXECUTE, (), ("code", "command", "working_dir", "timeout")),
        Tool("call", _CALL, ("function",), ("arguments", "timeout")),
        Tool("write", _WRITE, ("path", "content"), ()),
        Tool("read", _READ, ("path",), ("offset",)),
        Tool("list", _LIST, (), ("path", "recursive")),
        Tool("start", _START, (), ("code", "command", "working_dir")),
        Tool("logs", _LOGS, ("process",), ("stdout_offset", "stderr_offset", "wait", "kill")),
    )
}
_BY_NAME = {**TOOLS, **{other: TOOLS[name] for name, other in MCP_NAMES.items()}}
_TYPES: dict[str, Any] = {"string": str, "integer": (int, float), "boolean": bool, "array": list}


def find_tool(name: object) -> Tool:
    """Return a tool; ``ValueError`` with the names that exist for any other name."""
    tool = _BY_NAME.get(name) if isinstance(name, str) else None
    if tool is None:
        raise ValueError(f"there is no tool {str(name)[:100]!r}; the tools are {', '.join(TOOLS)}")
    return tool


def _chosen(names: tuple[str, ...]) -> list[Tool]:
    return [find_tool(name) for name in names or TOOLS]


def _function(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.schema()}


def openai_tools(*names: str) -> list[dict[str, Any]]:
    """Return the definitions of these tools, by default of all, for OpenAI's chat completions."""
    return [{"type": "function", "function": _function(tool)} for tool in _chosen(names)]


def openai_responses_tools(*names: str) -> list[dict[str, Any]]:
    """Return the definitions of these tools, by default of all, for OpenAI's responses."""
    return [{"type": "function", **_function(tool), "strict": False} for tool in _chosen(names)]


def anthropic_tools(*names: str) -> list[dict[str, Any]]:
    """Return the definitions of these tools, by default of all, for Anthropic's messages."""
    return [
        {"name": tool.name, "description": tool.description, "input_schema": tool.schema()}
        for tool in _chosen(names)
    ]


def mcp_tools(*names: str) -> list[dict[str, Any]]:
    """Return the definitions of these tools, by default of all, for MCP: ``execute`` is ``execute_code``."""
    return [
        {
            "name": MCP_NAMES.get(tool.name, tool.name),
            "description": tool.description,
            "inputSchema": tool.schema(),
            "annotations": {"readOnlyHint": tool.name in {"read", "list"}},
        }
        for tool in _chosen(names)
    ]


def check_arguments(tool: Tool, arguments: Union[Mapping[str, Any], str, None]) -> dict[str, Any]:
    """Return the arguments, checked against the schema; ``null`` stands for one that is not passed.

    Raises ``ValueError`` with all problems, and the arguments that the tool has.
    """
    values: Any = {} if arguments is None else arguments
    problems = []
    if isinstance(values, str):
        try:
            values = json.loads(values) if values.strip() else {}
        except (ValueError, RecursionError) as error:
            values = {}
            problems = [f"the arguments are not JSON: {error}"]
    if not isinstance(values, Mapping):
        values = {}
        problems = ["the arguments are not a JSON object"]
    if not problems:
        values = {name: value for name, value in values.items() if value is not None}
        problems = [problem for name, value in values.items() if (problem := _problem(tool, name, value))]
        problems += [f"{name} is missing" for name in tool.required if name not in values]
        if "code" in tool.optional and ("code" in values) == ("command" in values):
            problems.append("pass either code or command")
    if problems:
        usage = [f"{name} ({_ARGUMENTS[name]['type']}, required)" for name in tool.required]
        usage += [f"{name} ({_ARGUMENTS[name]['type']})" for name in tool.optional]
        raise ValueError(f"{'; '.join(problems)}. The arguments of {tool.name} are {', '.join(usage)}.")
    return {name: int(each) if isinstance(each, float) else each for name, each in values.items()}


def _problem(tool: Tool, name: Any, value: Any) -> Optional[str]:
    known = tool.required + tool.optional
    if name not in known:
        close = difflib.get_close_matches(str(name)[:100], known, n=1)
        return f"{str(name)[:100]!r} is not an argument" + (f", did you mean {close[0]!r}?" if close else "")
    schema = _ARGUMENTS[name]
    kind, types = schema["type"], _TYPES[schema["type"]]
    if not isinstance(value, types) or (kind == "integer" and (isinstance(value, bool) or value % 1 != 0)):
        return f"{name} must be of the type {kind}, not {type(value).__name__}"
    if kind == "integer" and not schema["minimum"] <= value <= schema["maximum"]:
        return f"{name} must be from {schema['minimum']} to {schema['maximum']}"
    return None
