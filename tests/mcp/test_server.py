"""Conversations of the package's own client with ``buntime mcp``, over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from buntime import Buntime, SessionNotFoundError
from buntime.transport import FakeTransport

pytest.importorskip("mcp.client.client", reason="needs the extra mcp")

from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from buntime.tools import server as mcp_server

_COMMAND = [sys.executable, "-m", "buntime", "mcp", "--local"]
_TOOLS = ["execute_code", "call", "write", "read", "list", "start", "logs"]


@pytest.fixture(scope="module")
def url(temporary_folder: Path) -> Iterator[str]:
    """Serve over HTTP."""
    process = subprocess.Popen(
        [*_COMMAND, "--http", "localhost:0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary_folder)},
    )
    assert process.stderr is not None
    with process.stderr:
        match = re.search(r"http://\S+/mcp", process.stderr.readline())
        assert match is not None
        yield match.group()
        process.terminate()
        assert 128 + signal.SIGTERM == process.wait(60)
        assert "" == process.stderr.read()


def _stdio(*options: str) -> StdioServerParameters:
    return StdioServerParameters(command=_COMMAND[0], args=[*_COMMAND[1:], *options], env=dict(os.environ))


async def _call(client: Client, name: str, **arguments: Any) -> tuple[bool, str]:
    result = await client.call_tool(name, arguments)
    content: Any = result.content[0]
    assert len(content.text) <= 20_000
    return result.is_error, content.text


async def _converse(client: Client) -> None:
    """Write two files, run them, read a result, and reach the limits."""
    assert _TOOLS == [tool.name for tool in (await client.list_tools()).tools]
    await _call(client, "write", path="lib/data.ts", content="export const data = [1, 2, 3];\n")
    main = "import { data } from './lib/data';\nBun.write('sum.txt', `${data.reduce((a, b) => a + b)}`);"
    assert (False, f"wrote {len(main)} bytes to main.ts") == await _call(
        client, "write", path="main.ts", content=main
    )
    assert (False, "exit code 0") == await _call(client, "execute_code", command="bun main.ts")
    assert (False, "6") == await _call(client, "read", path="sum.txt")

    is_error, text = await _call(client, "execute_code", code="while (true);", timeout=1)
    assert is_error
    assert text.startswith("reached its time limit of 1 s")
    _, text = await _call(client, "execute_code", command="head -c 100000000 /dev/zero | tr '\\0' x")
    assert re.search(r"\[\.\.\. 999\d{5} bytes of output left out \.\.\.\]", text)
    is_error, text = await _call(client, "read", path="../../etc/passwd")
    assert is_error
    assert "leads out of the workspace" in text
    assert (await _call(client, "unknown"))[0]


async def _use_resources(client: Client) -> None:
    """List and read files as resources."""
    await _call(client, "execute_code", code="await Bun.write('a b/x.png', new Uint8Array([255, 0]))")
    listed = {resource.uri: resource.size for resource in (await client.list_resources()).resources}
    assert {"workspace:///a%20b/x.png": 2, "workspace:///sum.txt": 1}.items() <= listed.items()
    (template,) = (await client.list_resource_templates()).resource_templates
    assert "workspace:///{+path}" == template.uri_template
    text: Any = (await client.read_resource("workspace:///sum.txt")).contents[0]
    assert ("6", "text/plain") == (text.text, text.mime_type)
    blob: Any = (await client.read_resource("workspace:///a%20b/x.png")).contents[0]
    assert b"\xff\0" == base64.b64decode(blob.blob)
    await _call(client, "execute_code", command="head -c 1000001 /dev/zero > large")
    for path, problem in (("../x", "leads out"), ("none", "no file 'none'"), ("large", "has 1000001 bytes")):
        with pytest.raises(MCPError, match=problem):
            await client.read_resource(f"workspace:///{path}")
    with pytest.raises(MCPError, match="is not the URI of a file"):
        await client.read_resource("file:///etc/passwd")


async def _interrupt(client: Client) -> None:
    """Cancel a program when its output arrives as progress, and see it end; a process of start runs on."""
    _, started = await _call(client, "start", command="sleep 4321")
    number = int(re.findall(r"process (\d+)", started)[0])
    begun = asyncio.Event()
    messages: list[Optional[str]] = []

    async def on_progress(progress: float, total: Optional[float], message: Optional[str]) -> None:
        messages.append(message)
        begun.set()

    program = {"command": "echo begun; sleep 1234", "timeout": 300}
    task = asyncio.create_task(client.call_tool("execute_code", program, progress_callback=on_progress))
    await asyncio.wait_for(begun.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ["begun\n"] == messages
    while "sleep 1234" in (await _call(client, "execute_code", command="pgrep -af '[s]leep'"))[1]:
        await asyncio.sleep(0.1)
    assert "is running" in (await _call(client, "logs", process=number))[1]


def _folders(temporary_folder: Path) -> set[str]:
    """Return the folders of local sessions, without a look into them: one may be deleted meanwhile."""
    return {path.name for path in temporary_folder.glob("buntime-*/ses_*")}


def test_a_conversation_over_stdio(temporary_folder: Path) -> None:
    """It has a session, which is deleted at its end, and the server ends with its standard input."""

    async def run() -> None:
        async with Client(_stdio()) as client:
            await _converse(client)
            await _use_resources(client)
            await _interrupt(client)

    asyncio.run(run())
    assert set() == _folders(temporary_folder)


def test_conversations_over_http(url: str, temporary_folder: Path) -> None:
    """Each has its own session, which is deleted at its end; the server goes on."""

    async def run() -> None:
        async with Client(url) as client, Client(url) as other:
            await _converse(client)
            await _use_resources(client)
            await _interrupt(client)
            assert (False, "[the folder is empty]") == await _call(other, "list")
            assert 2 == len(_folders(temporary_folder))
        while _folders(temporary_folder):
            await asyncio.sleep(0.05)

    asyncio.run(run())


def test_a_version_without_connections(url: str) -> None:
    """It is refused over HTTP, because its requests belong to no conversation."""

    async def run() -> None:
        async with Client(url, mode="2026-07-28") as client:
            await client.list_tools()

    with pytest.raises(Exception, match="TaskGroup") as caught:
        asyncio.run(run())
    assert caught.group_contains(MCPError, match="begins with initialize")


def test_a_devbox() -> None:
    """``--runloop`` has the same tools in a devbox."""

    async def run() -> None:
        async with Client(_stdio("--runloop")) as client:
            await _call(client, "write", path="a.sh", content="echo $((40 + 2)); pwd")
            expected = (False, "exit code 0\nstdout:\n42\n/home/user")
            assert expected == await _call(client, "execute_code", command="bash a.sh")
            await _interrupt(client)

    asyncio.run(run())


def _line(method: str, number: Optional[int] = None, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(message if number is None else {**message, "id": number}).encode() + b"\n"


@pytest.mark.parametrize("ending", ["signal", "vanished"])
def test_the_end_of_a_client(ending: str, temporary_folder: Path) -> None:
    """SIGTERM and the end of standard input end a program that runs, and delete the session."""
    with subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        client = {"name": "test", "version": "1"}
        process.stdin.write(
            _line("initialize", 1, protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
            + _line("notifications/initialized")
            + _line("tools/call", 2, name="start", arguments={"command": "sleep 300"})
        )
        process.stdin.flush()
        assert [1, 2] == [json.loads(process.stdout.readline())["id"] for _ in range(2)]
        running = _line(
            "tools/call", 3, name="execute_code", arguments={"command": "sleep 300", "timeout": 300}
        )
        process.stdin.write(running)
        process.stdin.flush()
        assert 1 == len(_folders(temporary_folder))
        if ending == "signal":
            process.terminate()
            assert 128 + signal.SIGTERM == process.wait(60)
        else:
            process.stdin.close()
            assert 0 == process.wait(60)
    assert set() == _folders(temporary_folder)


def test_a_session_that_expires() -> None:
    """The model is told once; then there is another session. Closing deletes it, also if that fails."""
    fake = FakeTransport()
    with Buntime(transport=fake, max_retries=0) as client:
        conversation = mcp_server._Conversation(lambda: client.sessions.create(ttl=300))
        conversation.open(60).write("a.txt", "a")
        fake.advance(301)
        with pytest.raises(
            SessionNotFoundError, match="expired with its files; the next call starts another"
        ):
            conversation.open(60)
        assert [] == conversation.open(60).list(".", recursive=True).entries
        fake.fail_next(500)
        conversation.close()
        conversation.close()
        with pytest.raises(RuntimeError, match="the conversation has ended"):
            conversation.open(60)


def test_a_port_in_use(url: str) -> None:
    """It is an error before anything is served."""
    port = re.findall(r":(\d+)/", url)[0]
    with pytest.raises(OSError, match="in use"):
        mcp_server.serve(lambda: pytest.fail("opened"), ("127.0.0.1", int(port)), print)
