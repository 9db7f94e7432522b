"""Secrets in a finished cassette: from edits by hand, a merge, or an older release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from buntime._http import Headers, Request
from buntime.cassette.file import Cassette, Interaction, journal_line
from buntime.cassette.secrets.redactor import Redactor
from buntime.cassette.secrets.walk import Walk


def secrets_in(cassette: Cassette, allow: Iterable[str] = ()) -> Iterator[str]:
    """Yield the locations of secrets in a cassette, in words that do not show them.

    Secrets are well-known keys, except for those that begin with a text of ``allow``, and values that are
    named like secrets and have no placeholder.
    """
    redactor = Redactor(allow)
    for number, interaction in enumerate(cassette.interactions, 1):
        secrets = redactor.blocked(interaction.data, journal_line(number, interaction.data))

        def note(_kind: str, _name: str, _value: object, location: str, secrets: list[str] = secrets) -> None:
            secrets.append(f"a value that is not hidden ({location})")

        Walk(note)(interaction.data)
        yield from (f"interaction {number}, {interaction.call}, holds {secret}" for secret in secrets)


def scrub(cassette: Cassette, env: Mapping[str, str]) -> Cassette:
    """Return a cassette with placeholders for the values of variables, and for values named like secrets."""
    redactor = Redactor()
    for name, value in env.items():
        redactor.secrets.add("env", value, name)
    for item in cassette.interactions:
        redactor.learn_request(Request(item.request["method"], item.request["path"]), item.request)
        redactor.learn_response(item.data, Headers())
    interactions = tuple(Interaction(redactor.redact(item.data)) for item in cassette.interactions)
    return attrs.evolve(cassette, interactions=interactions)
