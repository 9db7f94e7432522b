"""The evaluations of the suite, with their values, and their scripts for a fake."""

from __future__ import annotations

from typing import Any

from buntime import JavaScriptError
from buntime.transport import FakeTransport

EVALUATIONS: list[tuple[str, Any]] = [
    ('import { join } from "node:path";', None),
    ("const two: number = await Promise.resolve(2);", None),
    ("let total = 0; function add(n: number) { total += n * two; return total }", None),
    ("class Box<T> { constructor(readonly item: T) {} }", None),
    ('add(1); add(20); [total, join("a", "b"), new Box(2n ** 70n).item]', [42, "a/b", 2**70]),
    ("const two = 3; function add() { return two }", None),
    (
        '({ add: add(), bytes: new Uint8Array([0, 255]), text: "é\\ud800" })',
        {"add": 3, "bytes": b"\0\xff", "text": "é\ud800"},
    ),
]
FAILS = "total = 7;\n\nthrow new RangeError(`total is ${total}`)"
PRINTS = 'console.log("out"); console.error("err"); "x".repeat(300_000).length'
LARGE = "(text) => (globalThis.kept = text) + text"


def script(fake: FakeTransport) -> None:
    """Script them on a fake, on which an evaluation is a call without arguments."""
    for source, value in EVALUATIONS:
        fake.on_call(source, returns=value)
    fake.on_call(FAILS, raises=JavaScriptError("total is 7", name="RangeError"))
    fake.on_call(PRINTS, returns=300_000, stdout="out\n", stderr="err\n")
    fake.on_call(LARGE, handler=lambda text: text + text)
    fake.on_call("kept.length", returns=400_000)
