"""Types of the client. Checked by mypy and pyright, never run.

A line that must be an error has an ignore comment: mypy reports an unused one.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from typing_extensions import assert_type

from buntime import (
    APIResponse,
    Buntime,
    BuntimeError,
    ExecuteRequest,
    ExecuteResult,
    ExecuteStream,
    ExecutionFailedError,
    FileInfo,
    KillResult,
    Process,
    ProcessLogs,
    RateLimit,
    RateLimitError,
    ResourceLimits,
    Session,
    SessionFileNotFoundError,
    SessionInfo,
    StreamEvent,
    TransferResult,
    WriteResult,
)


def _note(error: BuntimeError, attempt: int) -> None:
    assert_type(error.code, Optional[str])
    assert_type(attempt, int)


def construction() -> None:
    """Every option, and invalid ones."""
    Buntime("key", base_url="x", timeout=None, deadline=1, max_retries=0, retry_delay=0.5, on_retry=_note)
    Buntime(api_key=None, headers={"A": "b"}, delete_on_close=True, max_output=None)
    Buntime(timeout="30")  # type: ignore[arg-type]  # expected: a number of seconds
    Buntime(max_retry=1)  # type: ignore[call-arg]  # expected: no such option
    Buntime("key", "url")  # type: ignore[call-arg]  # expected: keywords only
    Buntime(on_retry=lambda error: None)  # type: ignore[arg-type, misc]  # expected: two arguments
    Buntime(transport="local")  # type: ignore[arg-type]  # expected: a transport


def calls(client: Buntime) -> None:
    """The type of each result."""
    assert_type(client.sessions.create(ttl=300, metadata={"a": [1]}), Session)
    assert_type(client.sessions.create(resource_limits=ResourceLimits(memory=1)), Session)
    assert_type(client.sessions.info("ses_1"), SessionInfo)
    assert_type(client.sessions.attach("ses_1"), Session)
    assert_type(client.execute(session_id="ses_1", code="1"), ExecuteResult)
    assert_type(client.execute(ExecuteRequest("1", session_id="ses_1")), ExecuteResult)
    assert_type(client.stream(session_id="ses_1", command="ls"), ExecuteStream)
    assert_type(client.kill(session_id="ses_1", pid=1), KillResult)
    assert_type(client.files.write(session_id="ses_1", path="a", content="b"), WriteResult)
    assert_type(client.files.read(session_id="ses_1", path="a"), str)
    assert_type(client.files.list(session_id="ses_1"), list[FileInfo])
    assert_type(client.files.list(session_id="ses_1", recursive=True), list[FileInfo])
    assert_type(client.files.read_bytes(session_id="ses_1", path="a"), bytes)
    assert_type(client.files.stat(session_id="ses_1", path="a"), FileInfo)
    assert_type(client.files.exists(session_id="ses_1", path="a"), bool)
    assert_type(client.files.upload(session_id="ses_1", local="a", remote="a"), TransferResult)
    assert_type(client.request("GET", "/x", params={"a": 1}), APIResponse)
    assert_type(client.rate_limit, Optional[RateLimit])
    assert_type(client.with_options(timeout=None, on_retry=None), Buntime)
    client.execute("1", session_id="ses_1")  # type: ignore[call-overload]  # expected: an ExecuteRequest
    client.execute(session_id="ses_1", cod="1")  # type: ignore[call-overload]  # expected: no such argument
    client.sessions.create(ttl="1h")  # type: ignore[arg-type]  # expected: whole seconds
    client.files.read("ses_1", "a")  # type: ignore[call-arg]  # expected: keywords only
    client.files.write(session_id="ses_1", path="a", content=1)  # type: ignore[arg-type]  # expected: content


def session(client: Buntime) -> None:
    """A session, its result, its stream."""
    with client as entered, entered.sessions.create() as here:
        assert_type(entered, Buntime)
        assert_type(here, Session)
        assert_type(here.id, str)
        assert_type(here.expires_at, Optional[datetime])
        assert_type(here.resource_limits, Optional[ResourceLimits])
        result = here.execute("1", files={"a": "b"}, env={"A": "b"}, timeout=5, check=True)
        assert_type(result.stdout, str)
        assert_type(result.exit_code, Optional[int])
        assert_type(result.files_written, Optional[tuple[str, ...]])
        assert_type(result.check(), ExecuteResult)
        assert_type(result.json(), Any)
        assert_type(here.files.list("src"), list[FileInfo])
        with open("local.bin", "rb") as file:
            for content in ("text", b"bytes", bytearray(1), Path("local.bin"), file, [b"a"], iter([b"a"])):
                assert_type(here.files.write("a", content), WriteResult)
        here.files.write("a", ["text"])  # type: ignore[list-item]  # expected: pieces of bytes
        with open("local.txt") as text:
            here.files.write("a", text)  # type: ignore[arg-type]  # expected: a binary file
        got = here.files.download("a", Path("b"), ignore=["*.log"], progress=lambda done, total, name: None)
        assert_type(got, TransferResult)
        assert_type(got.transferred, tuple[str, ...])
        here.execute("1", files=[{"path": "a", "content": "b"}])
        here.execute("1", session_id="ses_1")  # type: ignore[call-overload]  # expected: the session's own id
        here.execute("1", env={"A": 1})  # type: ignore[dict-item]  # expected: strings
        with here.stream(command="ls") as stream:
            for event in stream:
                assert_type(event, StreamEvent)
            assert_type(stream.result, ExecuteResult)
        with here.start(command="sleep 1", env={"A": "b"}) as process:
            assert_type(process, Process)
            assert_type(process.wait(timeout=1.5), int)
            assert_type(process.exit_code, Optional[int])
            assert_type(process.logs(1, stderr_offset=2), ProcessLogs)
            assert_type(list(process.follow()), list[StreamEvent])
        assert_type(here.processes(), list[Process])
        here.start("1", timeout=5)  # type: ignore[call-overload]  # expected: has no time limit
    result.stdout = ""  # type: ignore[misc]  # expected: values are frozen


def errors() -> None:
    """The attributes of each error class."""
    try:
        Buntime()
    except SessionFileNotFoundError as error:
        assert_type(error.code, Optional[str])
        caught: FileNotFoundError = error
        str(caught.filename)
    except RateLimitError as error:
        assert_type(error.retry_after, Optional[float])
        assert_type(error.rate_limit, Optional[RateLimit])
    except ExecutionFailedError as error:
        assert_type(error.result, Optional[ExecuteResult])
    except BuntimeError as error:
        assert_type(error.maybe_executed, bool)
        assert_type(error.attempts, int)
