"""How a secret may stand in a text: as it is, or as programs encode it."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterator
from typing import Callable, Optional
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_DEEPEST = 3
"""How many times over a text is looked for as a part of JSON."""
_SHORTEST_PART = 4
"""Characters of a secret that was cut by which it is known."""
_LONGEST_CUT = 256
"""Up to which character of a secret a cut is looked for."""
_SHORTEST_OF_BASE64 = 6
"""Characters of base64 that a secret must determine; fewer are in every file."""

_PERCENT = re.compile("%[0-9A-F]{2}")

_Encode = Callable[[str], str]
_Decode = Callable[[str], Optional[str]]


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


def _from_json(text: str) -> Optional[str]:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return None


def _base64_at(offset: int, alphabet: Optional[bytes]) -> _Encode:
    """Return what encodes the characters that a text determines wholly, ``offset`` bytes after others."""

    def encode(text: str) -> str:
        data = bytes(offset) + text.encode("utf-8", "surrogatepass")
        whole = slice(-(-offset * 8 // 6), len(data) * 8 // 6)
        return base64.b64encode(data, alphabet).decode()[whole]

    return encode


def _hex(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").hex()


def _hex_in_capitals(text: str) -> str:
    return _hex(text).upper()


def _from_hex(text: str) -> Optional[str]:
    try:
        return bytes.fromhex(text).decode("utf-8", "surrogatepass")
    except ValueError:
        return None


def _quoting(safe: str) -> _Encode:
    return lambda text: quote(text, safe=safe, errors="surrogatepass")


def _url_in_small_letters(text: str) -> str:
    """Encode as some servers do; RFC 3986 has the digits in capitals."""
    return _PERCENT.sub(lambda found: found.group().lower(), quote(text, safe="", errors="surrogatepass"))


def _json_for_html(text: str) -> str:
    return _json(text).replace("/", "\\/")


def _params(text: str) -> str:
    """Encode as URLSearchParams does."""
    return quote(text, safe="* ", errors="surrogatepass").replace("~", "%7E").replace(" ", "+")


def _unquoted(text: str) -> str:
    return unquote(text, errors="surrogatepass")


def _nothing(_text: str) -> None:
    return None


_BASE64: dict[str, tuple[_Encode, _Decode]] = {
    f"{name}.{offset}" if offset else name: (_base64_at(offset, alphabet), _nothing)
    for name, alphabet in (("base64", None), ("base64url", b"-_"))
    for offset in range(3)
}
_STEPS: dict[str, tuple[_Encode, _Decode]] = {
    "json": (_json, _from_json),
    "ascii": (_ascii, _from_json),
    "url": (_quoting(""), _unquoted),
    "path": (_quoting("/"), _unquoted),
    "component": (_quoting("!'()*"), _unquoted),
    "uri": (_quoting(";,/?:@&=+$!'()*#"), _unquoted),
    "form": (lambda text: quote_plus(text, errors="surrogatepass"), unquote_plus),
    "params": (_params, unquote_plus),
    "hex": (_hex, _from_hex),
    "hex.upper": (_hex_in_capitals, _from_hex),
    "url.lower": (_url_in_small_letters, _unquoted),
    "json.html": (_json_for_html, _from_json),
    **_BASE64,
}


_STEP = "|".join([r"(?:first|after)\.[0-9]+", *map(re.escape, sorted(_STEPS, key=len, reverse=True))])
FORM = rf"\|(?:{_STEP})(?:\+(?:{_STEP}))*"
"""What follows the name of a secret in its placeholder where it does not stand there as it is."""


_ONCE = (
    *("url", "path", "component", "uri", "form", "params", "url.lower"),
    *("hex", "hex.upper", "json.html"),
)
"""Forms that are not looked for inside of others."""


def _chains() -> Iterator[tuple[str, ...]]:
    for depth in range(_DEEPEST + 1):
        yield from itertools.product(("json", "ascii"), repeat=depth)
    yield from ((name,) for name in _ONCE)
    yield from itertools.product(("json", "ascii"), _BASE64)
    yield from ((name,) for name in _BASE64)


_FORMS = tuple(sorted(map("+".join, _chains()), key=lambda form: form.count("+")))


def forms(value: str) -> dict[str, str]:
    """Return the texts that a secret may stand as, each with the name of its form: empty for itself."""
    found: dict[str, str] = {}
    for form in _FORMS:
        text = encoded(value, form)
        if "base64" not in form or len(text) >= _SHORTEST_OF_BASE64:
            found.setdefault(text, form)
    return found


def cut(value: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the two parts of a secret that was cut, wherever that was.

    Each is a text, the name of its form, and whether it is the first part, which ends a text.
    """
    for count in range(1, min(len(value), _LONGEST_CUT)):
        # What ends a piece ends a group of three bytes, and what begins one begins a group.
        offset = -len(value[:count].encode("utf-8", "surrogatepass")) % 3
        for form in (
            *(f"first.{count}{step}" for step in ("", "+json", "+ascii", f"+base64.{offset}")),
            *(f"after.{count}{step}" for step in ("", "+json", "+ascii", "+base64.0")),
        ):
            text = encoded(value, form := form.replace("base64.0", "base64"))
            if len(text) >= (_SHORTEST_OF_BASE64 if "base64" in form else _SHORTEST_PART):
                yield text, form, form.startswith("first")


def encoded(value: str, form: str) -> str:
    """Return a text in one of the forms; ``first.3`` is its first three characters, ``after.3`` the rest."""
    for step in filter(None, form.split("+")):
        kind, _, count = step.partition(".")
        if kind == "first":
            value = value[: int(count)]
        elif kind == "after":
            value = value[int(count) :]
        else:
            value = _STEPS[step][0](value)
    return value


def decoded(text: str, form: str) -> Optional[str]:
    """Return the text of which this is a form; ``None`` where it is none, or cannot be told from it."""
    for step in filter(None, reversed(form.split("+"))):
        value = _STEPS[step][1](text) if step in _STEPS else None
        if value is None:
            return None
        text = value
    return text


_SHORTEST_RUN = 24
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST_RUN},}}")
_STANDARD = str.maketrans("-_", "+/")


def base64_runs(text: str) -> Iterator[str]:
    """Yield what the pieces of a text that could be base64 would be, each byte as a character."""
    for run in _RUN.findall(text) if len(text) >= _SHORTEST_RUN else ():
        whole = run[:-1] if len(run) % 4 == 1 else run
        data = whole.translate(_STANDARD) + "=" * (-len(whole) % 4)
        yield base64.b64decode(data).decode("latin-1")
