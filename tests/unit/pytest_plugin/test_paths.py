"""Paths of the cassettes of tests."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime.pytest_plugin.paths import file_name, module_folder

_NAMES = st.lists(st.from_regex(r"[A-Za-z_]\w{0,150}", fullmatch=True), min_size=1, max_size=3)
_PARAMETERS = st.none() | st.text(max_size=200)


@pytest.mark.parametrize(
    ("names", "parameters", "expected"),
    [
        (["test_it"], None, "test_it.json"),
        (["TestThings", "test_it"], None, "TestThings.test_it.json"),
        (["test_it"], "1-two_3.0", "test_it-1-two_3.0.json"),
    ],
)
def test_a_plain_name_is_unchanged(names: list[str], parameters: Optional[str], expected: str) -> None:
    """The file can be found by the name of its test."""
    assert expected == file_name(names, parameters)


def test_another_name_stays_readable() -> None:
    """It keeps its plain characters, before a hash."""
    name = file_name(["test_it"], "a/b: C")
    assert name.startswith("test_it-a-b-C~")
    assert name.endswith(".json")


@given(_NAMES, _PARAMETERS)
def test_every_name_is_safe(names: list[str], parameters: Optional[str]) -> None:
    """It is short, visible, and has plain characters only, without a separator."""
    name = file_name(names, parameters)
    assert name.isascii()
    assert name.isprintable()
    assert len(name) <= 130
    assert not set(name) & set(' /\\:*?"<>|')
    assert not name.startswith(".")


@given(_NAMES, _PARAMETERS, _NAMES, _PARAMETERS)
def test_no_two_tests_share_a_name(
    names: list[str], parameters: Optional[str], others: list[str], other: Optional[str]
) -> None:
    """Two parametrisations of one test differ too, even if a file system ignores case."""
    first, second = file_name(names, parameters), file_name(names, other)
    assert (parameters == other) == (first.casefold() == second.casefold())
    assert ((names, parameters) == (others, other)) == (first == file_name(others, other))


def test_the_folder_is_beside_the_test_file() -> None:
    """And has the name of the module."""
    expected = Path("project", "tests", "cassettes", "test_it")
    assert expected == module_folder(Path("project", "tests", "test_it.py"))
