"""``buntime doctor``: what is configured, and whether it works."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from typing import Literal

import attrs

from buntime._version import __version__
from buntime.cli.connection import AddParser, add_connection, add_json, show
from buntime.cli.terminal import table
from buntime.client.client import Buntime
from buntime.client.settings import BUNTIME_SH, RUNLOOP, ServiceSettings
from buntime.errors import APIStatusError, AuthenticationError, BuntimeError, PermissionDeniedError

_MARKS = {True: "ok", False: "FAIL", None: ""}
_TIMEOUT = 5
_PROBE = "/sessions/ses_doctor0000000000"


@attrs.frozen
class Check:
    """A line of the report: ``ok`` is ``None`` for information."""

    name: str
    ok: bool | None
    text: str


def add_doctor(add_parser: AddParser) -> None:
    """Add ``doctor`` to the command line."""
    parser = add_parser(
        "doctor",
        help="check the configuration, Bun, the sandbox and the service",
        description="Check the configuration, Bun and the sandbox of this machine, and whether the service "
        "can be reached. The exit code is 1 if the selected transport does not work.",
    )
    add_json(parser)
    add_connection(parser)
    parser.set_defaults(action=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    checks = [*_information(), *_this_machine(), *_service()]
    rows = [(_MARKS[check.ok], f"{check.name}:", check.text) for check in checks]
    show(options, [attrs.asdict(check) for check in checks], table(rows))
    selected = "this machine" if os.environ.get("BUNTIME_TRANSPORT", "").endswith("local") else "service"
    return int(any(check.name == selected and check.ok is False for check in checks))


def _information() -> Iterator[Check]:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Check("buntime", None, f"{__version__}, Python {platform.python_version()}, {system}")
    yield Check("transport", None, os.environ.get("BUNTIME_TRANSPORT", "") or "http, the default")
    for service in (BUNTIME_SH, RUNLOOP):
        key = os.environ.get(service.key_variable, "")
        yield Check(service.key_variable, None, f"set, {len(key)} characters" if key else "not set")
        yield Check(service.url_variable, None, _base_url(service))


def _base_url(service: ServiceSettings) -> str:
    return os.environ.get(service.url_variable, "") or f"{service.base_url}, the default"


def _this_machine() -> Iterator[Check]:
    if not sys.platform.startswith(("linux", "darwin")):
        yield Check("this machine", False, "the local transport runs on Linux and macOS")
        return
    try:
        yield Check("this machine", True, f"{_run_locally('required')}, in a sandbox")
    except BuntimeError as error:
        yield Check("this machine", False, str(error))
        try:
            yield Check("without isolation", True, _run_locally("none"))
        except BuntimeError as without:
            yield Check("without isolation", False, str(without))


def _run_locally(isolation: Literal["required", "none"]) -> str:
    from buntime.transport import LocalTransport

    with (
        Buntime(transport=LocalTransport(isolation=isolation)) as client,
        client.sessions.create() as session,
    ):
        code = "console.log(`Bun ${Bun.version} runs`)"
        return session.execute(code, timeout=_TIMEOUT, check=True).stdout.strip()


def _service() -> Iterator[Check]:
    from buntime.transport import HTTPTransport

    if not os.environ.get("BUNTIME_API_KEY"):
        selected = os.environ.get("BUNTIME_TRANSPORT", "http") in {"", "http"}
        text = "not tried, there is no key: set BUNTIME_API_KEY, for buntime serve to any text"
        yield Check("service", False if selected else None, text)
        return
    url = os.environ.get("BUNTIME_BASE_URL", "") or BUNTIME_SH.base_url
    try:
        with Buntime(transport=HTTPTransport(url), timeout=_TIMEOUT, max_retries=0) as client:
            client.request("GET", _PROBE)
    except (AuthenticationError, PermissionDeniedError) as error:
        yield Check("service", False, f"{url} refuses the key: {error}")
    except APIStatusError as error:
        works = error.status is not None and error.status < 500
        yield Check("service", works, f"{url} answers, and accepts the key" if works else str(error))
    except BuntimeError as error:
        yield Check("service", False, str(error))
    else:
        yield Check("service", True, f"{url} answers, and accepts the key")
