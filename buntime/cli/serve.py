"""``buntime serve``: serve the API from this machine."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING, Callable

from buntime._http import Request, Response, Transport
from buntime.errors import APIConnectionError, ConfigurationError

if TYPE_CHECKING:
    from buntime.transport import FakeTransport


def add_serve(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``serve`` to the command line."""
    parser = add_parser(
        "serve",
        help="serve the API from this machine",
        description="Serve the buntime.sh API from this machine, for clients in any language. "
        "Ctrl-C or SIGTERM ends all executions and removes the sessions' files.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="the port; 0 picks a free one (default 8000)")
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key that clients must send (default BUNTIME_SERVE_API_KEY; without both, no key)",
    )
    parser.add_argument("--plan", choices=["free", "paid", "enterprise"], help="enforce that plan's limits")
    parser.add_argument(
        "--fake",
        metavar="MODULE:FUNCTION",
        help="run no code: serve the FakeTransport that this Python function returns",
    )
    parser.add_argument("--isolation", choices=["required", "none"], help="as for the local transport")
    parser.add_argument("--network", action="store_true", help="let sessions reach the network")
    parser.add_argument(
        "--threads", type=int, default=64, help="how many executions at a time, streams included (default 64)"
    )
    parser.set_defaults(action=_serve)


def _serve(options: argparse.Namespace) -> int:
    # The service is imported only by those who serve it: running code needs none of it.
    try:
        from buntime.service.server.serve import ServeError, serve
    except ImportError:
        raise ConfigurationError(
            'buntime serve needs waitress, from the extra serve: pip install "buntime[serve]"'
        ) from None
    access_log = logging.getLogger("buntime.access")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    access_log.setLevel(logging.INFO)
    access_log.addHandler(handler)
    try:
        serve(
            _transport(options),
            host=options.host,
            port=options.port,
            api_key=os.environ.get("BUNTIME_SERVE_API_KEY") if options.api_key is None else options.api_key,
            threads=options.threads,
            ready=lambda url: print(f"buntime serves on {url} (Ctrl-C ends it)", flush=True),
        )
    except ServeError as error:
        raise ConfigurationError(str(error)) from error
    finally:
        access_log.removeHandler(handler)
    return 0


def _transport(options: argparse.Namespace) -> Transport:
    if options.fake is None:
        from buntime.transport.local import LocalTransport

        return LocalTransport(isolation=options.isolation, network=options.network or None, plan=options.plan)
    if options.plan or options.isolation or options.network:
        raise ConfigurationError(
            "--fake runs no code, so leave out --isolation and --network; "
            "for a plan, return FakeTransport(plan=...) instead of using --plan"
        )
    return _ServedFake(load_fake(options.fake))


def load_fake(name: str) -> FakeTransport:
    """Return the fake that a function returns, named as ``module:function``.

    Modules in the current directory can be imported, as with ``python -m``.
    """
    from buntime.transport import FakeTransport

    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise ConfigurationError(f"--fake takes MODULE:FUNCTION, not {name!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"--fake {name}: cannot import {module_name}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigurationError(f"--fake {name}: {module_name} has no function {function_name}")
    fake = function()
    if not isinstance(fake, FakeTransport):
        kind = type(fake).__name__
        raise ConfigurationError(f"--fake {name}: {function_name}() returned {kind}, not a FakeTransport")
    return fake


class _ServedFake:
    """A fake whose planned connection failures become a 502, as a gateway reports them."""

    def __init__(self, fake: FakeTransport) -> None:
        self._fake = fake
        self.close = fake.close

    def send(self, request: Request, /) -> Response:
        try:
            return self._fake.send(request)
        except APIConnectionError as error:
            return Response(502, [("Content-Type", "text/plain")], [str(error).encode()])
