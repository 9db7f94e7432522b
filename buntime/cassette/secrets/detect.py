"""Secrets that are recognised by their names, by a header, or by the form of a well-known kind of key."""

from __future__ import annotations

import base64
import functools
import re
import string
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from buntime._http import Pairs

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORD = re.compile(
    r"apikey|auth|authorization|bearer|cookies?|credentials?|dsn|jwt|otp|pass|passwords|pat|pwd|secrets|tokens|"
    # Words that are written as one end like this: PGPASSWORD, accesstoken.
    r".*(?:password|passwd|passphrase|passcode|secret|token|"
    r"(?:access|api|encryption|master|private|secret|signing|ssh)key)"
)
_NOT_SECRET_BEFORE_KEY = {"cache", "foreign", "idempotency", "partition", "primary", "public", "sort"}

_KEYS = {
    "a private key (PEM)": ("-----BEGIN", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "an AWS access key": ("AKIA ASIA", r"\bA[KS]IA[A-Z0-9]{16}\b"),
    "a Buntime key": ("btk_", r"\bbtk_[A-Za-z0-9]{16,}"),
    "a GitHub token": ("ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    "a GitHub token of one project": ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{30,}"),
    "a GitLab token": ("glpat-", r"\bglpat-(?=[A-Za-z_-]*[0-9])[\w-]{20,}"),
    "a Google API key": ("AIza", r"\bAIza[\w-]{35}"),
    "a Google access token": ("ya29.", r"\bya29\.[\w-]{20,}"),
    "a Hugging Face token": ("hf_", r"\bhf_[A-Za-z0-9]{30,}"),
    "a JSON web token": ("eyJ", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"),
    "an npm token": ("npm_", r"\bnpm_[A-Za-z0-9]{30,}"),
    # Words joined by hyphens, as in names of CSS classes, are not a key: that has a long run with a digit.
    "an OpenAI or Anthropic key": ("sk-", r"\bsk-[\w-]{0,200}?(?=[A-Za-z_]{0,80}[0-9])[A-Za-z0-9_]{20}"),
    "a PyPI token": ("pypi-AgE", r"\bpypi-AgE[\w-]{30,}"),
    "a SendGrid key": ("SG.", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    "a Slack token": ("xox", r"\bxox[abeoprs]-(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{10,}"),
    "a Stripe key": ("k_live_ k_test_", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
}
"""Each well-known kind of key: texts of which it has one, and its form."""
_FORMS = {kind: re.compile(form, re.ASCII) for kind, (_, form) in _KEYS.items()}
_HINTS = tuple(hint for hints, _ in _KEYS.values() for hint in hints.split())
_SHORT_HINTS = ("-----BEGIN", "AKIA", "ASIA", "btk_", "xox")
"""Those of keys that may have fewer than 22 characters without a space."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}")
"""A part of a text that could be base64; shorter ones are words."""
_WORD_AS_A = bytes.maketrans(f"{string.ascii_letters}{string.digits}+/_-.".encode(), b"a" * 67)


@functools.lru_cache(maxsize=1024)
def looks_secret(name: str) -> bool:
    """Whether a value of this name is likely a secret: ``DB_PASSWORD``, ``apiKey``, ``token``."""
    words = [word.lower() for word in _WORDS.findall(name)]
    is_key = len(words) > 1 and words[-1] in {"key", "keys"} and words[-2] not in _NOT_SECRET_BEFORE_KEY
    is_folder = "".join(words) in {"pwd", "oldpwd"}
    return not is_folder and (is_key or any(map(_SECRET_WORD.fullmatch, words)))


def has_secret_names(value: Any) -> bool:
    """Whether a JSON value has fields that look secret."""
    items: Any = value
    if isinstance(value, dict):
        if any(map(looks_secret, value)):
            return True
        items = value.values()
    elif not isinstance(value, list):
        return False
    for item in items:  # noqa: SIM110 - without a generator, as this is done for each message
        if isinstance(item, (dict, list)) and has_secret_names(item):
            return True
    return False


def credentials(headers: Pairs) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, the value and the name of each credential in a request's headers."""
    for name, value in headers:
        if name.lower() == "authorization":
            yield "api_key", value.partition(" ")[2] or value, ""
        elif name.lower() == "cookie":
            cookies = (part.strip().partition("=") for part in value.split(";"))
            yield from (("cookie", content, cookie) for cookie, _, content in cookies)
        elif looks_secret(name):
            yield "header", value, name


def url_password(value: Any) -> Optional[str]:
    """Return the password in the URL of a database, say: programs take such URLs apart."""
    with suppress(ValueError):
        if isinstance(value, str) and "://" in value:
            return unquote(urlsplit(value).password or "") or None
    return None


def may_have_key(line: str) -> bool:
    """Whether a line of JSON in ASCII may have a well-known key in it, as it is or in base64."""
    words = line.encode("ascii").translate(_WORD_AS_A)
    if b"a" * 22 not in words:  # as in most lines; few kinds of key are shorter
        return any(map(line.__contains__, _SHORT_HINTS))
    return _has_hint(line) or _BASE64.search(line) is not None


def _has_hint(text: str) -> bool:
    # A search for fixed texts is a hundred times faster than patterns that are tried everywhere.
    return any(map(text.__contains__, _HINTS))


def keys_in(text: str, allow: Iterable[str]) -> Iterator[str]:
    """Yield the well-known kinds of key in ``text``, except for keys that begin with a text of ``allow``."""
    for kind, form in _FORMS.items() if _has_hint(text) else ():
        if any(not match.group().startswith(tuple(allow)) for match in form.finditer(text)):
            yield kind


def base64_in(text: str) -> Iterator[str]:
    """Yield the content of the parts of a text that could be base64, each byte as a character."""
    for run in _BASE64.findall(text):
        groups = run[:-1] if len(run) % 4 == 1 else run
        data = groups.replace("-", "+").replace("_", "/") + "=" * (-len(groups) % 4)
        yield base64.b64decode(data).decode("latin-1")
