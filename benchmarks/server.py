"""A loopback server that does little work: a prepared response for each path, in a separate process."""

from __future__ import annotations

import gc
import itertools
import os
import re
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.responses import http_response, responses_by_path

ROOT = Path(__file__).resolve().parent.parent
SLOW = 0.1
"""Seconds that an execution below ``/slow`` takes."""
_ZEROS = memoryview(bytes(1 << 20))


@contextmanager
def run_server(*arguments: str) -> Iterator[str]:
    """Run a Python module that prints a line with its URL, and yield the URL."""
    command, pipe = [sys.executable, "-m", *arguments], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            url = re.search(r"http://\S+", line)
            assert url is not None, f"{arguments} did not start: {line!r}"
            yield url.group()
        finally:
            process.terminate()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore connections that the client closes."""


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    responses: dict[bytes, bytes]
    deleted = http_response(b'{"deleted":true,"sessionId":"ses_1"}')
    numbers = itertools.count(1)

    def handle(self) -> None:
        """Answer the requests of a connection one after the other."""
        while path := self._read_request():
            if path == b"/slow/execute":
                time.sleep(SLOW)
            if path.startswith(b"/zeros/"):
                size = int(path[7:])
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                while size:
                    size -= self.connection.send(_ZEROS[:size])
            elif path.endswith(b"/create"):
                number = b"%08d" % next(self.numbers)
                self.wfile.write(self.responses[path.removeprefix(b"/slow")].replace(b"@@@@@@@@", number))
            else:
                self.wfile.write(self.responses.get(path.removeprefix(b"/slow"), self.deleted))

    def _read_request(self) -> bytes:
        """Read one request with its body and return its path, or nothing at the end of the connection."""
        line, size, chunked = self.rfile.readline(), 0, False
        while (header := self.rfile.readline().lower()).strip():
            if header.startswith(b"content-length:"):
                size = int(header[15:])
            elif header.startswith(b"transfer-encoding:"):
                chunked = True
        while chunked:
            chunk = int(self.rfile.readline(), 16)
            chunked = len(self.rfile.read(chunk + 2)) > 2
        while size > 0:
            size -= len(self.rfile.read(min(size, len(_ZEROS)))) or size
        return line.split()[1] if line.strip() else b""


def main() -> None:
    """Serve until standard input closes."""
    gc.disable()
    _Connection.responses = responses_by_path()
    with _Server(("127.0.0.1", 0), _Connection) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        os._exit(0)


if __name__ == "__main__":
    main()
