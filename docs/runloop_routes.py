"""Write the table of Runloop's calls: ``python docs/runloop_routes.py`` updates runloop/devboxes.md."""

from __future__ import annotations

import re
from pathlib import Path

from buntime.runloop.wire.routes import ROUTES, Route

PAGE = Path(__file__).resolve().parent / "runloop" / "devboxes.md"
_TABLE = re.compile(r"(?<=<!-- begin routes -->\n).*?(?=<!-- end routes -->)", re.DOTALL)


def row(route: Route) -> str:
    """Return the row of a call."""
    fields = [name + "*" * (name in route.required) for name in (*route.body, *route.query)]
    arguments = ", ".join(f"`{name}`" for name in (*route.arguments, *fields))
    return f"| `{route.name}` | `{route.method} {route.path}` | {arguments} | {route.repeat.value} |"


def table() -> str:
    """Return the rows of all calls."""
    head = "\n| call | request | arguments; `*` is required | sent again |\n|---|---|---|---|\n"
    return head + "".join(f"{row(route)}\n" for route in ROUTES.values()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(_TABLE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
