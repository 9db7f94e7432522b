"""A secret was written to a cassette if a program put it into JSON in a URL, or into a URL in a URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable
from urllib.parse import quote, quote_plus

import pytest

from buntime import Buntime
from buntime.transport import FakeTransport
from tests.support.cassettes import record, replay

PASSWORD = 'pa"ss-wörd-99 &/'
OTHER = 'another "one" ü'
COMPONENT = "!'()*"


def in_json(value: str) -> str:
    """Return an object as JavaScript serializes it."""
    return json.dumps({"p": value}, ensure_ascii=False)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "encodeURIComponent of JSON": lambda value: quote(in_json(value), safe=COMPONENT),
    "encodeURI of JSON": lambda value: quote(in_json(value), safe=";,/?:@&=+$!'()*#"),
    "URLSearchParams of JSON": lambda value: quote_plus(in_json(value), safe="*").replace("~", "%7E"),
    "form of JSON in ASCII": lambda value: quote_plus(json.dumps({"p": value})),
    "path of JSON": lambda value: quote(in_json(value)),
    "URL in a URL": lambda value: quote(quote(value, safe=""), safe=""),
    "encodeURIComponent twice": lambda value: quote(quote(value, safe=COMPONENT), safe=COMPONENT),
    "form twice": lambda value: quote_plus(quote_plus(value)),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_in_the_output_of_a_program(encoding: str, tmp_path: Path) -> None:
    """The secret is replaced, and replay returns it, or another secret in the same form."""
    path = tmp_path / "x.json"
    encode = ENCODINGS[encoding]
    transport = FakeTransport()
    transport.on_execute("1", handler=lambda run: f"https://host/?q={encode(run.env['DB_PASSWORD'])}&x")

    def program(password: str) -> Callable[[Buntime], str]:
        def run(client: Buntime) -> str:
            with client.sessions.create() as session:
                return session.execute("1", env={"DB_PASSWORD": password}).stdout

        return run

    assert f"https://host/?q={encode(PASSWORD)}&x" == record(path, program(PASSWORD), transport)
    assert "wörd" not in path.read_text(encoding="utf-8")
    assert "rd-99" not in path.read_text(encoding="utf-8")
    assert f"https://host/?q={encode(PASSWORD)}&x" == replay(path, program(PASSWORD))
    assert f"https://host/?q={encode(OTHER)}&x" == replay(path, program(OTHER))
