"""A finished interaction of a recording that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import attrs

from buntime._support.packed import Line
from buntime.cassette.file import Interaction, interaction_of
from buntime.cassette.ids import Numbering
from buntime.cassette.secrets.redactor import Redactor

_LARGE = 1 << 16
"""Characters of a line from which on it takes longer to redact it than to read it again."""


@attrs.define
class JournaledInteraction:
    """A finished interaction as its line of the journal: a recording may be long, and bytes cost least."""

    number: int
    thread: int
    test: Optional[str]
    original: Line
    """The line with its secrets, of which a later one is redacted."""
    in_values: bool
    """Whether its secrets are to be looked for in its values; in the line is faster."""
    may_have_key: bool
    """Whether a well-known key may be in it."""
    blocked: Sequence[str] = ()
    """Why it is not in the recording, if so."""
    line: Line = ""
    position: int = -1

    def numbered(self, redactor: Redactor, ids: Numbering) -> Interaction:
        """Return it with its ids numbered; in one that has secrets, both are replaced in one pass."""
        if self.line is self.original:
            return ids.renumber(self.line)
        data = interaction_of(self.original).data
        is_large = not isinstance(self.line, str) or len(self.line) > _LARGE
        if is_large and {**ids.renumber(self.original).data, "request": data["request"]} == data:
            # Its response has no ids, as most have none.
            redacted = redactor.redact({"request": data["request"]}, ids.spans)
            return Interaction({**interaction_of(self.line).data, **redacted})
        return Interaction(redactor.redact(data, ids.spans))
