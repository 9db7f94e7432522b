"""The watcher of a process with standard input lived up to 20 s longer than the process."""

from __future__ import annotations

from buntime import Buntime
from buntime.transport import LocalTransport

_WAIT = """
watcher=$(sed 's/.*"watcher":{"pid":\\([0-9]*\\).*/\\1/' .buntime/processes/1/state)
for i in $(seq 200); do kill -0 $watcher 2>/dev/null || exec echo ended; sleep 0.05; done
echo alive
"""


def test_process_with_input_ends_late() -> None:
    """The watcher ends with the process, so that leaving the block does not wait for it."""
    with Buntime(transport=LocalTransport()) as client, client.sessions.create() as session:
        process = session.start(command="cat", stdin=True)
        process.write("read")
        process.close_stdin()
        assert 0 == process.wait()
        assert "ended\n" == session.execute(command=_WAIT).stdout
