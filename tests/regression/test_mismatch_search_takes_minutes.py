"""Searching for a mismatch took minutes if a text of the recording contained several secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, CassetteMismatchError
from tests.support.cassettes import record, replay

ENV = {"A_TOKEN": "aaaa-1111-bbbb", "B_TOKEN": "cccc-2222-dddd", "C_TOKEN": "eeee-3333-ffff"}


def _program(body: str, env: dict[str, str]) -> Callable[[Buntime], None]:
    def run(client: Buntime) -> None:
        client.sessions.create().execute(f"run {body}", env=env)

    return run


@pytest.mark.parametrize("env", [ENV, {name: f"other-{name}" for name in ENV}], ids=["same", "other secrets"])
@pytest.mark.parametrize(
    "body", ["let total = 0; " * 10_000, "let total = 0;\n" * 10_000, " ".join(ENV.values()) * 5_000]
)
def test_long_text_with_several_secrets(tmp_path: Path, body: str, env: dict[str, str]) -> None:
    """The error is raised before the time limit of the tests, and its message is short."""
    path = tmp_path / "x.json"
    record(path, _program(" ".join(ENV.values()) + " x", ENV))
    with pytest.raises(CassetteMismatchError) as caught:
        replay(path, _program(body, env))
    assert "body" == caught.value.reason
    assert len(str(caught.value)) < 10_000


def test_long_recording(tmp_path: Path) -> None:
    """The closest interaction is found among many recordings with secrets."""
    path = tmp_path / "x.json"
    count = 500

    def program(last: str) -> Callable[[Buntime], None]:
        def run(client: Buntime) -> None:
            with client.sessions.create() as session:
                for number in range(count):
                    session.execute(f"step({number})", env={"TOKEN": f"token-{number:06}"})
                session.execute(last)

        return run

    record(path, program("the_end()"))
    with pytest.raises(CassetteMismatchError, match=rf"interaction {count + 2} of {count + 3}"):
        replay(path, program("the_end(2)"))


def test_secrets_are_not_in_the_message(tmp_path: Path) -> None:
    """The message contains neither the secrets of the recording nor those of the replaying program."""
    path = tmp_path / "x.json"
    record(path, _program("log(1)", ENV))
    env = {name: f"secret-of-replay-{name}" for name in ENV}
    with pytest.raises(CassetteMismatchError) as caught:
        replay(path, _program(f"log('{env['A_TOKEN']}')", env))
    assert "secret-of-replay" not in str(caught.value)
    assert "«env:A_TOKEN»" in str(caught.value)
