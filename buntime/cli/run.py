"""``buntime run``: run a program, with the files beside it, in a new session."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import attrs

from buntime.cli.connection import AddParser, add_connection, add_json, as_utf8, seconds, variables, write
from buntime.cli.exit_codes import FAILED, TIMED_OUT
from buntime.cli.terminal import print_error
from buntime.client.client import Buntime
from buntime.client.session import Session
from buntime.errors import BuntimeError
from buntime.models import ExecuteRequest

TTL = 3600
_SUFFIXES = frozenset({"", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"})
_NEVER_UPLOADED = (".git/", "node_modules/", "__pycache__/", ".venv/")
_MAX_BYTES, _MAX_FILES = 100_000_000, 5_000
_TIMED_OUT = "the program reached its time limit; see --timeout"
_INDEX = ("index.ts", "index.tsx", "index.js", "index.mjs")


def add_run(add_parser: AddParser) -> None:
    """Add ``run`` to the command line."""
    parser = add_parser(
        "run",
        usage="buntime run [OPTION ...] (PATH | -e CODE | -) [ARG ...]",
        help="run a program with the files beside it, or a piece of code",
        description="Run a program in a new session, which is deleted afterwards. Everything after PATH is "
        "the program's. The folder of the program is uploaded, without what .gitignore names: the nearest "
        "folder with a package.json, else that of the file. Output, exit code and standard input are passed "
        "on; 125 means that buntime failed.",
        epilog="BUNTIME_TRANSPORT selects where it runs: http (the service, with BUNTIME_API_KEY) or local.",
    )
    parser.add_argument("-e", "--eval", metavar="CODE", help="the code itself")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="the time limit of the program")
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable; may be repeated"
    )
    parser.add_argument(
        "--with", action="append", default=[], dest="extra", metavar="PATH", help="upload this, too"
    )
    parser.add_argument(
        "--download",
        action="append",
        default=[],
        metavar="PATH",
        help="download this file or folder of the workspace afterwards",
    )
    parser.add_argument("--no-files", action="store_true", help="upload the program alone")
    add_json(parser)
    add_connection(parser)
    parser.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="PATH",
        help="a file or a folder with a package.json, and the program's arguments; - is standard input",
    )
    parser.set_defaults(action=_run)


@attrs.frozen
class _Program:
    """The code or command that the session executes, and the local folder that it needs."""

    command: str | None = None
    code: str | None = None
    files: dict[str, str] = attrs.field(factory=dict)
    root: Path | None = None


def _run(options: argparse.Namespace) -> int:
    program = _program(options)
    env = variables(options.env)
    request = ExecuteRequest(
        program.code, command=program.command, files=program.files, env=env, timeout=options.timeout
    )
    uploads = _uploads(program, options.extra)
    with Buntime() as client, client.sessions.create(ttl=TTL) as session:
        for local, remote, ignore in uploads:
            try:
                session.files.upload(local, remote, ignore=ignore)
            except ValueError as error:
                advice = "buntime run leaves out what .gitignore names, and --no-files all but the program"
                raise ValueError(f"{error}; {advice}") from None
        code = execute(session, request, stdin=options.program[:1] != ["-"], as_json=options.json)
        for path in options.download:
            session.files.download(path, path.lstrip("/"))
    return code


def _is_pipe() -> bool:
    """Whether standard input may arrive while the program runs: it is neither a terminal nor a file."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _execute_piped(session: Session, request: ExecuteRequest) -> int:
    """Run a request as a background process, which reads standard input as it arrives."""
    for path, content in request.files:
        session.files.write(path, content)
    options = {"env": request.env, "working_dir": request.working_dir, "stdin": True}
    process = session.start(request.code, command=request.command, **options)  # type: ignore[call-overload]  # one of them is None
    reached = threading.Event()

    def feed() -> None:
        # The program may end, or close its input, while there is more.
        with contextlib.suppress(BuntimeError, OSError):
            while piece := os.read(sys.stdin.fileno(), 65536):
                process.write(piece)
            process.close_stdin()

    def end() -> None:
        reached.set()
        process.kill()

    with process, contextlib.ExitStack() as stack:
        threading.Thread(target=feed, daemon=True).start()
        if request.timeout is not None:
            timer = threading.Timer(request.timeout, end)
            timer.start()
            stack.callback(timer.cancel)
        for event in process.follow():
            write(event.kind, event.text)
        code: int = process.wait()
    if reached.is_set():
        print_error(_TIMED_OUT)
    return TIMED_OUT if reached.is_set() else code


def execute(session: Session, request: ExecuteRequest, *, stdin: bool = True, as_json: bool = False) -> int:
    """Run a request, pass standard input and output on, and return its exit code.

    With ``as_json`` the result is printed as JSON at the end.
    """
    if stdin and _is_pipe() and not as_json:
        return _execute_piped(session, request)
    if stdin and (_is_file() or _is_pipe()):
        request = attrs.evolve(request, stdin=sys.stdin.buffer)
    if as_json:
        result = session.execute(request)
        fields = attrs.asdict(result, filter=lambda field, _: field.name != "extra")
        print(json.dumps(fields, default=str, ensure_ascii=False))
        return FAILED if result.exit_code is None else result.exit_code
    with session.stream(request) as stream:
        for event in stream:
            write(event.kind, event.text)
    if stream.result.timed_out:
        print_error(_TIMED_OUT)
    code = stream.result.exit_code
    return FAILED if code is None else code


def _is_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _program(options: argparse.Namespace) -> _Program:
    words = options.program[1:] if options.program[:1] == ["--"] else options.program
    if options.eval is not None:
        return _source("eval.ts", as_utf8([options.eval])[0], as_utf8(words))
    if not words:
        options.parser.error("name a PATH, or give the code with -e")
    path, arguments = words[0], as_utf8(words[1:])
    if path == "-":
        return _source("stdin.ts", _read(None), arguments)
    file = Path(path)
    if file.is_dir():
        return _project(file, arguments)
    if file.suffix.lower() not in _SUFFIXES:
        known = ", ".join(sorted(_SUFFIXES - {""}))
        raise ValueError(f"{file} is neither JavaScript nor TypeScript by its name: {known}")
    content = _read(file)
    root = None if options.no_files else _root(file.resolve())
    name = file.name if root is None else file.resolve().relative_to(root).as_posix()
    return _Program(_bun([f"./{name}"], arguments), files={name: content}, root=root)


def _source(name: str, code: str, arguments: list[str]) -> _Program:
    """Return a program without a file; only a file can have arguments."""
    if not arguments:
        return _Program(code=code)
    return _Program(_bun([f"./{name}"], arguments), files={name: code})


def _bun(target: list[str], arguments: list[str]) -> str:
    return shlex.join(["bun", "run", *target, *arguments])


def _project(folder: Path, arguments: list[str]) -> _Program:
    """Return the program of a folder: its script ``start``, else its main file."""
    root = folder.resolve()
    package = root / "package.json"
    try:
        fields = json.loads(_read(package)) if package.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{package}: {error}") from None
    if isinstance(fields, dict):
        if "start" in (fields.get("scripts") or {}):
            return _Program(_bun(["--silent", "start"], arguments), root=root)
        names = [fields.get("module"), fields.get("main"), *_INDEX]
        for name in names:
            if isinstance(name, str) and (root / name).is_file():
                return _Program(_bun([f"./{name}"], arguments), root=root)
    raise ValueError(
        f"{folder} has neither a package.json with a start script or a main file, nor an index.ts"
    )


def _root(file: Path) -> Path | None:
    """Return the folder to upload: the nearest with a package.json, else the file's; no shared one."""
    shared = {Path.home(), Path(tempfile.gettempdir()).resolve(), Path(file.anchor)}
    for folder in file.parents:
        if folder in shared:
            break
        if (folder / "package.json").is_file():
            return folder
    return None if file.parent in shared else file.parent


def _uploads(program: _Program, extra: list[str]) -> list[tuple[Path, str, list[str]]]:
    """Return the local paths to upload, each with its path in the workspace and what to ignore."""
    uploads = []
    if program.root is not None:
        ignore = [*_NEVER_UPLOADED, *_ignored(program.root)]
        if _count(program.root, ignore) > len(program.files):
            uploads.append((program.root, ".", ignore))
    for name in extra:
        path = Path(name)
        if not path.exists():
            raise ValueError(f"--with {name}: there is no such file or folder")
        uploads.append((path, path.resolve().name, [*_NEVER_UPLOADED]))
    return uploads


def _ignored(root: Path) -> list[str]:
    """Return patterns of what git ignores; without git, those of the folder's own .gitignore."""
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True, timeout=10).stdout
        names = listed.decode("utf-8", "replace").split("\0")
        return ["/" + "".join(f"[{c}]" if c in "*?[" else c for c in name) for name in names if name]
    except (OSError, subprocess.SubprocessError):
        file = root / ".gitignore"
        lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
        return [line.strip() for line in lines if line.strip().strip("/") and line[0] not in "#!"]


def _count(root: Path, ignore: list[str]) -> int:
    """Return the number of files to upload; ``ValueError`` if they are too many or too large."""
    from buntime.helpers.ignore import expression, matcher
    from buntime.helpers.local_files import scan

    entries = scan(root, matcher(expression(ignore))).values()
    size = sum(entry.size for entry in entries)
    if len(entries) > _MAX_FILES or size > _MAX_BYTES:
        raise ValueError(
            f"{root} has {len(entries):,} files of {size / 1e6:,.0f} MB, more than is uploaded "
            f"({_MAX_FILES:,} files, {_MAX_BYTES // 10**6} MB); use --no-files, --with PATH, or a .gitignore"
        )
    return len(entries)


def _read(file: Path | None) -> str:
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file or 'standard input'} is not UTF-8 text: {error}") from None
