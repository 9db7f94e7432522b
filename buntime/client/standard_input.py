"""Standard input: of a background process while it runs, and of an execution as a whole."""

from __future__ import annotations

import base64
import hashlib
import secrets
import tempfile
import threading
from typing import IO, Any, Optional, Union

import attrs

from buntime import _validate
from buntime._support.forks import reset_after_fork
from buntime._support.owner import Owner
from buntime.client.context import Context
from buntime.client.files import SessionFiles
from buntime.client.polling import STEP, STEP_LIMIT, pause
from buntime.errors import WaitTimeoutError
from buntime.helpers.content import PIECE
from buntime.helpers.runner import helper_env, integer_of, source, text_of
from buntime.models import ExecuteRequest
from buntime.wire.constants import HIDDEN_FOLDER

_LONGEST_INLINE = 16 * 1024
_CHUNK = 256 * 1024


class ProcessInput:
    """Writes to the standard input of one process, in the order of the calls.

    Each request has the position of its bytes in all input, so that the session writes a repeated one once.
    The position is ``None`` while it is unknown: for the process of another client, or after an error.
    """

    def __init__(self, offset: Optional[int] = None) -> None:
        self._offset = offset
        self._owner = Owner()
        self._lock = reset_after_fork(threading.Lock())

    def write(
        self,
        context: Context,
        session_id: str,
        number: int,
        data: Union[str, bytes, bytearray, memoryview],
        timeout: Optional[float],
    ) -> None:
        """See :meth:`Process.write <buntime.Process.write>`."""
        content = memoryview(_bytes("data", data))
        caller = context.caller
        with self._lock:
            if not self._owner.is_this_process():
                self._offset, self._owner = None, Owner()
            until = None if timeout is None else caller.monotonic() + timeout
            offset, self._offset = self._offset, None
            if offset is None:
                offset = integer_of(self._send(context, session_id, number, wait=0.0), "offset")
            for start in range(0, len(content), PIECE):
                piece = content[start : start + PIECE]
                end, accepted = offset + len(piece), False
                while True:
                    began = caller.monotonic()
                    wait = STEP if until is None else min(STEP, max(0.0, until - began))
                    reply = self._send(
                        context, session_id, number, b"" if accepted else piece, offset=offset, wait=wait
                    )
                    accepted = integer_of(reply, "offset") == end
                    if accepted and text_of(reply, "state") == "written":
                        break
                    if until is not None and caller.monotonic() >= until:
                        self._offset = end if accepted else offset
                        written = start + (len(piece) if accepted else 0)
                        raise WaitTimeoutError(
                            f"process {number} did not read its standard input within {timeout} s; "
                            f"{written} of {len(content)} bytes were accepted and will be written"
                        )
                    pause(context, began, wait)
                offset = end
            self._offset = offset

    def close(self, context: Context, session_id: str, number: int) -> None:
        """See :meth:`Process.close_stdin <buntime.Process.close_stdin>`."""
        with self._lock:
            self._send(context, session_id, number, wait=0.0, end=True)

    def _send(
        self,
        context: Context,
        session_id: str,
        number: int,
        piece: Union[bytes, memoryview] = b"",
        *,
        wait: float,
        offset: Optional[int] = None,
        end: bool = False,
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "number": number,
            "offset": offset,
            "end": end,
            "wait": wait,
            "timeout": STEP_LIMIT,
        }
        if piece:
            text = base64.b64encode(piece).decode("ascii")
            return context.helpers.run_staged(session_id, "process_write", text, **arguments)
        return context.helpers.run(session_id, "process_write", idempotent=True, staged=None, **arguments)


def with_stdin(context: Context, request: ExecuteRequest) -> ExecuteRequest:
    """Return the request for a program with standard input, which ``/execute`` does not have.

    The input is sent in the code, or written to a file of the session before.
    """
    session_id = str(request.session_id)
    with tempfile.SpooledTemporaryFile(_LONGEST_INLINE) as spool:
        digest = hashlib.sha256()
        for chunk in _chunks(request.stdin):
            digest.update(chunk)
            spool.write(chunk)
        size = spool.tell()
        spool.seek(0)
        stdin: dict[str, Any]
        if size > _LONGEST_INLINE:
            # Its own name, because the program deletes the file; cassettes ignore the number.
            path = f"{HIDDEN_FOLDER}/calls/{digest.hexdigest()[:32]}~{secrets.randbelow(10**15)}"
            SessionFiles(context, session_id).write(path, spool)
            stdin = {"path": path, "reusable": request.idempotent}
        else:
            content = spool.read()
            try:
                stdin = {"text": content.decode()}
            except UnicodeDecodeError:
                stdin = {"base64": base64.b64encode(content).decode("ascii")}
    code = source("run", code=request.code, command=request.command, working_dir=request.working_dir, **stdin)
    env = helper_env(request.env)
    return attrs.evolve(request, code=code, command=None, working_dir=None, env=env, stdin=None)


def _chunks(stdin: Union[str, bytes, IO[Any], None]) -> Any:
    if isinstance(stdin, (str, bytes)):
        yield _bytes("stdin", stdin)
        return
    while stdin is not None and (chunk := stdin.read(_CHUNK)):
        yield _bytes("stdin", chunk)


def _bytes(name: str, data: Any) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if not isinstance(data, str):
        raise TypeError(f"{name} must be str or bytes, not {type(data).__name__}")
    return _validate.text(name, data).encode()
