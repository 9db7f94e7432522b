"""Secrets in a finished cassette: from edits by hand, a merge, or an older release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

import attrs

from buntime._http import Headers, Request
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import Cassette, Interaction, journal_line
from buntime.cassette.secrets.named import named_secrets
from buntime.cassette.secrets.redactor import Redactor


def secrets_in(cassette: Cassette, allow: Iterable[str] = ()) -> Iterator[str]:
    """Yield the locations of secrets in a cassette, in words that do not show them.

    Secrets are well-known keys, except for those that begin with a text of ``allow``, and values that are
    named like secrets and have no placeholder.
    """
    redactor = Redactor(allow)
    for number, interaction in enumerate(cassette.interactions, 1):
        secrets = redactor.blocked(interaction.data, journal_line(number, interaction))
        parts = {"request": interaction.request, "response": interaction.response}
        locations = (location for name, part in parts.items() for location in _named(part, name))
        secrets += [f"a value that is not hidden ({location})" for location in locations]
        yield from (f"interaction {number}, {interaction.call}, holds {secret}" for secret in secrets)


def scrub(cassette: Cassette, env: Mapping[str, str]) -> Cassette:
    """Return a cassette with placeholders for the values of variables, and for values named like secrets."""
    redactor = Redactor()
    for name, value in env.items():
        redactor.secrets.add("env", value, name)
    for item in cassette.interactions:
        request = Request(item.request["method"], item.request["path"])
        redactor.learn_request(request, item.request)
        redactor.learn_outcome(request, item.request, dict(item.data), Headers())
    interactions = tuple(Interaction(redactor.redact(item.data)) for item in cassette.interactions)
    return attrs.evolve(cassette, interactions=interactions)


def _named(message: Optional[Mapping[str, Any]], location: str) -> Iterator[str]:
    """Yield the locations of values that a recording would have replaced for their names."""
    if message is None:
        return
    body = message.get("json")
    parts = [body, *({name: value} for name, value in message.get("query") or ())]
    parts += [event[-1] for event in message.get("events") or ()]
    env = dialect_of(message["path"]).environment(message) if "path" in message else None
    for part in parts:
        yield from (secret.location for secret in named_secrets(part, env, location=location))
