"""Secrets that are recognised by their names or by how they begin."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {
        *(
            "apikey",
            "auth",
            "authorization",
            "bearer",
            "cookie",
            "cookies",
            "credential",
            "credentials",
            "dsn",
        ),
        *("jwt", "otp", "pass", "passcode", "passphrase", "passwd", "password", "passwords", "pat", "pwd"),
        *("secret", "secrets", "token", "tokens"),
    }
)
_ENDINGS = (
    *("password", "passwd", "passphrase", "passcode", "secret", "token"),
    *("accesskey", "apikey", "encryptionkey", "masterkey", "privatekey", "secretkey", "signingkey", "sshkey"),
)
"""The ends of words that are written as one: PGPASSWORD, accesstoken."""
_KEYS = frozenset({"key", "keys"})
_NOT_SECRET_BEFORE_KEY = frozenset(
    {"cache", "foreign", "idempotency", "partition", "primary", "public", "sort"}
)
_NOT_SECRET = frozenset({"pwd", "oldpwd"})

_KNOWN = {
    "a private key (PEM)": (("-----BEGIN ",), r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "an AWS access key": (("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a Buntime key": (("btk_",), r"\bbtk_[A-Za-z0-9]{16,}"),
    "a GitHub token": (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    ),
    "a GitLab token": (("glpat-",), r"\bglpat-(?=[A-Za-z_-]*[0-9])[\w-]{20,}"),
    "a Google API key": (("AIza",), r"\bAIza[\w-]{35}"),
    "a Google access token": (("ya29.",), r"\bya29\.[\w-]{20,}"),
    "a Hugging Face token": (("hf_",), r"\bhf_[A-Za-z0-9]{30,}"),
    "a JSON web token": (("eyJ",), r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"),
    "an npm token": (("npm_",), r"\bnpm_[A-Za-z0-9]{30,}"),
    # Words joined by hyphens, as in names of CSS classes, are not a key: that has a long run with a digit.
    "an OpenAI or Anthropic key": (("sk-",), r"\bsk-[\w-]{0,200}?(?=[A-Za-z_]{0,80}[0-9])[A-Za-z0-9_]{20}"),
    "a PyPI token": (("pypi-AgE",), r"\bpypi-AgE[\w-]{30,}"),
    "a SendGrid key": (("SG.",), r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    "a Slack token": (("xox",), r"\bxox[abeoprs]-(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{10,}"),
    "a Stripe key": (
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_"),
        r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    ),
}
"""Each well-known kind of key: how it begins, and its whole form."""
_FORMS = [(kind, begins, re.compile(pattern, re.ASCII)) for kind, (begins, pattern) in _KNOWN.items()]
_BEGINNINGS = tuple(beginning for begins, _ in _KNOWN.values() for beginning in begins)
_BEGINNING = re.compile("|".join(map(re.escape, _BEGINNINGS)))
_SHORT = 100
"""Characters up to which one pattern is faster than a search for each of the beginnings."""


@functools.lru_cache(maxsize=1024)
def looks_secret(name: str) -> bool:
    """Whether a value of this name is likely a secret: ``DB_PASSWORD``, ``apiKey``, ``token``."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or "".join(words) in _NOT_SECRET:
        return False
    if not _SECRET_WORDS.isdisjoint(words) or any(word.endswith(_ENDINGS) for word in words):
        return True
    return len(words) > 1 and words[-1] in _KEYS and words[-2] not in _NOT_SECRET_BEFORE_KEY


def known_secrets(text: str, allow: Iterable[str]) -> Iterator[str]:
    """Yield the well-known kinds of key in ``text``, except for keys that begin with a text of ``allow``."""
    if not may_have_key(text):
        return
    for kind, begins, form in _FORMS:
        for beginning in begins:
            # A search for a fixed text is a hundred times faster than a pattern that is tried everywhere.
            for start in occurrences(beginning, text):
                match = form.match(text, start)
                if match and not any(match.group().startswith(allowed) for allowed in allow):
                    yield kind


def may_have_key(text: str) -> bool:
    """Whether ``text`` has the beginning of a well-known key."""
    if len(text) <= _SHORT:
        return _BEGINNING.search(text) is not None
    return any(map(text.__contains__, _BEGINNINGS))


def occurrences(part: str, text: str) -> Iterator[int]:
    """Yield the positions of a part of a text."""
    start = text.find(part)
    while start >= 0:
        yield start
        start = text.find(part, start + 1)
