"""Draw the pictures of the guide: ``python docs/pictures.py`` updates the files in ``docs/pictures/``."""

from __future__ import annotations

from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "pictures"

_COLORS = {
    "ours": ("#fff0f5", "#e0457b"),
    "other": ("#eef3fb", "#4a78c2"),
    "good": ("#edf7ed", "#3c8d40"),
    "bad": ("#fdeeee", "#c0392b"),
    "quiet": ("#f4f5f7", "#8a94a0"),
}
_DARK = "#2b2f36"


def box(x: int, y: int, width: int, height: int, lines: str, color: str = "ours") -> str:
    """Return a box with centred lines of text."""
    fill, stroke = _COLORS[color]
    shape = (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{stroke}"/>'
    )
    texts = lines.split("\n")
    top = y + height / 2 + 5 - 8 * (len(texts) - 1)
    middle = x + width / 2
    return shape + "".join(label(middle, top + 16 * n, text, "middle") for n, text in enumerate(texts))


def label(x: float, y: float, text: str, anchor: str = "start") -> str:
    """Return a line of text: the start, middle or end of it is at ``x``."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{_DARK}">{escape(text)}</text>'


def arrow(x1: int, y1: int, x2: int, y2: int, text: str = "", dashed: bool = False) -> str:
    """Return an arrow with a text above its middle."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    ends = f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"'
    line = f'<line {ends} stroke="{_DARK}" marker-end="url(#tip)"{dash}/>'
    return line + (label((x1 + x2) / 2, (y1 + y2) / 2 - 6, text, "middle") if text else "")


def picture(width: int, height: int, *shapes: str) -> str:
    """Return a picture in SVG, readable on light and dark pages."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">'
    )
    tip = '<path d="M0,0 L8,4 L0,8 z" fill="#2b2f36"/>'
    marker = (
        f'<marker id="tip" markerWidth="8" markerHeight="8" refX="8" refY="4" orient="auto">{tip}</marker>'
    )
    ground = '<rect width="100%" height="100%" rx="8" fill="white"/>'
    return "\n".join([head, f"<defs>{marker}</defs>", ground, *shapes, "</svg>\n"])


def transports() -> str:
    """Return a tree of questions that ends at a transport."""
    return picture(
        760,
        300,
        box(280, 16, 200, 44, "Do you test your code?", "quiet"),
        arrow(280, 50, 190, 96),
        label(214, 68, "no"),
        arrow(480, 50, 570, 96),
        label(536, 68, "yes"),
        box(80, 100, 220, 44, "Have an account and a key?", "quiet"),
        box(450, 100, 240, 44, "Must the output be a real one?", "quiet"),
        arrow(130, 144, 100, 206),
        label(84, 178, "yes"),
        arrow(250, 144, 290, 206),
        label(282, 178, "no"),
        arrow(510, 144, 480, 206),
        label(470, 178, "no"),
        arrow(620, 144, 650, 206),
        label(648, 178, "yes"),
        box(20, 210, 160, 66, "HTTPTransport\nbuntime.sh, Runloop,\nbuntime serve"),
        box(210, 210, 160, 66, "LocalTransport\na sandbox\non this machine"),
        box(400, 210, 160, 66, "FakeTransport\nin memory,\nyou script it"),
        box(580, 210, 164, 66, "RecordingTransport\nonce, ReplayTransport\nfrom then on"),
    )


def lifetime() -> str:
    """Return the states of a session."""
    return picture(
        760,
        250,
        arrow(10, 60, 66, 60, "create"),
        box(70, 34, 150, 52, "active\nprocesses run", "good"),
        arrow(220, 60, 306, 60, "5 min"),
        box(310, 34, 150, 52, "idle\nprocesses suspended", "quiet"),
        arrow(460, 60, 546, 60, "30 min"),
        box(550, 34, 190, 52, "deep sleep\nprocesses end, files stay", "quiet"),
        f'<path d="M645,86 V120 H190 M385,86 V120" fill="none" stroke="{_DARK}" stroke-dasharray="5 4"/>',
        arrow(190, 120, 190, 90),
        label(205, 140, "any call wakes it: from idle immediately, from deep sleep in about 3 s"),
        arrow(145, 86, 145, 176),
        box(70, 180, 150, 52, "gone\nits id answers 404", "bad"),
        label(232, 200, "delete(), the end of the with block, or ttl= after its creation:"),
        label(232, 218, "whatever its state, with all of its files"),
    )


def retries() -> str:
    """Return the attempts of two calls on an axis of time."""
    return picture(
        760,
        270,
        label(10, 24, "files.read: repeating it does no harm"),
        box(10, 34, 90, 40, "attempt 1\n503", "bad"),
        arrow(104, 54, 196, 54, "back-off"),
        box(200, 34, 110, 40, "attempt 2\nconnection lost", "bad"),
        arrow(314, 54, 466, 54, "up to twice as long"),
        box(470, 34, 90, 40, "attempt 3\n200", "good"),
        label(572, 58, "the result"),
        label(10, 116, "execute: it may have run"),
        box(10, 126, 90, 40, "attempt 1\n429", "bad"),
        arrow(104, 146, 196, 146, "Retry-After"),
        box(200, 126, 110, 40, "attempt 2\nconnection lost", "bad"),
        label(326, 142, "an error with maybe_executed=True:"),
        label(326, 160, "nothing is sent again, you decide"),
        '<line x1="10" y1="200" x2="740" y2="200" stroke="#8a94a0" marker-end="url(#tip)"/>',
        label(745, 194, "time", "end"),
        '<line x1="655" y1="24" x2="655" y2="206" stroke="#c0392b" stroke-dasharray="5 4"/>',
        label(664, 40, "deadline="),
        label(750, 242, "deadline= bounds all attempts and every byte", "end"),
        label(
            10, 224, "Full jitter below min(30, retry_delay · 2ⁿ) seconds; Retry-After is obeyed up to 60 s."
        ),
    )


def cassettes() -> str:
    """Return the way of a call in the three modes of a test."""
    shapes = []
    for row, (mode, note) in enumerate(
        (
            ("record", "the cassette is written"),
            ("replay", "nothing is sent"),
            ("verify", "both are compared"),
        )
    ):
        y = 20 + row * 84
        replay = mode == "replay"
        shapes += [
            label(10, y + 30, mode),
            box(80, y, 120, 50, "your test"),
            arrow(200, y + 16, 296, y + 16, "request"),
            arrow(296, y + 38, 204, y + 38),
            box(300, y, 130, 50, "cassette", "good"),
            box(
                560, y, 180, 50, "the service, or a\nsandbox on this machine", "quiet" if replay else "other"
            ),
        ]
        if replay:
            shapes.append(label(495, y + 30, note, "middle"))
        else:
            shapes += [
                arrow(430, y + 16, 556, y + 16),
                arrow(556, y + 38, 434, y + 38),
                label(495, y + 60, note, "middle"),
            ]
    return picture(760, 270, *shapes)


PICTURES = {"transports": transports, "lifetime": lifetime, "retries": retries, "cassettes": cassettes}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")
