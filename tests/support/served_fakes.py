"""Fakes for ``buntime serve --fake``."""

from __future__ import annotations

import re

from buntime.transport import FakeTransport


def sums() -> FakeTransport:
    """Return a fake with one scripted program."""
    fake = FakeTransport()
    fake.on_execute("console.log(1 + 1)", chunks=[("stdout", "2\n"), ("stderr", "é\n")])
    return fake


def hello() -> FakeTransport:
    """Return a fake that prints ``hello`` for one program and ``other`` for the rest."""
    fake = FakeTransport()
    fake.on_execute("hello()", stdout="hello\n")
    fake.on_execute(re.compile(""), stdout="other\n")
    return fake


def on_the_free_plan() -> FakeTransport:
    """Return a fake with the limits of a plan."""
    return FakeTransport(plan="free")


def anything() -> FakeTransport:
    """Return a fake that responds to every execution, with a plan's limits except the number of requests."""
    fake = FakeTransport(plan="enterprise")
    fake.on_execute(
        re.compile(""),
        chunks=[("stdout", "é\n"), ("stderr", "done\n")],
        files={"scripted/result.txt": "15"},
    )
    fake.on_execute(command=re.compile(""), stdout="done\n", exit_code=1)
    return fake


def failing() -> FakeTransport:
    """Return a fake whose first request finds no connection, and whose second one fails in a handler."""

    def handler(_execution: object) -> None:
        raise AssertionError("the handler failed")

    fake = FakeTransport()
    fake.on_execute("fail()", handler=handler)
    fake.fail_next("dropped", call="POST /sessions/create")
    return fake


def nothing() -> None:
    """Return None instead of a fake."""
