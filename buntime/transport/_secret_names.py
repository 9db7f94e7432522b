"""What looks like a secret: by its name, or by how it begins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "dsn",
        "jwt",
        "otp",
        "pass",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pat",
        "pwd",
        "secret",
        "secrets",
        "token",
        "tokens",
    }
)
_ENDINGS = (
    *("password", "passwd", "passphrase", "passcode", "secret", "token"),
    *(
        f"{kind}key"
        for kind in ("access", "api", "encryption", "master", "private", "secret", "signing", "ssh")
    ),
)
"""How words end that are written as one: PGPASSWORD, accesstoken."""
_KEYS = frozenset({"key", "keys"})
_NOT_SECRET_BEFORE_KEY = frozenset(
    {"cache", "foreign", "idempotency", "partition", "primary", "public", "sort"}
)
_NOT_SECRET = frozenset({"pwd", "oldpwd"})

_KNOWN = {
    "a private key or certificate (PEM)": r"-----BEGIN [A-Z0-9 ]+-----",
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a Buntime key": r"\bbtk_[A-Za-z0-9]{16,}",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a GitLab token": r"\bglpat-[\w-]{20,}",
    "a Google API key": r"\bAIza[\w-]{35}",
    "a Google access token": r"\bya29\.[\w-]{20,}",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "a JSON web token": r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+",
    "an npm token": r"\bnpm_[A-Za-z0-9]{30,}",
    "an OpenAI or Anthropic key": r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}",
    "a PyPI token": r"\bpypi-[\w-]{30,}",
    "a SendGrid key": r"\bSG\.[\w-]{16,}\.[\w-]{16,}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Stripe key": r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
}
_ANY = re.compile("|".join(f"({pattern})" for pattern in _KNOWN.values()), re.ASCII)
_WHATS = tuple(_KNOWN)


def looks_secret(name: str) -> bool:
    """Whether a value of this name is likely a secret: ``DB_PASSWORD``, ``apiKey``, ``token``."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or "".join(words) in _NOT_SECRET:
        return False
    if not _SECRET_WORDS.isdisjoint(words) or any(word.endswith(_ENDINGS) for word in words):
        return True
    return len(words) > 1 and words[-1] in _KEYS and words[-2] not in _NOT_SECRET_BEFORE_KEY


def known_secrets(text: str, allow: Iterable[str]) -> Iterator[str]:
    """Yield what ``text`` holds of well-known keys, in words; those that begin as ``allow`` says left out."""
    for found in _ANY.finditer(text):
        if not any(found.group().startswith(allowed) for allowed in allow):
            yield _WHATS[(found.lastindex or 1) - 1]
