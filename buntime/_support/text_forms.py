"""The forms in which programs write a text: JSON, URLs, base64, hexadecimal digits."""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from typing import Callable, Optional
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_bytes = partial(str.encode, errors="surrogatepass")
_text = partial(bytes.decode, errors="surrogatepass")
_percent, _plus, _unquote, _unquote_plus = (
    partial(coder, errors="surrogatepass") for coder in (quote, quote_plus, unquote, unquote_plus)
)
_encode = json.JSONEncoder(ensure_ascii=False).encode


def _json(text: str) -> str:
    return _encode(text)[1:-1]


def _from_json(text: str) -> str:
    return str(json.loads(f'"{text}"'))


def _base64(offset: int, alphabet: Optional[bytes], text: str) -> str:
    """Return the characters of base64 that a text determines ``offset`` bytes behind others."""
    data = bytes(offset) + _bytes(text)
    return base64.b64encode(data, alphabet).decode()[-(-offset * 8 // 6) : len(data) * 8 // 6]


_UNCHANGED = {"url": "", "path": "/", "component": "!'()*", "uri": ";,/?:@&=+$!'()*#"}
"""The characters that encoders of URLs leave as they are, apart from letters and digits."""
IN_URLS = (*_UNCHANGED, "form", "params")
"""The forms of a text in a URL, of which one may be in another."""
ESCAPES = ("json", "ascii")
"""The forms of a text in JSON, with characters beyond ASCII as they are, or escaped."""
STEPS: dict[str, tuple[Callable[[str], str], ...]] = {
    "json": (_json, _from_json),
    "ascii": (lambda text: json.dumps(text)[1:-1], _from_json),
    "json.html": (lambda text: _json(text).replace("/", "\\/"), _from_json),
    **{form: (partial(_percent, safe=safe), _unquote) for form, safe in _UNCHANGED.items()},
    "form": (_plus, _unquote_plus),
    # As URLSearchParams does.
    "params": (lambda text: _plus(text, safe="*").replace("~", "%7E"), _unquote_plus),
    # As some servers do; RFC 3986 has the digits in capitals.
    "url.lower": (lambda text: re.sub("%..", lambda m: m[0].lower(), _percent(text, safe="")), _unquote),
    # As a body that is not text is read: each byte a character.
    "bytes": (lambda text: _bytes(text).decode("latin-1"), lambda text: _text(text.encode("latin-1"))),
    "hex": (lambda text: _bytes(text).hex(), lambda text: _text(bytes.fromhex(text))),
    "hex.upper": (lambda text: _bytes(text).hex().upper(), lambda text: _text(bytes.fromhex(text))),
    **{
        f"{name}.{offset}" if offset else name: (partial(_base64, offset, alphabet),)
        for name, alphabet in (("base64", None), ("base64url", b"-_"))
        for offset in range(3)
    },
}
"""How a text is encoded, and decoded if the form determines it, by the name of the form."""
