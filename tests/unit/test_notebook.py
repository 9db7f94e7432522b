"""The display of values in notebooks, and the cell magic."""

from __future__ import annotations

import base64
import pickle
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Optional

import pytest

import buntime
from buntime import (
    Buntime,
    BuntimeError,
    ExecuteResult,
    ExecutionFailedError,
    FileInfo,
    JavaScriptError,
    Outcome,
    Session,
    SessionNotFoundError,
)
from buntime.notebook import show
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test

HOSTILE = "<script>alert(1)</script><img src=x onerror='f()'>\"'&amp;</pre></td></table>\u202e\0"
_TAGS = {
    "div": (),
    "b": (),
    "pre": ("style",),
    "img": ("alt", "style", "src"),
    "table": (),
    "tr": (),
    "th": (),
    "td": (),
}


class _Checker(HTMLParser):
    """Collects the text; only our tags with our attributes may be there, in pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        assert [name for name, _ in attrs] == [*_TAGS[tag]]
        for name, value in attrs:
            assert not set("<>'&") & set(value or ""), name
            assert name != "src" or (value or "").startswith("data:image/")
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def text_of(value: Any) -> str:
    """Return the text of an object's HTML, which is checked, and at most 50 kB."""
    markup = value if isinstance(value, str) else value._repr_html_()
    checker = _Checker()
    checker.feed(markup)
    checker.close()
    assert [] == checker.open
    assert len(markup) < 50_000
    return "\n".join(checker.texts)


class _Hostile:
    def __repr__(self) -> str:
        return HOSTILE


_ESCAPED = "<script>alert(1)</script><img src=x onerror='f()'>\"'&amp;</pre></td></table>\\u202e\\x00"
VALUES: list[Any] = [
    ExecuteResult(HOSTILE, HOSTILE, 1, 2.5),
    Outcome(HOSTILE, HOSTILE),
    Outcome(_Hostile(), error=ValueError(HOSTILE)),
    FileInfo(HOSTILE, 1, None, "file", target=HOSTILE),
    BuntimeError(HOSTILE),
    JavaScriptError(HOSTILE, name=HOSTILE),
    ExecutionFailedError(HOSTILE, result=ExecuteResult(HOSTILE, "", 1)),
]


@in_one_test("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_text_becomes_markup(value: Any) -> None:
    """Text of a program, a service or a file is displayed as it is, without control characters."""
    assert _ESCAPED in text_of(value)


def test_colors_are_left_out() -> None:
    """Of the output of a program."""
    assert "plain red" in text_of(ExecuteResult("plain \x1b[1;31mred\x1b[0m", "", 0))


def test_values_are_short() -> None:
    """A part of a long text, and of a long list, is left out, and the number of that is displayed."""
    text = text_of(ExecuteResult("x" * 10**6, "", 0, timed_out=True))
    assert "reached its time limit" in text
    assert "[... 990000 characters left out ...]" in text
    text = text_of(Outcome(1, {"rows": [["y" * 1000] * 1000] * 1000}))
    assert len(text) < 1000


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake."""
    return FakeTransport()


@pytest.fixture
def session(fake: FakeTransport) -> Iterator[Session]:
    """Return a session of the fake."""
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        yield session


def test_a_session(session: Session) -> None:
    """Its id and its dates, without a request."""
    text = text_of(session)
    assert f"Session {session.id}" in text
    assert str(session.expires_at) in text


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAMBAQAY3Y2wAAAAAElFTkSuQmCC"
)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"


def test_images(session: Session) -> None:
    """The type is that of the content; an SVG is an image and never a part of the page."""
    for name, content, media_type in [
        ("a.bin", PNG, "image/png"),
        ("b.jpg", b"\xff\xd8\xff\xe0" + HOSTILE.encode(), "image/jpeg"),
        ("c.svg", SVG, "image/svg+xml"),
    ]:
        session.files.write(name, content)
        view = session.files.show(name)
        assert f"{name}, {len(content)} bytes" in text_of(view)
        assert f'src="data:{media_type};base64,{base64.b64encode(content).decode()}"' in view._repr_html_()
    assert f"<FileView a.bin, {len(PNG)} bytes>" == repr(session.files.show("a.bin"))


def test_a_large_image_is_not_shown(session: Session) -> None:
    """A notebook would store it."""
    session.files.write("a.png", PNG + bytes(5 * 1024 * 1024))
    assert "[image/png, not shown; use download()]" in text_of(session.files.show("a.png"))


def test_tables(session: Session) -> None:
    """CSV, TSV and JSON of rows; other JSON is indented, and what is damaged is text."""
    cases: list[tuple[str, Any, str]] = [
        ("a.csv", 'name,note\nAda,"1, 2"\n', "name\nnote\nAda\n1, 2"),
        ("a.tsv", "x\ty\n1\t2", "x\ny\n1\n2"),
        ("a.json", '[{"x": 1}, {"y": null, "x": [2]}]', "x\ny\n1\n[2]"),
        ("b.json", '{"x": [1]}', '{\n  "x": [\n    1\n  ]\n}'),
        ("c.json", '{"x": ', '{"x": '),
        ("d.json", "[" * 100_000, "characters left out"),
        ("empty.csv", "", ""),
        ("a.txt", "plain\n", "plain\n"),
        ("a.csv.bin", "\0", "[a binary file, not shown; use download()]"),
        ("latin.txt", b"\xe9", "[a binary file, not shown; use download()]"),
    ]
    for name, content, expected in cases:
        session.files.write(name, content)
        assert expected in text_of(session.files.show(name)), name
    hostile = f'"{HOSTILE}"'.replace("\0", "").replace("\"'", "''")
    for name in ("a.csv", "a.txt", "a.svg", "a.json"):
        session.files.write(name, f"{hostile},2\n{hostile},3")
        assert "<script>alert(1)</script>" in text_of(session.files.show(name))


def test_long_tables_and_texts(session: Session) -> None:
    """Twenty rows and columns are displayed, of the first 256 KB."""
    session.files.write("long.csv", "\n".join(",".join("c" * 30) for _ in range(30)))
    assert "[9 more rows, 10 more columns]" in text_of(session.files.show("long.csv"))
    session.files.write("large.csv", "a,b\n" + "é,1\n" * 100_000)
    text = text_of(session.files.show("large.csv"))
    assert "[the first 262144 bytes]" in text
    assert "more rows]" in text
    session.files.write("large.txt", "é" * 200_001)
    assert "[the first 262144 bytes]" in text_of(session.files.show("large.txt"))


def test_folders(session: Session) -> None:
    """A folder is displayed as its list."""
    session.files.write("out/a.txt", "1")
    text = text_of(session.files.show("out"))
    assert "out/, 1 entries" in text
    assert "out/a.txt" in text
    session.files.mkdir("empty")
    assert "empty/, 0 entries" in text_of(session.files.show("empty"))


@pytest.fixture
def shell(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, fake: FakeTransport) -> Iterator[Any]:
    """Return a shell of IPython with the extension, whose sessions are those of the fake."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config({"HistoryManager": {"enabled": False}})
    shell: Any = InteractiveShell(config=config, ipython_dir=str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr("buntime.notebook.Buntime", lambda: Buntime(transport=fake))
        shell.extension_manager.load_extension("buntime")
        yield shell
        shell.extension_manager.unload_extension("buntime")
    assert "bun" not in shell.magics_manager.magics["cell"]


def _script(fake: FakeTransport) -> dict[str, Any]:
    state: dict[str, Any] = {}
    fake.on_call("(values) => void Object.assign(globalThis, values)", handler=state.update)
    fake.on_call("rows.length\n", handler=lambda: len(state["rows"]))
    fake.on_call("let total = 7\n", returns=None, stdout="out\n", stderr="err\n")
    fake.on_call("({ total, rows })", handler=lambda: {"total": 7, **state})
    fake.on_call(
        "null.x\n",
        raises=JavaScriptError("of null", name="TypeError", stack="TypeError: of null\n  at eval-1:1:1\x1b"),
    )
    return state


def _created(fake: FakeTransport) -> int:
    return sum(call.path == "/sessions/create" for call in fake.calls)


def _started(fake: FakeTransport) -> int:
    return sum('"op": "repl_start"' in str(call.json) for call in fake.calls)


def test_cells_keep_their_state(shell: Any, fake: FakeTransport, capsys: pytest.CaptureFixture[str]) -> None:
    """Values go in and out by one REPL of one session, and output is printed."""
    _script(fake)
    shell.user_ns["rows"] = [1, 2]
    magic = shell.run_cell_magic
    assert 2 == magic("bun", "-i rows", "rows.length\n")
    assert magic("bun", "-o total rows -t 9", "let total = 7\n") is None
    assert ("out\n", "err\n") == capsys.readouterr()
    assert (7, [1, 2]) == (shell.user_ns["total"], shell.user_ns["rows"])
    assert (1, 1) == (_created(fake), _started(fake))
    assert 2 == magic("bun", "--reset", "rows.length\n")
    assert (1, 2) == (_created(fake), _started(fake))


def test_a_session_of_the_notebook(shell: Any, fake: FakeTransport, session: Session) -> None:
    """Each session has a REPL of its own, and one that was created elsewhere stays."""
    _script(fake)
    shell.user_ns.update(rows=[1], mine=session)
    created = _created(fake)
    assert 1 == shell.run_cell_magic("bun", "-s mine -i rows", "rows.length\n")
    assert created == _created(fake)
    shell.extension_manager.reload_extension("buntime")
    assert session.info().id == session.id


def test_errors_of_cells(shell: Any, fake: FakeTransport, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell fails with the stack of JavaScript in place of a traceback; its session may have ended."""
    _script(fake)
    failed = shell.run_cell("%%bun\nnull.x").error_in_exec
    assert isinstance(failed, JavaScriptError)
    assert "TypeError: of null\n  at eval-1:1:1\\x1b" == capsys.readouterr().out.strip()
    assert isinstance(pickle.loads(pickle.dumps(failed)), JavaScriptError)
    fake.advance(10**6)
    with pytest.raises(SessionNotFoundError):
        shell.run_cell_magic("bun", "", "let total = 7\n")
    shell.run_cell_magic("bun", "", "let total = 7\n")
    assert 2 == _created(fake)


@pytest.mark.parametrize(
    ("line", "error", "match"),
    [
        ("-i missing", NameError, "'missing' is not defined"),
        ("-o a;b", ValueError, "'a;b' is not a name"),
        ("-s missing", TypeError, "not a variable with a Session"),
        ("-t x", ValueError, "invalid int value"),
        ("--other", ValueError, r"unrecognized arguments.*usage: %%bun \[-i NAME"),
    ],
)
def test_options_are_checked(
    shell: Any, fake: FakeTransport, line: str, error: type[Exception], match: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(error, match=match):
        shell.run_cell_magic("bun", line, "1")
    assert [] == fake.calls


def test_lists_are_tables(shell: Any) -> None:
    """Of files and of outcomes; other lists are as before."""
    formatter = shell.display_formatter.formatters["text/html"]
    files = [FileInfo(HOSTILE, 1, None, "file"), FileInfo("b", 2, None, "directory")]
    assert _ESCAPED in text_of(formatter(files))
    assert "items" not in text_of(formatter([Outcome(n, n) for n in range(30)]))
    assert "[10 more rows]" in text_of(formatter([Outcome(n, n) for n in range(30)]))
    assert formatter([1]) is None
    assert formatter([]) is None


def test_a_stream_is_updated_in_place(
    shell: Any, fake: FakeTransport, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One display shows the output so far; the result is returned."""
    displayed: list[str] = []

    class Handle:
        def update(self, value: Any) -> None:
            displayed.append(text_of(value))

    def display(value: Any, display_id: bool) -> Handle:
        assert display_id
        Handle().update(value)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("buntime.notebook._UPDATE_EVERY", 0.0)
    fake.on_execute("1", chunks=[("stdout", "one "), ("stderr", HOSTILE), ("stdout", "x" * 10**5)])
    assert 0 == getattr(show(session.stream("1")), "exit_code", None)
    assert ["", "one ", f"one \n{_ESCAPED}"] == displayed[:3]
    assert "bytes of output left out" in displayed[-1]
    assert shell.display_formatter.format(session.stream("1")) == ({}, {})
    assert displayed[:3] == displayed[len(displayed) // 2 :][:3]
    process = session.start("1")
    assert show(process.follow()) is None


def test_showing_a_stream_needs_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(ImportError, match=r"pip install 'buntime\[notebook\]'"):
        show([])


def test_the_extension_is_an_attribute_without_being_imported() -> None:
    """IPython finds it in the package."""
    assert callable(buntime.load_ipython_extension)
    assert "load_ipython_extension" not in buntime.__all__
