"""The command line, against a service on this machine."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import buntime
from buntime.cli.main import main
from tests.support import responses
from tests.support.loopback import LoopbackServer, json_reply, reply

_OUTPUT = (
    responses.event("stdout", {"text": "one\n"})
    + responses.event("stderr", {"text": "two\n"})
    + responses.event("stdout", {"text": "é😀\n"})
)


class Service(LoopbackServer):
    """A service whose one execution streams these events."""

    def __init__(self, *events: bytes) -> None:
        stream = reply(200, b"".join(events), [("Content-Type", "text/event-stream")])
        super().__init__(json_reply(responses.CREATED), stream, json_reply(responses.DELETED))

    @property
    def execution(self) -> Any:
        """Return the body of the request to /execute."""
        return json.loads(self.requests[1].body)

    @property
    def calls(self) -> list[str]:
        """The requests that reached the service."""
        return [f"{request.method} {request.target.split('/ses_')[0]}" for request in self.requests]


ALL_CALLS = ["POST /sessions/create", "POST /execute", "DELETE /sessions"]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Serve the output above, which ends with exit code 3, and configure the command line for it."""
    server = Service(_OUTPUT, responses.event("result", {"exitCode": 3}))
    with server:
        _point(monkeypatch, server)
        yield server


def _point(monkeypatch: pytest.MonkeyPatch, server: LoopbackServer) -> None:
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_1")
    monkeypatch.setenv("BUNTIME_BASE_URL", server.url)


def test_output_and_exit_code_are_passed_on(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output and standard error are kept apart, and the session is deleted."""
    assert 3 == main(["run", "-e", "console.log(1)"])
    assert ("one\né😀\n", "two\n") == capsys.readouterr()
    assert ALL_CALLS == service.calls
    assert ("console.log(1)", True) == (service.execution["code"], service.execution["stream"])


def test_a_file_runs_under_its_name(service: Service, tmp_path: Path) -> None:
    """Its errors show the name; its arguments follow, quoted for the shell."""
    program = tmp_path / "my program.ts"
    program.write_text("console.log('é')\n", encoding="utf-8")
    main(["run", str(program), "a b", "$HOME"])
    assert "bun run './my program.ts' 'a b' '$HOME'" == service.execution["command"]
    assert [{"path": "my program.ts", "content": "console.log('é')\n"}] == service.execution["files"]


def test_options_of_the_program(service: Service, tmp_path: Path) -> None:
    """Everything after the file belongs to the program."""
    program = tmp_path / "a.ts"
    program.write_text("1")
    main(["run", "--timeout", "5", str(program), "x", "--timeout", "6", "-e", "--", "-v"])
    assert "bun run ./a.ts x --timeout 6 -e -- -v" == service.execution["command"]
    assert 5 == service.execution["timeout"]


def test_standard_input_is_a_program(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read if the argument is ``-``."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("console.log(2)"))
    main(["run", "-"])
    assert "console.log(2)" == service.execution["code"]


def test_environment_and_time_limit(service: Service) -> None:
    """A value may have any characters, including an equals sign."""
    main(["run", "-e", "1", "--env", "A=b", "--env", "C=d=e", "--env", "E=", "--timeout", "5"])
    assert ({"A": "b", "C": "d=e", "E": ""}, 5) == (service.execution["env"], service.execution["timeout"])


def test_an_exceeded_time_limit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error explains it, and the exit code is the service's."""
    with Service(responses.event("result", responses.result(exitCode=124, timedOut=True))) as server:
        _point(monkeypatch, server)
        assert 124 == main(["run", "-e", "for(;;);"])
    assert "--timeout" in capsys.readouterr().err


def test_an_end_without_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is not 0."""
    with Service(b"data: [DONE]\n\n") as server:
        _point(monkeypatch, server)
        assert 125 == main(["run", "-e", "1"])


def test_an_interrupted_stream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The output so far is printed, the session is deleted, and the error is one line."""
    server = Service(_OUTPUT)
    with server:
        _point(monkeypatch, server)
        assert 125 == main(["run", "-e", "1"])
    assert ALL_CALLS == server.calls
    out, err = capsys.readouterr()
    assert "one\né😀\n" == out
    assert "buntime: POST /execute: the stream ended without a result" in err
    assert "Traceback" not in err


def test_an_error_response(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The service's message is printed, and the key is not."""
    with LoopbackServer(json_reply(responses.error_body("unauthorized", "no such key"), 401)) as server:
        _point(monkeypatch, server)
        assert 125 == main(["run", "-e", "1"])
    err = capsys.readouterr().err
    assert err.startswith("buntime: ")
    assert "no such key" in err
    assert "btk_1" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "-e", "1"], "BUNTIME_API_KEY"),
        (["run", "/nowhere/at/all.ts"], "/nowhere/at/all.ts"),
        (["run", "-e", "1", "--env", "A"], "NAME=VALUE"),
        (["run", "-e", "1", "--env", "=b"], "env"),
    ],
)
def test_an_error_is_printed(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is one that no program has by chance."""
    assert 125 == main(arguments)
    err = capsys.readouterr().err
    assert err.startswith("buntime: ")
    assert message in err


def test_a_file_that_is_not_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error has its name."""
    program = tmp_path / "a.ts"
    program.write_bytes(b"\xff\xfe")
    assert 125 == main(["run", str(program)])
    assert f"{program} is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["fly"],
        ["run", "-e", "1", "--timeout", "soon"],
        ["run", "-e", "1", "--timeout", "0"],
        ["run", "-e", "1", "--timeout", "-1"],
        ["run", "--nope"],
        ["exec"],
        ["ps"],
        ["kill", "--session", "ses_1"],
    ],
)
def test_an_invalid_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The error is a line that names the next step; the exit code is 2."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert 2 == caught.value.code
    err = capsys.readouterr().err
    assert err.startswith("buntime")
    assert err.endswith(" --help\n")
    assert err.count("\n") == 1


def test_the_version() -> None:
    """``python -m buntime`` prints it too."""
    printed = subprocess.check_output([sys.executable, "-m", "buntime", "--version"], text=True)
    assert f"buntime {buntime.__version__}\n" == printed


def test_the_version_is_printed_without_imports() -> None:
    """An installer or the prompt of a shell may ask for it: it must not take longer than Python."""
    root = str(Path(buntime.__file__).parents[1])
    code = "import sys; sys.path.insert(0, sys.argv.pop()); before = {*sys.modules}"
    code += "; import buntime.cli.main as m; m.main(); print(*sorted({*sys.modules} - before))"
    command = [sys.executable, "-I", "-S", "-c", code, "--version", root]
    modules = subprocess.check_output(command, text=True).splitlines()[1].split()
    assert modules == ["__future__", "buntime", "buntime._version", "buntime.cli", "buntime.cli.main"]


def test_local_is_used_before_the_service(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """``--local`` creates the transport on this machine, which fails here because of an invalid Bun."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BUNTIME_BUN", "/nowhere/bun")
        assert 125 == main(["run", "--local", "-e", "1"])
    assert "/nowhere/bun" in capsys.readouterr().err
    assert [] == service.requests


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it with the exit code of a shell."""

    class Interrupting(io.StringIO):
        def read(self, size: int | None = -1) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupting())
    assert 130 == main(["run", "-"])


@pytest.mark.parametrize("module", ["waitress", "waitress.server"])
def test_a_missing_waitress_is_reported_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str
) -> None:
    """``buntime serve`` needs it, the rest of the package does not."""
    for name in [name for name in sys.modules if name.startswith(("waitress", "buntime.service.server"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    assert 125 == main(["serve", "--port", "0"])
    assert 'pip install "buntime[serve]"' in capsys.readouterr().err
