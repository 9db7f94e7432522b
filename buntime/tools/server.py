"""The tools as an MCP server, on the package ``mcp``: one sandbox for each conversation."""

from __future__ import annotations

import base64
import itertools
import mimetypes
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any, Optional, Union
from urllib.parse import quote, unquote

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from buntime._support.log import logger
from buntime._version import __version__
from buntime.client.session import Session
from buntime.errors import BuntimeError, SessionNotFoundError
from buntime.runloop.devbox import Devbox
from buntime.tools import dispatcher
from buntime.tools.definitions import mcp_tools
from buntime.tools.sandbox import Sandbox

OpenSandbox = Callable[[], AbstractContextManager[Union[Session, Devbox]]]

_SCHEME = "workspace:///"
_TEMPLATE = {"uriTemplate": f"{_SCHEME}{{+path}}", "name": "file", "description": "A file of the workspace"}
_MOST_BYTES = 1_000_000
"""Bytes of a resource."""
_RESOURCE_SECONDS = 60.0
_PROGRESS_INTERVAL = 0.5
_PROGRESS_CHARACTERS = 1000
_INTERRUPTS = 20


class _Conversation:
    """The sandbox of a conversation, which its first use opens."""

    def __init__(self, open_sandbox: OpenSandbox) -> None:
        self._open = open_sandbox
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._sandbox: Union[Session, Devbox, None] = None
        self._is_closed = False
        self._calls = itertools.count(1)

    def open(self, seconds: float) -> Sandbox:
        """Return the sandbox for a call; a session that has expired is an error once, and then replaced."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the conversation has ended")
            if isinstance(self._sandbox, Session) and self._sandbox.remaining == 0:
                self._sandbox = None
                self._stack.close()
                raise SessionNotFoundError("the session expired with its files; the next call starts another")
            if self._sandbox is None:
                self._sandbox = self._stack.enter_context(self._open())
            return dispatcher.open_sandbox(self._sandbox, seconds, str(next(self._calls)))

    def close(self) -> None:
        """Delete the sandbox. Idempotent."""
        with self._lock:
            self._is_closed = True
            try:
                self._stack.close()
            except BuntimeError as error:
                logger().warning("the sandbox of a conversation was not deleted: %s", error)


class _Call:
    """A call of a tool: it runs in a thread, sends its output as progress, and can be interrupted."""

    def __init__(self, conversation: _Conversation) -> None:
        self._conversation = conversation
        self._sandbox: Optional[Sandbox] = None
        self._began, self._cancelled, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._text = ""
        self._count = 0

    async def run(self, context: Any, params: Any) -> dispatcher.ToolResult:
        """Run the tool; if the request is cancelled, end its program."""
        on_output = self._add_output if "progress_token" in (context.meta or {}) else None

        def run() -> dispatcher.ToolResult:
            self._began.set()
            try:
                limit = dispatcher.DEFAULT_LIMIT
                return dispatcher.run_tool_in(self._open, params.name, params.arguments, limit, on_output)
            finally:
                self._ended.set()

        result = dispatcher.ToolResult("")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._report, context.session)
            try:
                result = await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
            except anyio.get_cancelled_exc_class():
                self._cancelled.set()
                if self._began.is_set():
                    with anyio.CancelScope(shield=True):
                        await anyio.to_thread.run_sync(self._interrupt)
                raise
            tasks.cancel_scope.cancel()
        return result

    def _open(self, seconds: float) -> Sandbox:
        self._sandbox = self._conversation.open(seconds)
        if self._cancelled.is_set():
            raise RuntimeError("the request was cancelled")
        return self._sandbox

    def _add_output(self, text: str) -> None:
        with self._lock:
            self._text = (self._text + text)[-_PROGRESS_CHARACTERS:]
            self._count += len(text)

    async def _report(self, session: Any) -> None:
        while True:
            await anyio.sleep(_PROGRESS_INTERVAL)
            with self._lock:
                text, self._text = self._text, ""
            if text:
                await session.report_progress(self._count, message=text)

    def _interrupt(self) -> None:
        # Repeated, because the program may not have started when the request is cancelled.
        for _ in range(_INTERRUPTS):
            with suppress(BuntimeError, RuntimeError):
                if self._sandbox is not None:
                    self._sandbox.interrupt()
            if self._ended.wait(0.5):
                return


class _Handlers:
    """The handlers of the requests, and the conversations that have not ended."""

    def __init__(self, open_sandbox: OpenSandbox) -> None:
        self._open = open_sandbox
        self._over_stdio = _Conversation(open_sandbox)
        self._over_http: dict[Any, _Conversation] = {}

    def close(self) -> None:
        """End all conversations."""
        for conversation in (self._over_stdio, *self._over_http.values()):
            conversation.close()

    def _conversation(self, context: Any) -> _Conversation:
        """Return the conversation of a request: over stdio there is one, over HTTP one a connection."""
        if context.request is None:
            return self._over_stdio
        # The package has no public way to the end of a connection, which is the end of the conversation.
        connection = context.session._connection
        if connection not in self._over_http:
            conversation = self._over_http[connection] = _Conversation(self._open)

            async def end() -> None:
                await anyio.to_thread.run_sync(conversation.close)
                del self._over_http[connection]

            connection.exit_stack.push_async_callback(end)
        return self._over_http[connection]

    async def list_tools(self, _context: Any, _params: Any) -> Any:
        return types.ListToolsResult.model_validate({"tools": mcp_tools()})

    async def call_tool(self, context: Any, params: Any) -> Any:
        result = await _Call(self._conversation(context)).run(context, params)
        return types.CallToolResult(content=[types.TextContent(text=result)], is_error=result.is_error)

    async def list_resources(self, context: Any, _params: Any) -> Any:
        conversation = self._conversation(context)
        listing = await _in_thread(lambda: conversation.open(_RESOURCE_SECONDS).list(".", recursive=True))
        files = [
            {"uri": _SCHEME + quote(path), "name": path, "mimeType": _mime_type(path), "size": size}
            for path, size in listing.entries
            if size is not None
        ]
        return types.ListResourcesResult.model_validate({"resources": files})

    async def list_templates(self, _context: Any, _params: Any) -> Any:
        return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": [_TEMPLATE]})

    async def read_resource(self, context: Any, params: Any) -> Any:
        conversation, uri = self._conversation(context), params.uri
        if not uri.startswith(_SCHEME):
            raise MCPError(types.INVALID_PARAMS, f"{uri!r} is not the URI of a file: {_SCHEME}PATH")

        def read() -> tuple[bytes, int]:
            sandbox = conversation.open(_RESOURCE_SECONDS)
            path = dispatcher.inside(unquote(uri[len(_SCHEME) :]), sandbox.root)
            return sandbox.read(path, 0, _MOST_BYTES)

        data, size = await _in_thread(read)
        if size > len(data):
            raise MCPError(
                types.INVALID_PARAMS, f"{uri} has {size} bytes; call the tool read, which reads parts"
            )
        text = dispatcher.decode_text(data, is_start=True, is_end=True)
        content = {"blob": base64.b64encode(data).decode()} if text is None else {"text": text}
        contents = [{"uri": uri, "mimeType": _mime_type(uri), **content}]
        return types.ReadResourceResult.model_validate({"contents": contents})


async def _in_thread(function: Callable[[], Any]) -> Any:
    try:
        return await anyio.to_thread.run_sync(function)
    except (BuntimeError, RuntimeError, ValueError) as error:
        raise MCPError(types.INVALID_PARAMS, str(error)) from None


def _mime_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


async def _require_connection(context: Any, call_next: Any) -> Any:
    """Refuse versions of the protocol that have no connections over HTTP; clients then use an earlier one."""
    if context.request is not None and context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        data = {"supported": [*HANDSHAKE_PROTOCOL_VERSIONS], "requested": context.protocol_version}
        raise MCPError(
            types.UNSUPPORTED_PROTOCOL_VERSION, "a conversation over HTTP begins with initialize", data
        )
    return await call_next(context)


def serve(
    open_sandbox: OpenSandbox, address: Optional[tuple[str, int]], ready: Callable[[str], object]
) -> None:
    """Serve over stdio until its end, or over HTTP at ``address`` until an exception in this thread.

    All sandboxes are deleted at the end. The event loop runs in a daemon thread, and so do its workers: a
    read of stdin cannot be cancelled, and must not prevent the end of a program that a signal ends.
    """
    handlers = _Handlers(open_sandbox)
    server: Server[Any] = Server(
        "buntime",
        version=__version__,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
    )
    require_connection: Any = _require_connection
    server.middleware.append(require_connection)
    listener = None if address is None else socket.create_server(address)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            if listener is None:
                anyio.run(_serve_stdio, server)
            else:
                anyio.run(_serve_http, server, listener, ready)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="buntime-mcp", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(1)
    finally:
        handlers.close()
    if failures:
        raise failures[0]


async def _serve_stdio(server: Server[Any]) -> None:
    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, server.create_initialization_options())


async def _serve_http(server: Server[Any], listener: socket.socket, ready: Callable[[str], object]) -> None:
    import uvicorn

    config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
    host, port = listener.getsockname()[:2]
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/mcp")
    await uvicorn.Server(config).serve(sockets=[listener])
