"""The programs that the suite runs, and their scripts for a fake."""

from __future__ import annotations

from buntime.transport import FakeTransport, ScriptedExecution, ScriptedResult
from tests.contract import background, evaluations, functions

HELLO = 'console.log("hello");'
TYPESCRIPT = """
interface Person { name: string; age: number }
const people: Person[] = await Promise.resolve([{ name: "Ada", age: 36 }]);
console.log(people[0].name, people[0].age);
"""
BOTH = 'console.log("to stdout"); console.error("to stderr");'
UNICODE = 'console.log("é ☃ 😀 \\u0000 end");'
EXIT_3 = 'console.log("before"); process.exit(3);'
THROWS = 'throw new Error("thrown on purpose");'
GREETS = "console.log(process.env.GREETING ?? 'no greeting');"
READS = 'console.log(await Bun.file("data/in.txt").text());'
WRITES = 'await Bun.write("out/result.txt", "written by code");'
FOLDER = 'console.log(require("node:path").basename(process.cwd()));'
SLOW = 'console.log("started"); await Bun.sleep(60_000); console.log("ended");'
PRINTS_ARGUMENT = "console.log(process.env.NUMBER);"
STEPS = """
for (const step of [1, 2, 3]) { console.log(`step ${step}`); await Bun.sleep(20); }
console.error("done");
"""
LARGE = 'process.stdout.write("0123456789abcdef".repeat(65536));'
COMMAND = "echo from the shell; exit 4"


def script(fake: FakeTransport) -> FakeTransport:
    """Script the programs above on a fake."""
    fake.on_execute(HELLO, stdout="hello\n")
    fake.on_execute(TYPESCRIPT, stdout="Ada 36\n")
    fake.on_execute(BOTH, chunks=[("stdout", "to stdout\n"), ("stderr", "to stderr\n")])
    fake.on_execute(UNICODE, stdout="é ☃ 😀 \0 end\n")
    fake.on_execute(EXIT_3, stdout="before\n", exit_code=3)
    fake.on_execute(THROWS, stderr="error: thrown on purpose\n", exit_code=1)
    fake.on_execute(GREETS, handler=lambda run: run.env.get("GREETING", "no greeting") + "\n")
    fake.on_execute(READS, handler=lambda run: run.workspace.read("data/in.txt").decode() + "\n")
    fake.on_execute(WRITES, files={"out/result.txt": "written by code"})
    fake.on_execute(FOLDER, handler=lambda run: f"{run.working_dir}\n")
    fake.on_execute(SLOW, stdout="started\n", timed_out=True)
    fake.on_execute(PRINTS_ARGUMENT, handler=_prints_argument)
    fake.on_execute(
        STEPS,
        chunks=[
            ("stdout", "step 1\n"),
            ("stdout", "step 2\n"),
            ("stdout", "step 3\n"),
            ("stderr", "done\n"),
        ],
    )
    fake.on_execute(LARGE, stdout="0123456789abcdef" * 65536)
    fake.on_execute(command=COMMAND, stdout="from the shell\n", exit_code=4)
    functions.script(fake)
    background.script(fake)
    evaluations.script(fake)
    return fake


def _prints_argument(run: ScriptedExecution) -> ScriptedResult:
    return ScriptedResult(stdout=run.env["NUMBER"] + "\n")


def scripted() -> FakeTransport:
    """Return a scripted fake, for ``buntime serve --fake``."""
    return script(FakeTransport())
