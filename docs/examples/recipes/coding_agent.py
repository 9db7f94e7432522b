"""An agent that writes a module and its test, reads the failure, and corrects it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

from buntime import Buntime, Session
from buntime.tools import run_tool

Blocks = list[dict[str, Any]]
MAX_TURNS = 20

WRONG = "export const slug = (title: string) => title.replace(' ', '-');\n"
RIGHT = (
    "export const slug = (title: string) => title.toLowerCase().replaceAll(' ', '-');\n"
)
TEST = """import { expect, test } from "bun:test";
import { slug } from "./slug";

test("slug", () => expect(slug("Tools for agents")).toBe("tools-for-agents"));
"""


def run_agent(
    ask_model: Callable[[list[dict[str, Any]]], Blocks], session: Session, task: str
) -> str:
    """Let the model work until it calls no tool, and return its answer."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": task}]
    for _ in range(MAX_TURNS):
        blocks = ask_model(messages)
        results = []
        for call in blocks:
            if call["type"] == "tool_use":
                result = run_tool(session, call["name"], call["input"], limit=10_000)
                print(f"{call['name']}: {'failed' if result.is_error else 'done'}")
                results.append(
                    {
                        "type": "tool_result",
                        "tool_use_id": call["id"],
                        "content": result,
                    }
                )
        if not results:
            return "".join(block["text"] for block in blocks)
        messages += [
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": results},
        ]
    raise RuntimeError(f"the agent did not finish in {MAX_TURNS} turns")


def scripted_model() -> Callable[[list[dict[str, Any]]], Blocks]:
    """Return a model that corrects its module when the test fails."""

    def steps() -> Iterator[Blocks]:
        yield [
            use("write", path="slug.ts", content=WRONG),
            use("write", path="slug.test.ts", content=TEST),
        ]
        yield [use("execute", command="bun test")]
        yield [
            use("write", path="slug.ts", content=RIGHT),
            use("execute", command="bun test"),
        ]
        yield [{"type": "text", "text": "slug.ts passes its test."}]

    script = steps()
    return lambda _messages: next(script)


def use(name: str, **arguments: str) -> dict[str, Any]:
    """Return the block of a reply that calls a tool."""
    return {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": arguments}


def main() -> None:
    """Run the agent in a session."""
    with Buntime() as client, client.sessions.create() as session:
        print(
            run_agent(
                scripted_model(), session, "Write slug(title) in slug.ts, with a test."
            )
        )


if __name__ == "__main__":
    main()
