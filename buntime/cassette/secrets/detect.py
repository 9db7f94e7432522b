"""Secrets that are recognised by their names, by a header, or by the form of a well-known kind of key."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Optional
from urllib.parse import unquote

from buntime._support.base64_text import base64_in, may_have_base64
from buntime.cassette.secrets.placeholders import PLACEHOLDER

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORD = re.compile(
    r"apikey|auth|authorization|bearer|cookies?|credentials?|dsn|jwt|otp|pass|passwords|pat|pwd|secrets|tokens|"
    # Words that are written as one end like this: PGPASSWORD, accesstoken.
    r".*(?:password|passwd|passphrase|passcode|secret|token|"
    r"(?:access|api|encryption|master|private|secret|signing|ssh)key)"
)
_URL_PASSWORD = re.compile(r"[\w+.-]+://[^/?#:]*:([^/?#]+)@")
_NOT_SECRET_BEFORE_KEY = {"cache", "foreign", "idempotency", "partition", "primary", "public", "sort"}

_KEYS = {
    "a private key (PEM)": ("-----BEGIN", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "an AWS access key": ("AKI ASI", r"\bA[KS]IA[A-Z0-9]{16}\b"),
    "a Buntime key": ("btk_", r"\bbtk_[A-Za-z0-9]{16,}"),
    "a GitHub token": ("ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    "a GitHub token of one project": ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{30,}"),
    "a GitLab token": ("glpat-", r"\bglpat-(?=[A-Za-z_-]*[0-9])[\w-]{20,}"),
    "a Google API key": ("AIz", r"\bAIza[\w-]{35}"),
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

_HINTS = sorted((hint for hints, _ in _KEYS.values() for hint in hints.split()), key=lambda hint: hint[-1])
# The last letter of a hint is rarer than the first one: to look for it first takes a third of the time.
_HINT = re.compile(
    "|".join(
        f"{re.escape(end)}(?:{'|'.join(f'(?<={re.escape(hint)})' for hint in hints)})"
        for end, hints in groupby(_HINTS, key=lambda hint: hint[-1])
    )
)
_ESCAPE = re.compile(r"\\(?:u....|.)")


@functools.lru_cache(maxsize=1024)
def looks_secret(name: str) -> bool:
    """Whether a value of this name is likely a secret: ``DB_PASSWORD``, ``apiKey``, ``token``."""
    words = [word.lower() for word in _WORDS.findall(PLACEHOLDER.sub("", name))]
    is_key = len(words) > 1 and words[-1] in {"key", "keys"} and words[-2] not in _NOT_SECRET_BEFORE_KEY
    is_folder = "".join(words) in {"pwd", "oldpwd"}
    return not is_folder and (is_key or any(map(_SECRET_WORD.fullmatch, words)))


@functools.lru_cache(maxsize=16)
def plain_names(names: frozenset[str]) -> frozenset[str]:
    """Return the names that do not look secret."""
    return frozenset(name for name in names if not looks_secret(name))


def has_secret_names(value: Any, plain: frozenset[str]) -> bool:
    """Whether a JSON value has fields that look secret; those of ``plain`` do not."""
    if isinstance(value, dict):
        if not plain.issuperset(value) and any(map(looks_secret, value)):
            return True
        value = value.values()
    elif not isinstance(value, list):
        return False
    for item in value:  # noqa: SIM110 - any() and isinstance take twice the time for plain names
        if (type(item) is dict or type(item) is list) and has_secret_names(item, plain):
            return True
    return False


def credentials(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the name for a placeholder and the value of each credential in headers."""
    for name, value in headers:
        if name.lower() == "authorization":
            yield "api_key", value.partition(" ")[2] or value
        elif name.lower() in {"cookie", "set-cookie"}:
            is_sent = name.lower() == "cookie"
            parts = value.split(";") if is_sent else (part.partition(";")[0] for part in value.split(","))
            cookies = (part.strip().partition("=") for part in parts)
            yield from ((f"cookie:{cookie}", content) for cookie, _, content in cookies if content)
        elif looks_secret(name):
            yield f"header:{name}", value


def url_password(value: Any) -> Optional[str]:
    """Return the password in the URL of a database, say: programs take such URLs apart."""
    match = _URL_PASSWORD.match(value) if isinstance(value, str) else None
    return unquote(match[1]) if match else None


def may_have_key(line: str) -> bool:
    """Whether a line of JSON may have a well-known key in it, as it is or in base64."""
    if _HINT.search(line) is not None:
        return True
    return may_have_base64(line) and any(map(_HINT.search, base64_in(_ESCAPE.sub(" ", line))))


def keys_in(text: str, allow: Iterable[str]) -> Iterator[str]:
    """Yield the well-known kinds of key in ``text``, except for keys that begin with a text of ``allow``."""
    for kind, (hints, form) in _KEYS.items() if _HINT.search(text) else ():
        matches = re.finditer(form, text, re.ASCII) if any(map(text.__contains__, hints.split())) else ()
        if any(not match.group().startswith(tuple(allow)) for match in matches):
            yield kind
