"""Commands that really run."""

from __future__ import annotations

from buntime.runloop import Devbox
from buntime.runloop.output import OutputStream


def test_output_arrives_while_the_command_runs(devbox: Devbox) -> None:
    """A callback can answer a command that waits for it."""
    pieces: list[str] = []

    def answer(text: str) -> None:
        pieces.append(text)
        if "ready" in text:
            devbox.file.write(file_path="go", contents="")

    result = devbox.cmd.exec("echo ready; until [ -e go ]; do sleep 0.05; done; echo done", stdout=answer)
    assert ("ready\ndone\n", 0) == ("".join(pieces), result.exit_code)


def test_a_stream_that_is_closed_early(devbox: Devbox) -> None:
    """What more of a long output had arrived by then is chance, and not part of a recording."""
    execution = devbox.cmd.exec_async("for i in {1..30000}; do echo line $i; done")
    path, call = (execution.execution_id, devbox.id), "devboxes.executions.stream_stdout_updates"
    with OutputStream(devbox._connection, call, path, {}) as stream:
        assert next(stream).output.startswith("line 1\n")
    assert execution.result(timeout=60).success


def test_standard_input(devbox: Devbox) -> None:
    """Text and the end of standard input reach a command."""
    execution = devbox.cmd.exec_async("cat; echo end", attach_stdin=True)
    execution.send_stdin("one\n")
    execution.send_stdin("two\n")
    execution.send_stdin(signal="EOF")
    assert "one\ntwo\nend\n" == execution.result(timeout=60).stdout()


def test_named_shell(devbox: Devbox) -> None:
    """Commands of a shell share directory and variables, those of another shell do not."""
    shell = devbox.shell("main")
    shell.exec("cd /tmp; export V=1")
    assert "/tmp\n1\n" == shell.exec("pwd; echo $V").stdout()
    assert "/home/user\n\n" == devbox.shell().exec("pwd; echo $V").stdout()


def test_long_command(devbox: Devbox) -> None:
    """A command that takes longer than the service holds the request is waited for."""
    result = devbox.cmd.exec("sleep 1.5; echo done", optimistic_timeout=1)
    assert "done\n" == result.stdout()


def test_quickstart_of_the_mounts_and_launch_commands(devbox: Devbox) -> None:
    """Files, processes and signals are those of one machine."""
    devbox.file.write(file_path="script.sh", contents="echo $0; kill -TERM $$\n")
    result = devbox.cmd.exec("bash script.sh")
    assert ("script.sh\n", 143) == (result.stdout(), result.exit_code)
