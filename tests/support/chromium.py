"""A headless Chromium, driven by the DevTools protocol over a pair of pipes."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> Optional[str]:
    """Return the path of the browser, if it is installed."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """A page in the browser; ``problems`` are its errors, and ``requests`` the URLs that it loaded."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands = commands
        self._events = events
        self._buffer = b""
        self._numbers = itertools.count(1)
        self._session: Optional[str] = None
        self.problems: list[str] = []
        self.requests: list[str] = []

    def attach(self) -> None:
        """Create a tab and listen to it."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Load a page and wait until its script has ended."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=url)
        self.evaluate(
            "new Promise((done) => { const wait = () => document.documentElement?.dataset.ready ? done() : "
            "setTimeout(wait, 20); wait(); })"
        )

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of an expression, awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait, 10 seconds at most, until an expression is true: some events come after what causes them."""
        limit = time.monotonic() + 10
        while not self.evaluate(condition):
            assert time.monotonic() < limit, f"not true within 10 s: {condition}"
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press and release a key."""
        codes = {"Enter": 13, "Escape": 27}
        text = {"Enter": "\r", "Escape": ""}.get(key, key)
        code = codes.get(key, ord(key[0].upper()))
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the window."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def screenshot(self) -> bytes:
        """Return a picture of the page as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, method: Optional[str], params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.problems.append(str(params["entry"]["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
            self.problems.append(str(params["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._events, 1 << 20)
            assert piece, "Chromium has ended"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def chromium(binary: str, profile: Path) -> Iterator[Page]:
    """Start the browser; ``profile`` is the folder of its data."""
    from_us, commands = os.pipe()
    events, to_us = os.pipe()
    options = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--remote-debugging-pipe", "--hide-scrollbars", "--disable-extensions", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"),
    ]
    # The browser reads commands from descriptor 3 and writes events to 4.
    redirected = ["bash", "-c", f'exec "$@" 3<&{from_us} 4>&{to_us} 2>/dev/null', "bash", binary, *options]
    folder = tempfile.mkdtemp()  # of its socket, whose path must be short
    process = subprocess.Popen(
        redirected,
        pass_fds=(from_us, to_us),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": folder},
        start_new_session=True,
    )
    os.close(from_us)
    os.close(to_us)
    try:
        page = Page(commands, events)
        page.attach()
        yield page
        os.write(commands, b'{"id":0,"method":"Browser.close"}\0')
        process.wait(30)
    finally:
        os.close(commands)
        os.close(events)
        # Its helper processes may outlive it, and write to the folder.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
