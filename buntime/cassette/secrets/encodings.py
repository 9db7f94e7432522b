"""The forms in which a secret may stand in a text: as it is, or as programs encode it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Callable, Optional
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_JSON_DEPTH = 3
"""How many times over a text is looked for as a part of JSON."""
_SHORTEST_BASE64 = 6
"""Characters of base64 that a secret must determine; shorter texts are in every file."""
_SHORTEST_RUN = 24


def _json(text: str, *, ascii_only: bool = False) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _from_json(text: str) -> str:
    return str(json.loads(f'"{text}"'))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _from_utf8(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _percent(safe: str, text: str) -> str:
    return quote(text, safe=safe, errors="surrogatepass")


def _base64(offset: int, alphabet: Optional[bytes], text: str) -> str:
    """Return the characters of base64 that a text determines ``offset`` bytes behind others."""
    data = bytes(offset) + _utf8(text)
    return base64.b64encode(data, alphabet).decode()[-(-offset * 8 // 6) : len(data) * 8 // 6]


_unquote = partial(unquote, errors="surrogatepass")
_unquote_plus = partial(unquote_plus, errors="surrogatepass")
_Step = tuple[Callable[[str], str], Optional[Callable[[str], str]]]
"""How a text is encoded and decoded; nothing decodes a part of base64."""

_BASE64: dict[str, _Step] = {
    f"{name}.{offset}" if offset else name: (partial(_base64, offset, alphabet), None)
    for name, alphabet in (("base64", None), ("base64url", b"-_"))
    for offset in range(3)
}
_OTHERS: dict[str, _Step] = {
    "url": (partial(_percent, ""), _unquote),
    "path": (partial(_percent, "/"), _unquote),
    "component": (partial(_percent, "!'()*"), _unquote),
    "uri": (partial(_percent, ";,/?:@&=+$!'()*#"), _unquote),
    "form": (lambda text: quote_plus(text, errors="surrogatepass"), _unquote_plus),
    # As URLSearchParams does.
    "params": (lambda text: _percent("* ", text).replace("~", "%7E").replace(" ", "+"), _unquote_plus),
    # As some servers do; RFC 3986 has the digits in capitals.
    "url.lower": (lambda text: re.sub("%..", lambda code: code[0].lower(), _percent("", text)), _unquote),
    "json.html": (lambda text: _json(text).replace("/", "\\/"), _from_json),
    "hex": (lambda text: _utf8(text).hex(), lambda text: _from_utf8(bytes.fromhex(text))),
    "hex.upper": (lambda text: _utf8(text).hex().upper(), lambda text: _from_utf8(bytes.fromhex(text))),
    # As a body that is not text is read: each byte a character.
    "bytes": (lambda text: _utf8(text).decode("latin-1"), lambda text: _from_utf8(text.encode("latin-1"))),
}
_JSON: dict[str, _Step] = {
    "json": (_json, _from_json),
    "ascii": (partial(_json, ascii_only=True), _from_json),
}
_STEPS: dict[str, _Step] = {**_JSON, **_OTHERS, **_BASE64}
_STEP = "|".join([r"(?:first|after)\.[0-9]+", *map(re.escape, sorted(_STEPS, key=len, reverse=True))])
FORM = rf"\|(?:{_STEP})(?:\+(?:{_STEP}))*"
"""The end of a placeholder for a form: its steps in their order."""

_PLAIN_FORMS = ("", "hex", "hex.upper", *_BASE64)
"""The forms of a secret of ASCII letters and digits; all others are equal to it."""
_ALL_FORMS = (
    *("+".join(steps) for depth in range(_JSON_DEPTH + 1) for steps in product(_JSON, repeat=depth)),
    *_OTHERS,
    *_BASE64,
    *(f"{first}+{second}" for first in _JSON for second in _BASE64),
)


def forms(value: str) -> dict[str, str]:
    """Return the texts that a secret may stand as, each with the name of its form: ``""`` for itself."""
    texts: dict[str, str] = {}
    for form in _PLAIN_FORMS if value.isascii() and value.isalnum() else _ALL_FORMS:
        text = encode(value, form)
        if "base64" not in form or len(text) >= _SHORTEST_BASE64:
            texts.setdefault(text, form)
    return texts


def encode(value: str, form: str) -> str:
    """Return a text in a form; ``first.3`` is its first three characters, ``after.3`` the rest."""
    for step in filter(None, form.split("+")):
        kind, _, count = step.partition(".")
        if kind == "first":
            value = value[: int(count)]
        elif kind == "after":
            value = value[int(count) :]
        else:
            value = _STEPS[step][0](value)
    return value


def decode(text: str, form: str) -> Optional[str]:
    """Return the text of which this is a form; ``None`` if it is not one, or does not determine the text."""
    for step in filter(None, reversed(form.split("+"))):
        decoder = _STEPS[step][1] if step in _STEPS else None
        if decoder is None:
            return None
        try:
            text = decoder(text)
        except ValueError:
            return None
    return text


_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST_RUN},}}")
_STANDARD = str.maketrans("-_", "+/")


def has_base64(text: str) -> bool:
    """Whether a part of a text could be base64."""
    return _RUN.search(text) is not None


def base64_runs(text: str) -> Iterator[str]:
    """Yield the content of the pieces of a text that could be base64, each byte as a character."""
    for run in _RUN.findall(text) if len(text) >= _SHORTEST_RUN else ():
        groups = run[:-1] if len(run) % 4 == 1 else run
        data = groups.translate(_STANDARD) + "=" * (-len(groups) % 4)
        yield base64.b64decode(data).decode("latin-1")
