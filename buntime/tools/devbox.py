"""What the tools do in a devbox: commands with bash, and files below the home folder."""

from __future__ import annotations

import base64
import json
import random
import shlex
from contextlib import suppress
from typing import Any, Optional

from buntime._support.collected_text import CollectedText
from buntime.errors import BuntimeError, WaitTimeoutError
from buntime.models import ProcessLogs
from buntime.runloop.devbox import Devbox
from buntime.runloop.executions import Execution
from buntime.tools.sandbox import MOST_ENTRIES, Listing, OnOutput, Program, Ran

_CODE = """if command -v bun >/dev/null; then bun run -; else node --input-type=module -; fi <<'{end}'
{code}
{end}"""
# $1 is the path. Links are resolved before it is compared with the home folder.
_INSIDE = """p=$(realpath -m -- "$1"); h=$(realpath -- "$HOME")
case "$p/" in "$h"/*) ;; *) echo "$1 leads out of $HOME" >&2; exit 3;; esac
"""
_READ = """[ -f "$p" ] || { echo "there is no file $1" >&2; exit 4; }
stat -c %s -- "$p"; tail -c +$(($2 + 1)) -- "$p" | head -c "$3" | base64 -w0"""
_LIST = """[ -d "$p" ] || { echo "there is no folder $1" >&2; exit 4; }
find "$p" -mindepth 1 -maxdepth "$2" -printf '%y %s %P\\0' 2>/dev/null | head -z -n "$3" | base64 -w0"""
_FOLDER = "/tmp/.buntime-$1"  # noqa: S108 - in the devbox
_PREPARE = f"""[ -z "$2" ] || cd -- "$2" || exit; mkdir -m 700 {_FOLDER}"""
# The process leads its own group, so that it can be killed with everything that it started.
_START = f"""[ -z "$2" ] || cd -- "$2"; \\
setsid -w bash -c 'echo $$ >"$0/pid"; exec bash -c "$1"' {_FOLDER} "$3" \\
  >{_FOLDER}/stdout 2>{_FOLDER}/stderr </dev/null; echo $? >{_FOLDER}/exit"""
_LOGS = f"""cd {_FOLDER} 2>/dev/null || {{ echo "there is no process $1" >&2; exit 4; }}
for _ in $(seq 50); do [ -s stderr ] || [ -s pid ] && break; sleep 0.1; done
[ -z "$6" ] || kill -9 -- "-$(cat pid)" 2>/dev/null
for _ in $(seq $(("$5" * 5 + ${{#6}}))); do [ -f exit ] && break; sleep 0.2; done
cat exit 2>/dev/null || echo; tail -c +$(($2 + 1)) stdout | head -c "$4" | base64 -w0
echo; tail -c +$(($3 + 1)) stderr | head -c "$4" | base64 -w0"""


class DevboxSandbox:
    """The operations over a devbox; each ends within ``seconds``."""

    root = "/home/user"

    def __init__(self, devbox: Devbox, seconds: float) -> None:
        self._devbox = devbox
        self._seconds = seconds
        self._running: Optional[Execution] = None

    def run(self, program: Program, timeout: int, max_output: int, on_output: Optional[OnOutput]) -> Ran:
        """Run a program; it is killed at the end of its time."""
        texts = {"stdout": CollectedText(max_output), "stderr": CollectedText(max_output)}

        def on_text(kind: str, text: str) -> None:
            texts[kind].add(text)
            if on_output is not None:
                on_output(text)

        execution = self._running = self._devbox.cmd.exec_async(
            _in_folder(program),
            stdout=lambda text: on_text("stdout", text),
            stderr=lambda text: on_text("stderr", text),
        )
        try:
            exit_code = execution.result(timeout=timeout).exit_code
        except WaitTimeoutError:
            exit_code = None
            execution.kill(kill_process_group=True, timeout=self._seconds)
        finally:
            self._running = None
        is_cut = any(text.truncated for text in texts.values())
        return Ran(exit_code, texts["stdout"].text(), texts["stderr"].text(), is_cut)

    def call(self, function: str, arguments: list[Any], timeout: int, on_output: OnOutput) -> str:
        """Call a function; its value is the last line of the output."""
        source = f"({function})"
        if function.startswith(("./", "../")):
            file, _, name = function.partition("#")
            source = f"(await import({json.dumps(file)}))[{json.dumps(name or 'default')}]"
        code = (
            f"const f = {source};\nconsole.log('\\n' + JSON.stringify(await f(...{json.dumps(arguments)})))"
        )
        ran = self.run(Program(code), timeout, 10_000_000, None)
        if ran.exit_code is None:
            raise WaitTimeoutError(f"the call reached its time limit of {timeout} s")
        if ran.exit_code:
            raise ValueError(f"the call failed with exit code {ran.exit_code}: {ran.stderr}")
        output, _, value = ran.stdout.rstrip("\n").rpartition("\n")
        on_output(output.removesuffix("\n") + ran.stderr)
        return value

    def write(self, path: str, content: str) -> None:
        """Write a file."""
        self._shell(_INSIDE, path)
        self._devbox.file.write(file_path=f"{self.root}/{path}", contents=content, timeout=self._seconds)

    def read(self, path: str, offset: int, length: int) -> tuple[bytes, int]:
        """Return bytes of a file."""
        size, _, data = self._shell(_INSIDE + _READ, path, offset, length).partition("\n")
        return base64.b64decode(data), int(size)

    def list(self, path: str, *, recursive: bool) -> Listing:
        """List a folder."""
        depth = 1000 if recursive else 1
        data = self._shell(_INSIDE + _LIST, path, depth, MOST_ENTRIES + 1)
        items = base64.b64decode(data).decode(errors="replace").split("\0")[:-1]
        fields = [item.split(" ", 2) for item in items[:MOST_ENTRIES]]
        pairs = [(name, None if kind == "d" else int(size)) for kind, size, name in fields]
        return Listing(sorted(pairs), len(items) > MOST_ENTRIES)

    def start(self, program: Program) -> int:
        """Start a program. Its output goes to files, so that it can be read from any offset."""
        number = random.randrange(1, 10**9)  # noqa: S311 - a name, not a secret
        command = _in_folder(Program(program.code, program.command))
        arguments = (number, program.working_dir or "", command)
        self._shell(_PREPARE, *arguments)
        self._devbox.cmd.exec_async(_script(_START, *arguments))
        return number

    def logs(
        self, number: int, offsets: tuple[int, int], maximum: int, *, wait: int, kill: bool
    ) -> tuple[Optional[int], ProcessLogs]:
        """Return the exit code of a process, and at most ``maximum`` bytes of each stream."""
        reply = self._shell(_LOGS, number, *offsets, maximum, wait, "killed" if kill else "")
        exit_code, *streams = reply.split("\n")
        out, err = map(base64.b64decode, streams)
        texts = (out.decode(errors="replace"), err.decode(errors="replace"))
        logs = ProcessLogs(*texts, offsets[0] + len(out), offsets[1] + len(err))
        return int(exit_code) if exit_code else None, logs

    def interrupt(self) -> None:
        """Kill the program that runs."""
        execution = self._running
        if execution is not None:
            with suppress(BuntimeError):
                execution.kill(kill_process_group=True, timeout=self._seconds)

    def _shell(self, script: str, *arguments: object) -> str:
        result = self._devbox.cmd.exec(_script(script, *arguments), timeout=self._seconds)
        if result.exit_code:
            raise ValueError(result.stderr().strip() or f"a command failed with exit code {result.exit_code}")
        return result.stdout()


def _script(script: str, *arguments: object) -> str:
    return f"set -- {shlex.join(map(str, arguments))}\n{script}"


def _in_folder(program: Program) -> str:
    command = program.command
    if program.code is not None:
        end = f"END-{random.getrandbits(64):x}"
        command = _CODE.format(code=program.code, end=end)
    folder = f"cd -- {shlex.quote(program.working_dir)} || exit\n" if program.working_dir else ""
    return f"{folder}{command}"
