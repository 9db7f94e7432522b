"""A rehearsal of replay with the secrets of a recording, before it is saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buntime.cassette.bindings import Bindings
from buntime.cassette.file import Interaction
from buntime.cassette.secrets.placeholders import PLACEHOLDER, split_form
from buntime.cassette.secrets.redactor import Redactor
from buntime.cassette.secrets.walk import NAME_OF_TEST, Walk


def shown_early(interactions: Iterable[tuple[int, Interaction]], redactor: Redactor) -> Iterator[str]:
    """Yield the secrets that a response shows before replay learns them from a request, and where.

    Those that the service named first, and credentials, are not among them. The interactions are those that
    have secrets, each with its number in the recording; ids that contain a secret are numbers in them.
    """
    recorded, replayed = Bindings(), Bindings()
    for placeholder, value in redactor.sent():
        recorded.match({"text": placeholder}, {"text": value})
        if not placeholder.startswith(("«env:", "«value:")):
            replayed.match({"text": placeholder}, {"text": value})
    texts: list[tuple[str, str]] = []

    def note(text: str, location: str, _: bool) -> None:
        if "«" in text and location != NAME_OF_TEST:  # that is not sent
            texts.append((location, text))

    for number, item in interactions:
        texts.clear()
        Walk(spans_in=note)(item.data)
        request = [text for location, text in texts if location.startswith("request")]
        replayed.match({"texts": request}, {"texts": recorded.fill(request)})
        for location, text in texts[len(request) :]:
            for each in PLACEHOLDER.findall(text):
                secret, _ = split_form(each)
                is_known = replayed.value_of(each) == recorded.value_of(each)
                if not is_known and not secret.startswith(redactor.allow):
                    what = f"interaction {number}, {item.description}"
                    yield f"{what}, holds {secret} before a request does ({location})"
