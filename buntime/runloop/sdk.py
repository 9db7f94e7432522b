"""The clients: ``RunloopSDK``, whose objects are devboxes, and ``Runloop``, the tree of calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional, TypeVar, get_type_hints

import attrs

from buntime import _validate
from buntime._http import Request, Response, Secret, Transport
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.other_names import checks_arguments
from buntime._support.unpicklable import NotPicklable
from buntime.client import settings
from buntime.client.settings import RUNLOOP, ClientOptions
from buntime.engine.adapter import SharedState
from buntime.errors import APIConnectionError, APIError, BuntimeError
from buntime.runloop.api import Api
from buntime.runloop.connection import SERVICE, Connection, TransportState
from buntime.runloop.devbox import BlueprintOps, DevboxOps, SnapshotOps
from buntime.runloop.scenarios import BenchmarkOps, ScenarioOps, ScorerOps
from buntime.runloop.storage import AgentOps, SecretOps, StorageObjectOps

Self = TypeVar("Self", bound="_Client")
Middleware = Callable[[Request, Callable[[Request], Response]], Response]


@checks_arguments
class _Client(ClosesWithBlock, NotPicklable):
    """The settings that both clients share, and the end of their transport."""

    APIError = APIError
    APIConnectionError = APIConnectionError

    def __init__(
        self,
        *,
        bearer_token: Optional[str] = None,
        base_url: Optional[str] = None,
        timeout: Optional[float] = 60.0,
        max_retries: int = 3,
        retry_delay: float = 0.5,
        transport: Optional[Transport] = None,
        middleware: Optional[Middleware] = None,
        default_headers: Optional[Mapping[str, str]] = None,
        on_retry: Optional[Callable[[BuntimeError, int], object]] = None,
        max_output: Optional[int] = 10_000_000,
        repeat_execute: bool = True,
    ) -> None:
        # Rebound first, so that no traceback with local variables shows a credential.
        bearer_token = Secret(bearer_token) if isinstance(bearer_token, str) else bearer_token
        default_headers = settings.as_secrets(default_headers)
        level = settings.configure_logging(RUNLOOP)
        repeats = settings.checked(_validate.flag, "repeat_execute", repeat_execute)
        options: ClientOptions = {
            "timeout": timeout,
            "deadline": None,
            "max_retries": max_retries,
            "retry_delay": retry_delay,
            "on_retry": on_retry,
            "max_output": max_output,
        }
        caller = settings.new_caller(
            SERVICE, bearer_token, default_headers, base_url, transport, options, RUNLOOP
        )
        self._is_logged, self._middleware = level == "debug", middleware
        self._owns_transport = True
        self._use(Connection(caller.evolve(transport=self._wrap(caller.transport)), repeats))

    def _use(self, connection: Connection) -> None:
        """Make all calls by this connection."""
        self._connection = connection

    def _wrap(self, transport: Transport) -> Transport:
        """Return the transport with the log and the middleware of this client."""
        if self._is_logged:
            from buntime.transport import LoggingTransport

            transport = LoggingTransport(transport)
        if self._middleware is not None:
            from buntime.transport import MiddlewareTransport

            transport = MiddlewareTransport(transport, self._middleware)
        return transport

    def __repr__(self) -> str:
        # A traceback with local variables also shows a client whose construction failed.
        connection = getattr(self, "_connection", None)
        name = type(self).__name__
        return f"<{name} over {connection.caller.transport!r}>" if connection else f"<{name}, not made>"

    def _leave_block(self, error: Optional[BaseException]) -> None:
        close_after(error, self.close, "the client was not closed")

    def close(self) -> None:
        """Close the transport. Devboxes stay as they are. Idempotent."""
        if self._owns_transport:
            self._connection.transport_state.is_closed = True
            self._connection.caller.transport.close()

    def with_options(
        self: Self,
        *,
        default_headers: Optional[Mapping[str, str]] = None,
        transport: Optional[Transport] = None,
        **options: Any,
    ) -> Self:
        """Return a client with other options over the same transport, or over another one.

        It has the same middleware.

        The options are ``timeout``, ``max_retries``, ``retry_delay``, ``on_retry`` and ``max_output``;
        ``default_headers`` are added. Only a client with a transport of its own closes it.
        """
        connection = self._connection
        added = settings.header_pairs(settings.as_secrets(default_headers), None)
        changes = settings.caller_options(options, connection.caller.policy)  # type: ignore[arg-type]  # it checks names
        if transport is not None:
            chosen = settings.choose_transport(None, transport, RUNLOOP)
            changes.update(transport=self._wrap(chosen), shared=SharedState())
            connection = attrs.evolve(connection, transport_state=TransportState())
        caller = connection.caller.with_headers(added).evolve(**changes)
        other = type(self).__new__(type(self))
        vars(other).update(vars(self), _owns_transport=transport is not None)
        other._use(attrs.evolve(connection, caller=caller))
        return other


class Runloop(_Client, Api):
    """The calls of the API: ``client.devboxes.create(...)``, and those that wait. See :class:`RunloopSDK`."""


class RunloopSDK(_Client):
    """A client of Runloop. It can be used from any thread; close it, or use it as a context manager.

    ``devbox``, ``snapshot``, ``blueprint``, ``storage_object``, ``agent``, ``secret``, ``scenario``,
    ``scorer`` and ``benchmark`` create and find resources; ``api`` has all calls.

    Arguments:
        bearer_token: the key of your account; by default ``RUNLOOP_API_KEY``. Only needed if the client
            creates an HTTP transport. If it is not set when the client is made, the first call reads it.
        base_url: of the service; by default ``RUNLOOP_BASE_URL``, else the live service.
        timeout: seconds of a single wait for the network, at most 3,600; ``None`` for no limit. The service
            may hold a wait, a command or a file longer. ``timeout=`` of a call limits the complete call.
        max_retries: retries of a call, if its failure allows any.
        retry_delay: seconds; a back-off is random below ``min(30, retry_delay * 2 ** n)``.
        transport: sends the requests; by default the one that ``RUNLOOP_TRANSPORT`` names (``http``,
            ``local``). The client closes it.
        middleware: ``middleware(request, send)`` returns the response of each request, retries included.
        default_headers: sent with every call.
        on_retry: called before each back-off with the error and the number of the failed attempt, from 1.
        max_output: bytes of stdout and of stderr that a result stores at most; ``None`` for no bound.
        repeat_execute: whether a command whose response was lost is sent again with its ``command_id``, which
            the service executes once.

    Raises :class:`~buntime.ConfigurationError` for a setting that is missing or wrong.
    """

    api: Api
    """The calls of the API by resource."""
    devbox: DevboxOps
    """Create and find devboxes."""
    snapshot: SnapshotOps
    """Find snapshots."""
    blueprint: BlueprintOps
    """Build and find blueprints."""
    storage_object: StorageObjectOps
    """Upload and find objects."""
    agent: AgentOps
    """Create and find agents."""
    secret: SecretOps
    """Create and find secrets."""
    scenario: ScenarioOps
    """Create, find and run scenarios."""
    scorer: ScorerOps
    """Create, find and validate scorers."""
    benchmark: BenchmarkOps
    """Create, find and run benchmarks."""

    def _use(self, connection: Connection) -> None:
        super()._use(connection)
        for name, operations in get_type_hints(RunloopSDK).items():
            setattr(self, name, operations(connection))
