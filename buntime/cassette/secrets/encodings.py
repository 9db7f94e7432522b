"""The forms in which a secret may stand in a text: as it is, or as programs encode it."""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from itertools import product
from typing import Callable, Optional
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_SHORTEST_BASE64 = 6
"""Characters of base64 that a secret must determine; shorter texts are in every file."""
_bytes = partial(str.encode, errors="surrogatepass")
_text = partial(bytes.decode, errors="surrogatepass")
_percent, _plus, _unquote, _unquote_plus = (
    partial(coder, errors="surrogatepass") for coder in (quote, quote_plus, unquote, unquote_plus)
)


def _json(text: str, *, ascii_only: bool = False) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _from_json(text: str) -> str:
    return str(json.loads(f'"{text}"'))


def _from_hex(text: str) -> str:
    return _text(bytes.fromhex(text))


def _base64(offset: int, alphabet: Optional[bytes], text: str) -> str:
    """Return the characters of base64 that a text determines ``offset`` bytes behind others."""
    data = bytes(offset) + _bytes(text)
    return base64.b64encode(data, alphabet).decode()[-(-offset * 8 // 6) : len(data) * 8 // 6]


_UNCHANGED = {"url": "", "path": "/", "component": "!'()*", "uri": ";,/?:@&=+$!'()*#"}
"""The characters that encoders of URLs leave as they are, apart from letters and digits."""
_STEPS: dict[str, tuple[Callable[[str], str], Optional[Callable[[str], str]]]] = {
    "json": (_json, _from_json),
    "ascii": (partial(_json, ascii_only=True), _from_json),
    "json.html": (lambda text: _json(text).replace("/", "\\/"), _from_json),
    **{form: (partial(_percent, safe=safe), _unquote) for form, safe in _UNCHANGED.items()},
    "form": (_plus, _unquote_plus),
    # As URLSearchParams does.
    "params": (lambda text: _plus(text, safe="*").replace("~", "%7E"), _unquote_plus),
    # As some servers do; RFC 3986 has the digits in capitals.
    "url.lower": (lambda text: re.sub("%..", lambda m: m[0].lower(), _percent(text, safe="")), _unquote),
    # As a body that is not text is read: each byte a character.
    "bytes": (lambda text: _bytes(text).decode("latin-1"), lambda text: _text(text.encode("latin-1"))),
    "hex": (lambda text: _bytes(text).hex(), _from_hex),
    "hex.upper": (lambda text: _bytes(text).hex().upper(), _from_hex),
    **{
        f"{name}.{offset}" if offset else name: (partial(_base64, offset, alphabet), None)
        for name, alphabet in (("base64", None), ("base64url", b"-_"))
        for offset in range(3)
    },
}
"""How a text is encoded and decoded, by the name of the form; nothing decodes a part of base64."""
_STEP = "|".join([r"(?:first|after)\.[0-9]+", *map(re.escape, sorted(_STEPS, key=len, reverse=True))])
FORM = rf"\|(?:{_STEP})(?:\+(?:{_STEP}))*"
"""The end of a placeholder for a form: its steps in their order."""

_JSON = ["json", "ascii"]
_ANY = [form for form in _STEPS if form.startswith(("hex", "base64"))]
_OTHERS = [form for form in _STEPS if form not in {*_JSON, *_ANY}]
"""The forms of any text in JSON, those of any text, and those of a text with other characters."""
_IN_JSON = ["+".join(steps) for depth in (1, 2, 3) for steps in product(_JSON, repeat=depth)]
_JSON_IN_BASE64 = ["+".join(steps) for steps in product(_JSON, (form for form in _ANY if "64" in form))]


def forms(value: str) -> dict[str, str]:
    """Return the texts that a secret may stand as, each with the name of its form: ``""`` for itself."""
    is_escaped = _json(value, ascii_only=True) != value
    names = ["", *_IN_JSON, *_OTHERS, *_ANY, *_JSON_IN_BASE64] if is_escaped else ["", *_OTHERS, *_ANY]
    if value.isascii() and value.isalnum():
        names = ["", *_ANY]  # the other forms are equal to it
    texts: dict[str, str] = {}
    for form in names:
        text = encode(value, form)
        if "base64" not in form or len(text) >= _SHORTEST_BASE64:
            texts.setdefault(text, form)
    return texts


def encode(value: str, form: str) -> str:
    """Return a text in a form; ``first.3`` is its first three characters, ``after.3`` the rest."""
    for step in filter(None, form.split("+")):
        kind, _, count = step.partition(".")
        if kind in {"first", "after"}:
            value = value[: int(count)] if kind == "first" else value[int(count) :]
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
