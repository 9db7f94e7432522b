"""Commands, their output, their ends and their shells, over each transport."""

from __future__ import annotations

import pytest

from tests.runloop.model.scripts import BOTH, COUNT, ECHOES, ENVIRONMENT, FOREVER, LINES
from tests.runloop.wire import Wire, events


def test_execute_returns_the_result(wire: Wire) -> None:
    """One request for a short command."""
    view = wire.execute(wire.create(), BOTH)
    assert (3, "to stdout\n", "to stderr\n") == (view["exit_status"], view["stdout"], view["stderr"])
    assert (False, False) == (view["stdout_truncated"], view["stderr_truncated"])


def test_execute_sync_has_its_own_form(wire: Wire) -> None:
    """It has no execution id."""
    result = wire.post(f"{wire.create()}/execute_sync", command=BOTH)
    assert {"devbox_id", "exit_status", "stdout", "stderr"} == set(result)
    assert (3, "to stdout\n", "to stderr\n") == (result["exit_status"], result["stdout"], result["stderr"])


def test_commands_have_the_environment(wire: Wire) -> None:
    """That of the devbox."""
    devbox = wire.create(environment_variables={"GREETING": "hello ☃"})
    assert "hello ☃\n" == wire.execute(devbox, ENVIRONMENT)["stdout"]


def test_a_command_id_runs_once(wire: Wire) -> None:
    """A repeated execute returns the first result."""
    devbox = wire.create()
    first, repeated, other = (
        wire.post(f"{devbox}/execute", command=COUNT, command_id=command_id) for command_id in "aab"
    )
    assert ("1\n", "1\n", "2\n") == (first["stdout"], repeated["stdout"], other["stdout"])
    assert first["execution_id"] == repeated["execution_id"] != other["execution_id"]
    assert 400 == wire.refused(f"{devbox}/execute", command="true")[0]


def test_the_last_lines_of_the_output(wire: Wire) -> None:
    """100 by default; the rest is in the stream."""
    execution = wire.start(wire.create(), LINES)
    view = wire.completed(execution)
    assert view["stdout_truncated"]
    assert [f"Line {number}" for number in range(901, 1001)] == view["stdout"].splitlines()
    view = wire.completed(execution, last_n="2")
    assert ("Line 999\nLine 1000\n", True) == (view["stdout"], view["stdout_truncated"])
    view = wire.get(execution, last_n="1000")
    assert (1000, False) == (len(view["stdout"].splitlines()), view["stdout_truncated"])


def test_a_stream_has_the_whole_output(wire: Wire) -> None:
    """Its end is the end of the execution; it resumes at an offset in bytes."""
    devbox = wire.create()
    execution = wire.start(devbox, LINES)
    content = wire.send("GET", f"{execution}/stream_stdout_updates").read()
    text = "".join(event["output"] for event in events(content))
    assert 1000 == len(text.splitlines())
    content = wire.send("GET", f"{execution}/stream_stdout_updates", query={"offset": "14"}).read()
    assert 14 == events(content)[0]["offset"]
    assert text[14:] == "".join(event["output"] for event in events(content))
    content = wire.send("GET", f"{execution}/stream_stderr_updates").read()
    assert [] == events(content)


def test_offsets_count_bytes(wire: Wire) -> None:
    """Not characters."""
    execution = wire.start(wire.create(), "echo é☃😀")
    wire.completed(execution)
    content = wire.send("GET", f"{execution}/stream_stdout_updates", query={"offset": "5"}).read()
    assert [{"output": "😀\n", "offset": 5}] == events(content)


def test_a_wait_for_a_command_ends_with_a_408(wire: Wire) -> None:
    """The command runs on."""
    execution = wire.start(wire.create(), FOREVER)
    body = {"statuses": ["completed"], "timeout_seconds": 0}
    response = wire.send("POST", f"{execution}/wait_for_status", body)
    assert (408, "true") == (response.status, response.headers["x-should-retry"])
    response.close()
    assert "running" == wire.post(f"{execution}/wait_for_status", statuses=["running"])["status"]


def test_execute_returns_a_command_that_still_runs(wire: Wire) -> None:
    """The optimistic timeout ends the request, not the command."""
    devbox = wire.create()
    view = wire.post(f"{devbox}/execute", command=FOREVER, command_id="1", optimistic_timeout=0)
    assert "running" == view["status"]
    assert "exit_status" not in view


@pytest.mark.parametrize("group", [False, True])
def test_kill(wire: Wire, group: bool) -> None:
    """The exit status is 137, and a second kill changes nothing."""
    execution = wire.start(wire.create(), FOREVER)
    wire.post(f"{execution}/kill", kill_process_group=group)
    assert 137 == wire.completed(execution)["exit_status"]
    assert 137 == wire.post(f"{execution}/kill")["exit_status"]


def test_standard_input(wire: Wire) -> None:
    """Text arrives in order, and EOF ends it."""
    devbox = wire.create()
    execution = wire.start(devbox, ECHOES, attach_stdin=True)
    for text in ("a", "bc", "\n"):
        assert wire.post(f"{execution}/send_std_in", text=text)["success"]
    wire.post(f"{execution}/send_std_in", signal="EOF")
    assert "abc\nend\n" == wire.completed(execution)["stdout"]
    assert 400 == wire.refused(f"{execution}/send_std_in", text="late")[0]
    other = wire.start(devbox, FOREVER)
    assert 400 == wire.refused(f"{other}/send_std_in", text="not attached")[0]
    assert 400 == wire.refused(f"{other}/send_std_in")[0]
    assert 400 == wire.refused(f"{other}/send_std_in", signal="HUP")[0]


def test_interrupt(wire: Wire) -> None:
    """It acts like Ctrl-C, with or without standard input."""
    execution = wire.start(wire.create(), FOREVER)
    wire.post(f"{execution}/send_std_in", signal="INTERRUPT")
    assert 130 == wire.completed(execution)["exit_status"]


def test_a_named_shell_runs_one_command_at_a_time(wire: Wire) -> None:
    """The others are queued, and one that is killed in the queue never starts."""
    devbox = wire.create()
    first = wire.start(devbox, "sleep 0.4; echo first", shell_name="s")
    second = wire.start(devbox, "echo second", shell_name="s")
    third = wire.start(devbox, COUNT, shell_name="s")
    assert ["running", "queued", "queued"] == [wire.get(each)["status"] for each in (first, second, third)]
    assert 137 == wire.post(f"{third}/kill")["exit_status"]
    assert ("second\n", "s") == (wire.completed(second)["stdout"], wire.get(second)["shell_name"])
    assert "completed" == wire.get(first)["status"]
    assert "1\n" == wire.execute(devbox, COUNT, shell_name="s")["stdout"]


def test_logs_have_commands_output_and_ends(wire: Wire) -> None:
    """They can be limited to an execution or a shell."""
    devbox = wire.create()
    view = wire.execute(devbox, BOTH)
    wire.execute(devbox, "true", shell_name="s")
    rows = wire.get(f"{devbox}/logs", execution_id=view["execution_id"])["logs"]
    assert {view["execution_id"]} == {row["cmd_id"] for row in rows}
    assert [BOTH] == [row["cmd"] for row in rows if "cmd" in row]
    assert ["to stdout", "to stderr"] == [row["message"] for row in rows if "message" in row]
    assert [3] == [row["exit_code"] for row in rows if "exit_code" in row]
    rows = wire.get(f"{devbox}/logs", shell_name="s")["logs"]
    assert ["true"] == [row["cmd"] for row in rows if "cmd" in row]
