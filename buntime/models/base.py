"""The methods that all values share."""

# Annotations are not strings here: to resolve them would take half of the time of importing this module.

from typing import Any

import attrs


class Value:
    """A base class with one ``repr`` for all: one that attrs generates doubles the cost of importing a class.

    It also works for a value whose construction failed, which error reporters show.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        kind: Any = type(self)
        fields = attrs.fields(kind)
        texts = [
            f"{field.name}={(field.repr if callable(field.repr) else repr)(getattr(self, field.name))}"
            for field in fields
            if field.repr and hasattr(self, field.name)
        ]
        return f"{type(self).__name__}({', '.join(texts)})"


def unknown_fields() -> Any:
    """Return the field ``extra``: what this version of the client does not know."""
    return attrs.field(factory=dict, repr=False, eq=False, kw_only=True)


def body_size(body: bytes) -> str:
    """Return the size of bytes, for a ``repr``."""
    return f"<{len(body)} bytes>"
