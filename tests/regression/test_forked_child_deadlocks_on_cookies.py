"""In a forked child, a user's session deadlocked if a thread of the parent was using the cookie jar."""

from __future__ import annotations

from contextlib import closing

import requests

from buntime.transport import HTTPTransport
from tests.support.exchanges import PATIENT
from tests.support.forks import hold_locks, needs_fork, run_in_fork
from tests.support.loopback import LoopbackServer, reply


@needs_fork
def test_a_forked_child_has_the_cookies() -> None:
    """The child has a copy of the parent's cookies, in a jar with a new lock."""
    setting = reply(200, b"", [("Set-Cookie", "crumb=1")])
    with (
        LoopbackServer(setting) as server,
        requests.Session() as session,
        closing(HTTPTransport(server.url, session=session)) as transport,
    ):
        transport.send(PATIENT).read()
        with hold_locks(vars(session.cookies)["_cookies_lock"]):
            assert "200" == run_in_fork(lambda: transport.send(PATIENT).status)
        assert "crumb=1" == server.requests[1].headers["Cookie"]
