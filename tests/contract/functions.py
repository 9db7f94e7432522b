"""The functions that the suite calls, and their scripts for a fake."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from buntime import JavaScriptError
from buntime.transport import FakeTransport

ADD = "(a, b) => a + b"
GREET = """async (name: string): Promise<string> => {
  console.log("working");
  console.error("and complaining");
  await Bun.sleep(1);
  return `Hello, ${name}`;
};
"""
ECHO = "(...values) => values"
VALUES = """() => ({
  undefined: undefined, nan: NaN, infinite: [Infinity, -Infinity], zero: -0,
  whole: 5.0, half: 0.5, big: 2n ** 70n,
  date: new Date(Date.UTC(2024, 0, 19, 10, 30, 0, 5)), map: new Map([[1, "one"], ["two", 2n]]),
  set: new Set([1, "a"]), bytes: new Uint8Array([0, 255]), buffer: new ArrayBuffer(2),
  numbers: new Float64Array([0.5, NaN]), bigs: new BigInt64Array([5n]), hole: [1, , 2], text: "é \\ud800",
  $buntime: "mine",
})"""
RETURNED: dict[str, Any] = {
    "undefined": None,
    "infinite": [float("inf"), float("-inf")],
    "whole": 5,
    "half": 0.5,
    "big": 2**70,
    "map": {1: "one", "two": 2},
    "set": {1, "a"},
    "bytes": b"\x00\xff",
    "buffer": b"\x00\x00",
    "bigs": [5],
    "hole": [1, None, 2],
    "text": "é \ud800",
    "$buntime": "mine",
}
THROWS = """(depth) => {
  const limit = 3;
  if (depth > limit) {
    throw new RangeError(`too deep: ${depth}`);
  }
}"""
THROWS_TEXT = "() => { throw 'only a text' }"
LARGE = "(text) => text + text"
LIBRARY = """interface Row { value: number }

export function summarise(rows: Row[]): number {
  if (rows.length === 0) {
    throw new Error("nothing to summarise");
  }
  return rows.reduce((sum, row) => sum + row.value, 0);
}

export default (name: string) => `the default of ${name}`;
"""


def script(fake: FakeTransport) -> None:
    """Script the functions above on a fake."""
    fake.on_call(ADD, handler=lambda a, b: a + b)
    fake.on_call(GREET, handler=lambda name: f"Hello, {name}", stdout="working\n", stderr="and complaining\n")
    fake.on_call(ECHO, handler=lambda *values: values)
    fake.on_call(VALUES, handler=_values)
    fake.on_call(THROWS, handler=_throws)
    fake.on_call(THROWS_TEXT, raises=JavaScriptError("only a text", name="string"))
    fake.on_call(LARGE, handler=lambda text: text + text)
    fake.on_call("./lib.ts#summarise", handler=_summarise)
    fake.on_call("./lib.ts", handler=lambda name: f"the default of {name}")


def _values() -> dict[str, Any]:
    date = datetime(2024, 1, 19, 10, 30, 0, 5000, timezone.utc)
    nan = float("nan")
    return {**RETURNED, "nan": nan, "zero": -0.0, "numbers": [0.5, nan], "date": date}


def _throws(depth: int) -> None:
    if depth > 3:
        message = f"too deep: {depth}"
        stack = f"RangeError: {message}\n    at <anonymous> (function:4:15)"
        raise JavaScriptError(message, name="RangeError", stack=stack)


def _summarise(rows: list[dict[str, int]]) -> int:
    if not rows:
        message = "nothing to summarise"
        raise JavaScriptError(message, stack=f"Error: {message}\n    at summarise (lib.ts:5:15)")
    return sum(row["value"] for row in rows)
