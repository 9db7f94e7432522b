"""The forms in which a secret may stand in a text: as it is, or as programs encode it."""

from __future__ import annotations

import base64
import functools
import itertools
import json
import re
from collections.abc import Iterator
from typing import Callable, Optional
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_JSON_DEPTH = 3
"""How many times over a text is looked for as a part of JSON."""
_SHORTEST_BASE64 = 6
"""Characters of base64 that a secret must determine; shorter texts are in every file."""
_SHORTEST_RUN = 24

_Encode = Callable[[str], str]
_Decode = Callable[[str], Optional[str]]


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


def _json_for_html(text: str) -> str:
    return _json(text).replace("/", "\\/")


def _from_json(text: str) -> Optional[str]:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return None


def _hex(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").hex()


def _from_hex(text: str) -> Optional[str]:
    try:
        return bytes.fromhex(text).decode("utf-8", "surrogatepass")
    except ValueError:
        return None


def _bytes(text: str) -> str:
    """Encode as a body that is not text is read: each byte a character."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _from_bytes(text: str) -> Optional[str]:
    try:
        return text.encode("latin-1").decode("utf-8", "surrogatepass")
    except ValueError:
        return None


def _percent(safe: str, text: str) -> str:
    return quote(text, safe=safe, errors="surrogatepass")


def _params(text: str) -> str:
    """Encode as URLSearchParams does."""
    return _percent("* ", text).replace("~", "%7E").replace(" ", "+")


def _percent_in_small_letters(text: str) -> str:
    """Encode as some servers do; RFC 3986 has the digits in capitals."""
    return re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), _percent("", text))


def _form_data(text: str) -> str:
    return quote_plus(text, errors="surrogatepass")


def _base64(offset: int, alphabet: Optional[bytes], text: str) -> str:
    """Return the characters of base64 that a text determines ``offset`` bytes behind others."""
    data = bytes(offset) + text.encode("utf-8", "surrogatepass")
    return base64.b64encode(data, alphabet).decode()[-(-offset * 8 // 6) : len(data) * 8 // 6]


def _unquote(text: str) -> str:
    return unquote(text, errors="surrogatepass")


def _unknown(_text: str) -> None:
    return None


_BASE64: dict[str, tuple[_Encode, _Decode]] = {
    f"{name}.{offset}" if offset else name: (functools.partial(_base64, offset, alphabet), _unknown)
    for name, alphabet in (("base64", None), ("base64url", b"-_"))
    for offset in range(3)
}
_URLS: dict[str, tuple[_Encode, _Decode]] = {
    "url": (functools.partial(_percent, ""), _unquote),
    "path": (functools.partial(_percent, "/"), _unquote),
    "component": (functools.partial(_percent, "!'()*"), _unquote),
    "uri": (functools.partial(_percent, ";,/?:@&=+$!'()*#"), _unquote),
    "form": (_form_data, unquote_plus),
    "params": (_params, unquote_plus),
    "url.lower": (_percent_in_small_letters, _unquote),
}
_STEPS: dict[str, tuple[_Encode, _Decode]] = {
    "json": (_json, _from_json),
    "ascii": (_ascii, _from_json),
    "json.html": (_json_for_html, _from_json),
    "hex": (_hex, _from_hex),
    "hex.upper": (lambda text: _hex(text).upper(), _from_hex),
    "bytes": (_bytes, _from_bytes),
    **_URLS,
    **_BASE64,
}
_STEP = "|".join([r"(?:first|after)\.[0-9]+", *map(re.escape, sorted(_STEPS, key=len, reverse=True))])
FORM = rf"\|(?:{_STEP})(?:\+(?:{_STEP}))*"
"""The end of a placeholder for a form: its steps in their order."""

_PLAIN_FORMS = ("", "hex", "hex.upper", *_BASE64)
"""The forms of a secret of ASCII letters and digits; all others are equal to it."""
_JSON_FORMS = tuple(
    "+".join(steps)
    for depth in range(_JSON_DEPTH + 1)
    for steps in itertools.product(("json", "ascii"), repeat=depth)
)
_BASE64_OF_JSON = tuple(f"{first}+{second}" for first in ("json", "ascii") for second in _BASE64)
_ALL_FORMS = (
    *_JSON_FORMS,
    *_URLS,
    *("json.html", "hex", "hex.upper", "bytes"),
    *_BASE64,
    *_BASE64_OF_JSON,
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
        value = _STEPS[step][1](text) if step in _STEPS else None
        if value is None:
            return None
        text = value
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
