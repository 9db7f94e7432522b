"""The definitions of the tools, in the forms of the SDKs."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buntime.tools import anthropic_tools, mcp_tools, openai_responses_tools, openai_tools
from buntime.tools.definitions import TOOLS, check_arguments
from tests.support.cases import in_one_test

NAMES = ["execute", "call", "write", "read", "list", "start", "logs"]
FORMS = [openai_tools, openai_responses_tools, anthropic_tools, mcp_tools]

_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(), st.integers(-2, 400), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)
_ARGUMENTS = st.dictionaries(
    st.sampled_from([*{name for tool in TOOLS.values() for name in tool.required + tool.optional}, "other"]),
    _VALUES,
    max_size=4,
)


def _schema(definition: dict[str, Any]) -> Any:
    for name in ("function", "input_schema", "inputSchema", "parameters"):
        definition = definition.get(name, definition)
    return definition


@in_one_test("form", FORMS)
def test_every_form_has_valid_schemas_that_permit_no_other_arguments(
    form: Callable[..., list[dict[str, Any]]],
) -> None:
    """The definitions are JSON, and each schema is valid in draft 2020-12."""
    from jsonschema import Draft202012Validator

    definitions = json.loads(json.dumps(form()))
    assert len(NAMES) == len(definitions)
    for definition in definitions:
        schema = _schema(definition)
        Draft202012Validator.check_schema(schema)
        assert "object" == schema["type"]
        assert schema["additionalProperties"] is False
        assert set(schema["required"]) <= set(schema["properties"])
        assert all(each["description"] for each in schema["properties"].values())


def test_the_forms_of_the_sdks() -> None:
    """Each has the fields of its SDK."""
    name, description, schema = "read", TOOLS["read"].description, TOOLS["read"].schema()
    function = {"name": name, "description": description, "parameters": schema}
    assert [{"type": "function", "function": function}] == openai_tools("read")
    assert [{"type": "function", **function, "strict": False}] == openai_responses_tools("read")
    assert [{"name": name, "description": description, "input_schema": schema}] == anthropic_tools("read")
    read_only = {"readOnlyHint": True}
    expected = {"name": name, "description": description, "inputSchema": schema, "annotations": read_only}
    assert [expected] == mcp_tools("read")


def test_mcp_has_the_tool_of_the_service() -> None:
    """It is ``execute_code`` there, and a definition can be requested by either name."""
    assert NAMES == [each["name"] for each in anthropic_tools()]
    assert ["execute_code", *NAMES[1:]] == [each["name"] for each in mcp_tools()]
    assert mcp_tools("execute") == mcp_tools("execute_code")


def test_definitions_are_copies() -> None:
    """A program may change what it sends to its model."""
    definition = anthropic_tools("read")[0]
    definition["input_schema"]["properties"]["path"]["description"] = "changed"
    assert "changed" not in str(anthropic_tools("read"))


def test_an_unknown_tool() -> None:
    """The error has the names."""
    with pytest.raises(ValueError, match="there is no tool 'nonsense'; the tools are execute, call"):
        openai_tools("nonsense")


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), _ARGUMENTS)
def test_the_check_agrees_with_the_schema(name: str, arguments: dict[str, Any]) -> None:
    """Arguments are refused exactly if the schema refuses them, or there are not code or command."""
    from jsonschema import Draft202012Validator

    tool = TOOLS[name]
    is_valid = Draft202012Validator(tool.schema()).is_valid(arguments)
    if "code" in tool.optional and ("code" in arguments) == ("command" in arguments):
        is_valid = False
    if is_valid:
        assert arguments == check_arguments(tool, arguments)
        assert arguments == check_arguments(tool, json.dumps(arguments))
    else:
        with pytest.raises(ValueError, match=f"The arguments of {name} are"):
            check_arguments(tool, arguments)
