"""The knowledge about a service that cassettes need; the service's ``wire/`` implements it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Optional, Protocol, Union, cast

from buntime._http import Request
from buntime.wire.events import ParsedEvent
from buntime.wire.local_folders import LocalFolders

Message = Mapping[str, Any]
"""A request in the form of a cassette: ``method``, ``path``, ``query``, and ``json`` or another body."""

_SERVICES = ("buntime.wire.dialect", "buntime.runloop.wire.dialect")
"""The modules with a ``DIALECT``, each imported when no one before it serves a path; the first is default."""

NewId = tuple[str, str, Optional[str], Optional[LocalFolders]]
"""The kind of an id, as in ``ses_1``; its value; a URL that is its own; and its folders on this machine."""


class Dialect(Protocol):
    """The meaning of a service's messages."""

    routes: frozenset[str]
    """The paths without an id in them, which hold no secret."""
    fields: frozenset[str]
    """The names of the API, which are not secret even if a secret is the same word."""
    public_fields: frozenset[str]
    """The fields that are named like secrets and have none in them, such as names of secrets."""
    stored_headers: tuple[str, ...]
    """The headers of a response that the client reads."""
    user_fields: frozenset[str]
    """The fields whose content is the user's, so that it has to be the same in each run."""
    returned_fields: frozenset[str]
    """The fields of a response that hold what a program returned, in which no field names a secret."""

    def serves(self, path: str) -> bool:
        """Whether a path is one of the service; a presigned URL is the path of a request with an origin."""
        ...

    def is_volatile(self, name: str) -> bool:
        """Whether a header or a field of a response varies from run to run."""
        ...

    def settled(self, request: Message, body: Any) -> Any:
        """Return the JSON body of a response without what depends on the speed of the service."""
        ...

    def unrecorded_response(self, request: Request) -> Optional[bytes]:
        """Return the response to a request that is not recorded; ``None`` for one that is."""
        ...

    def decode_request(self, request: Message) -> dict[str, Any]:
        """Return a request, readable and without what differs in another run or release."""
        ...

    def decode_response(self, request: Message, body: Any) -> Any:
        """Return a JSON object or events in a form that :meth:`encode_response` restores exactly.

        Other JSON, such as a list, is stored as it is.
        """
        ...

    def encode_response(self, request: Message, body: Any) -> Any:
        """Return the JSON object that :meth:`decode_response` decoded, or some of the events."""
        ...

    def is_creation(self, request: Message) -> bool:
        """Whether a request creates something with an id, which replay has to tell apart."""
        ...

    def new_ids(self, request: Message, body: Any) -> Iterable[NewId]:
        """Return the ids that a response creates."""
        ...

    def version(self, request: Message, body: Any) -> Optional[tuple[object, str]]:
        """Return a file in a response, and the text in it that changes with each change of the file."""
        ...

    def environment(self, request: Message) -> Mapping[str, Any]:
        """Return the environment variables that a request passes to a program."""
        ...

    def response_secrets(self, request: Message, body: Any) -> Iterable[tuple[str, str]]:
        """Return the name and the value of each secret in a response that its field's name does not show."""
        ...

    def is_piece(self, request: Message) -> bool:
        """Whether a request sends or reads a piece of a file or a log, which may cut a secret in two."""
        ...

    def is_pending(self, request: Message, response: Message) -> bool:
        """Return whether a response only asks to send the request again later."""
        ...

    def summary(self, request: Message) -> str:
        """Return a few words on what a request runs, such as a line of code; ``""`` if it runs nothing."""
        ...

    def read_event(self, name: str, data: Union[str, dict[str, Any]]) -> ParsedEvent:
        """Parse an event of a stream, as the client does."""
        ...

    def date_of(self, body: Any) -> Optional[float]:
        """Return the service's time when it sent a response, in seconds, if its fields show it."""
        ...


@functools.lru_cache(1024)
def dialect_of(path: str) -> Dialect:
    """Return the dialect of the service that a request's path belongs to, by default of the first."""
    dialects = (cast(Dialect, import_module(service).DIALECT) for service in _SERVICES)
    first = next(dialects)
    return first if first.serves(path) else next((each for each in dialects if each.serves(path)), first)
