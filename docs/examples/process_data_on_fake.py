"""The worked example on a fake: the same program, and no Bun anywhere."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from buntime import Buntime
from buntime.transport import FakeTransport, ScriptedExecution, ScriptedResult

sys.path.insert(0, str(Path(__file__).parent))

import process_data


def process(execution: ScriptedExecution) -> ScriptedResult:
    """Do in Python what process.ts does."""
    rows = list(csv.DictReader(execution.workspace.read("data.csv").decode().splitlines()))
    ages = {row["name"]: int(row["age"]) for row in rows}
    average = sum(ages.values()) / len(ages)
    return ScriptedResult(f"Average age: {average:g}\nOldest: {max(ages, key=ages.__getitem__)}\n")


def main() -> None:
    """Script the one command of the example, and run it."""
    fake = FakeTransport()
    fake.on_execute(command="bun run process.ts", handler=process)
    with Buntime(transport=fake) as client:
        process_data.run(client)
    fake.assert_all_scripts_used()


if __name__ == "__main__":
    main()
