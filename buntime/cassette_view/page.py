"""The page: one HTML file without a network, whose data cannot become markup or script."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any, Optional

from buntime.cassette.file import Cassette
from buntime.cassette_view.calls import describe_calls

_FOLDER = Path(__file__).parent
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {script_hash}; \
style-src {style_hash}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<body>
<main id="page"><noscript>This page needs JavaScript.</noscript></main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Characters with which the text of a script element could end, or that old parsers take for a new line."""


def render_page(cassette: Cassette, title: str, *, failure: Optional[str] = None) -> str:
    """Return the page of a cassette as HTML.

    Arguments:
        cassette: the recording.
        title: of the page, such as the name of the file.
        failure: the report of a failed test, shown above the calls.
    """
    data: dict[str, Any] = {
        "title": title,
        "changed": cassette.changed.isoformat(),
        "failure": failure,
        "calls": describe_calls(cassette),
    }
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    return _PAGE.format(
        title=html.escape(title),
        script=script,
        script_hash=_hash(script),
        style=style,
        style_hash=_hash(style),
        # Lone surrogates stay escaped: a file of UTF-8 cannot have them.
        data=json.dumps(data).translate(_ESCAPED),
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
