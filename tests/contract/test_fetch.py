"""Requests to a server in a session, through the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import ConflictError, ResourceLimitError, ServerError, Session, WaitTimeoutError
from tests.contract.test_processes import free_port
from tests.contract.transports import SHARES_PORTS, Services

SERVER = """let requests = 0;
const server = Bun.serve({
  port: Number(process.env.PORT),
  hostname: "127.0.0.1",
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/ready") return new Response("", { status: ++requests < 3 ? 503 : 204 });
    if (pathname === "/moved") return Response.redirect("http://example.invalid/", 302);
    if (pathname === "/large") return new Response("x".repeat(4 * 1024 * 1024 + 1));
    if (pathname === "/slow") return Bun.sleep(60_000).then(() => new Response());
    const sent = Buffer.from(await request.arrayBuffer()).toString("hex");
    const headers = new Headers({ "X-Mine": request.headers.get("x-mine") ?? "" });
    headers.append("Set-Cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    return Response.json({ method: request.method, path: pathname + search, sent }, { status: 201, headers });
  },
});
console.log(server.port);
"""


@pytest.fixture(scope="module")
def services(services: Services) -> Services:
    """Return services that run programs."""
    return services.without_fake()


@pytest.fixture
def port(session: Session, transport_name: str) -> Iterator[int]:
    """Return the port of a server in the session."""
    if transport_name.endswith("fake"):
        pytest.skip("a fake has no servers")
    # Bun chooses a shared port: another program could take one that was free before.
    server_port = 0 if transport_name in SHARES_PORTS else 3000
    with session.start(SERVER, env={"PORT": str(server_port)}) as process:
        port = int(next(process.follow()).text)
        session.wait_for_http(port, "/ready", status=204, timeout=60)
        yield port


def test_a_server_is_reached_through_the_session(session: Session, port: int) -> None:
    """With method, headers and bytes; the response has those of the server."""
    body = bytes(range(256)) * 100
    response = session.fetch(port, "/a?b=%20c", method="put", headers={"X-Mine": "me"}, body=body)
    assert {"method": "PUT", "path": "/a?b=%20c", "sent": body.hex()} == response.json()
    assert (201, "me", "a=1, b=2") == (
        response.status,
        response.headers["x-mine"],
        response.headers["set-cookie"],
    )
    assert (302, "http://example.invalid/") == (
        (moved := session.fetch(port, "/moved")).status,
        moved.headers["location"],
    )
    assert "" == session.fetch(port, "/x", method="HEAD").text
    with pytest.raises(ResourceLimitError, match="more than 4194304 bytes"):
        session.fetch(port, "/large")
    with pytest.raises(WaitTimeoutError, match="GET /slow") as slow:
        session.fetch(port, "/slow", timeout=0.2)
    assert slow.value.maybe_executed
    with pytest.raises(WaitTimeoutError, match="the last response had the status 302"):
        session.wait_for_http(port, "/moved", timeout=1)


def test_a_server_that_does_not_listen(session: Session, transport_name: str) -> None:
    """The error names the request."""
    if transport_name.endswith("fake"):
        with pytest.raises(ServerError, match="A fake has no servers"):
            session.fetch(3000)
        return
    with free_port(transport_name) as port:
        with pytest.raises(
            ConflictError, match=f"POST / on the session's 127.0.0.1:{port} failed"
        ) as refused:
            session.fetch(port, method="POST", body="text")
        with pytest.raises(WaitTimeoutError, match="nothing responds"):
            session.wait_for_http(port, timeout=0.1)
    assert ("no_response", False) == (refused.value.code, refused.value.maybe_executed)
