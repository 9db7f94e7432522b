"""Wrong arguments ended in an internal error, were sent, or were repeated in an error of megabytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime import Buntime, Session, SessionPool
from buntime.transport import FakeTransport, MiddlewareTransport, Request, Response
from tests.support.cases import in_one_test

HUGE = 10**400
"""An int that is larger than each float."""
LONG = "x" * 100_000


def _nothing(session: Session, item: object) -> None: ...


def _in_pool(client: Buntime, call: Callable[[SessionPool], Any]) -> None:
    with SessionPool(client, 1) as pool:
        call(pool)


@in_one_test(
    ("call", "error", "text"),
    [
        (lambda s, c: s.files.watch(timeout=HUGE), ValueError, "timeout"),
        (lambda s, c: s.wait_for_port(80, timeout=HUGE), ValueError, "timeout"),
        (lambda s, c: s.execute("1", timeout=HUGE), ValueError, "timeout"),
        (lambda s, c: SessionPool(c, max_wait=HUGE), ValueError, "max_wait"),
        (lambda s, c: s.fetch(80, method="POST", body="\ud800"), ValueError, "body has a lone surrogate"),
        (lambda s, c: s.fetch(80, LONG), ValueError, "path must begin with '/'"),
        (lambda s, c: s.fetch(80, method=""), ValueError, "method"),
        (lambda s, c: s.fetch(80, method="G\0T"), ValueError, "method"),
        (lambda s, c: s.fetch(80, headers=False), TypeError, "headers must be a mapping"),
        (lambda s, c: s.fetch(80, headers={"a b": "c"}), ValueError, "headers"),
        (lambda s, c: s.fetch(80, headers={"a": "b\r\nc: d"}), ValueError, "headers"),
        (lambda s, c: s.fetch(80, headers={"a": "日"}), ValueError, "headers"),
        (lambda s, c: s.wait_for_http(80, status=600), ValueError, "status"),
        (lambda s, c: s.repl().eval("1", on_stdout=True), TypeError, "on_stdout must be callable"),
        (lambda s, c: s.repl().call("f", on_stderr=5), TypeError, "on_stderr must be callable"),
        (lambda s, c: s.snapshot(io.StringIO()), TypeError, "path must be a binary file"),
        (lambda s, c: s.snapshot(Path(__file__).parent), IsADirectoryError, "regression"),
        (lambda s, c: s.restore(io.StringIO("a")), TypeError, "path must be a binary file"),
        (lambda s, c: _in_pool(c, lambda pool: pool.map(LONG, [])), TypeError, "function"),  # type: ignore[arg-type]  # wrong
        (lambda s, c: _in_pool(c, lambda pool: pool.map(_nothing, [], progress=LONG)), TypeError, "progress"),  # type: ignore[arg-type]  # wrong
        (lambda s, c: _in_pool(c, lambda pool: pool.executor().submit(None)), TypeError, "fn"),  # type: ignore[arg-type]  # wrong
    ],
)
def test_refused(call: Callable[[Session, Buntime], object], error: type[Exception], text: str) -> None:
    """The error names the argument in a few words, and nothing is sent."""
    sent: list[str] = []

    def count(request: Request, send: Callable[[Request], Response]) -> Response:
        sent.append(request.path)
        return send(request)

    client = Buntime("key", transport=MiddlewareTransport(FakeTransport(), count))
    with client, client.sessions.create() as session:
        sent.clear()
        with pytest.raises(error, match=text) as caught:
            call(session, client)
        assert [] == sent
        assert len(str(caught.value)) < 1000
