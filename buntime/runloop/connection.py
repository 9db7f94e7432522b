"""The calls of one client: by route, with the options of a call, repeated as the route allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Optional, TypedDict

import attrs

from buntime import _validate
from buntime._http import Request, Response
from buntime.client import settings
from buntime.engine.adapter import ServiceAdapter
from buntime.engine.caller import Caller
from buntime.errors import APIStatusError, ConflictError, InvalidRequestError, NotFoundError
from buntime.runloop.wire import requests
from buntime.runloop.wire.requests import OPTIONS, Params, path_values
from buntime.runloop.wire.responses import decode, decode_error, request_id
from buntime.runloop.wire.routes import BY_NAME, Repeat, Route, custom_route
from buntime.runloop.wire.views.base import View


class RequestOptions(TypedDict, total=False):
    """The options of every call."""

    timeout: Optional[float]
    """Seconds for the complete call, its waits included; ``None`` for no limit."""
    idempotency_key: Optional[str]
    """Sent as ``x-request-id`` with each attempt; by default a random one."""
    extra_headers: Optional[Mapping[str, str]]
    extra_query: Optional[Mapping[str, Any]]
    extra_body: Optional[Mapping[str, Any]]


class WaitOptions(RequestOptions, total=False):
    """The options of a call that waits."""

    polling_config: Any
    """An object with ``timeout_seconds``, or ``interval_seconds`` and ``max_attempts``: how long to wait."""


def split_options(options: Params) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields and options of a request, and the options that its waits share with it."""
    names = ("timeout", "extra_headers", "polling_config")
    request = {name: value for name, value in options.items() if name not in names}
    return request, {name: options[name] for name in names if name in options}


def status_of(view: Any) -> Any:
    """Return the ``status`` of a resource, or its ``state``, as the API has it."""
    return getattr(view, "status", None) or view.state


SERVICE = ServiceAdapter(partial(decode_error, custom_route("POST", "/")), request_id=request_id)


@attrs.frozen
class PreparedCall:
    """A call whose arguments are checked: its route, the request, and the values in its path."""

    route: Route
    request: Request
    values: Mapping[str, str]


def prepare(call: str, *path: object, **fields: Any) -> PreparedCall:
    """Return the call of a route; ``TypeError`` or ``ValueError`` for arguments that cannot be sent."""
    route = BY_NAME[call]
    values = path_values(route, path, fields)
    requests.check_keywords(call, fields, (*route.body, *route.query, *OPTIONS))
    options = {name: fields.pop(name) for name in OPTIONS if name in fields}
    request = requests.build(route, values, fields, options.get("idempotency_key"))
    if options.get("extra_query") or options.get("extra_body"):
        request = requests.with_extras(request, options.get("extra_query"), options.get("extra_body"))
    return PreparedCall(route, request, values)


@attrs.define(eq=False)
class TransportState:
    """The state of a transport, shared by the clients that use it."""

    is_closed: bool = False
    """Whether the client that owns the transport is closed."""


@attrs.frozen
class Connection:
    """Makes the calls of a client."""

    caller: Caller
    repeat_execute: bool = True
    transport_state: TransportState = attrs.field(factory=TransportState)

    @contextmanager
    def options(self, options: Params) -> Iterator[Connection]:
        """Return a connection for one call of the user: one deadline for all of its requests."""
        caller = self.caller
        timeout = options.get("timeout")
        if timeout is None:
            timeout = polling_seconds(options.get("polling_config"))
        if timeout is not None:
            deadline = settings.checked(_validate.seconds, "timeout", timeout, zero=False)
            caller = caller.evolve(deadline=deadline)
        if options.get("extra_headers"):
            extra = settings.as_secrets(options["extra_headers"])
            caller = caller.with_headers(settings.header_pairs(extra, None))
        with caller.one_deadline():
            yield attrs.evolve(self, caller=caller)

    @contextmanager
    def waits(
        self, call: str, options: Params, route: str = "", *more: str
    ) -> Iterator[tuple[Connection, dict[str, Any]]]:
        """Return the connection for a call that waits, and the fields for its ``route`` in the options."""
        fields = (*BY_NAME[route].body, *BY_NAME[route].query) if route else ()
        requests.check_keywords(call, options, (*fields, *more, *requests.WAIT_OPTIONS))
        request, waits = split_options(options)
        with self.options(waits) as connection:
            yield connection, request

    def for_cleanup(self, seconds: float = 5.0) -> Connection:
        """Return a connection for clean-up after an error: its own deadline, and nothing is reported."""
        return attrs.evolve(self, caller=self.caller.for_background(deadline=seconds))

    def call(self, call: str, *path: object, **fields: Any) -> Any:
        """Make the call of a route with its values, the options of a request among them, and return its view.

        Raises ``TypeError`` and ``ValueError`` before anything is sent, then the errors of the API.
        """
        prepared = prepare(call, *path, **fields)
        with self.options(fields) as connection:
            return connection.send(prepared)

    def poll(self, call: str, *path: object, **fields: Any) -> Any:
        """Make one request of a polling loop; a recording keeps only the last response."""
        prepared = prepare(call, *path, **fields)
        return self.send(attrs.evolve(prepared, request=attrs.evolve(prepared.request, poll=True)))

    def send(self, prepared: PreparedCall) -> Any:
        """Send a request, again if the route allows, and return its view."""
        timeout, route = self.caller.timeout, prepared.route
        is_once = route.repeat is Repeat.NEVER or (route.repeat is Repeat.COMMAND and not self.repeat_execute)
        try:
            return self.caller.call(
                prepared.request,
                partial(decode, route),
                idempotent=not is_once,
                read_timeout=None if timeout is None or not route.hold else timeout + route.hold,
                is_read=route.is_read,
                decode_error=partial(decode_error, route),
            )
        except (InvalidRequestError, NotFoundError, ConflictError) as error:
            if not error.maybe_executed:  # by no earlier attempt either
                raise
            return self._result_of_lost_response(prepared, error)

    def _result_of_lost_response(self, prepared: PreparedCall, error: APIStatusError) -> Any:
        """Return the result of a call that an earlier attempt carried out, or raise the error."""
        route, values = prepared.route, prepared.values
        if route.repeat is Repeat.END and error.status in {404, 409}:
            return View()
        if route.repeat is Repeat.SETTLE and error.status in {400, 409}:
            view = self.call(f"{route.name.rpartition('.')[0]}.retrieve", values["id"])
            if route.view == "TunnelView" and view.tunnel is not None:
                return view.tunnel
            if status_of(view) in route.goal:
                return view
        raise error

    def stream(self, prepared: PreparedCall, *, idempotent: bool = False) -> tuple[Response, Iterator[bytes]]:
        """Return the response to a call, and its body as it arrives."""
        decode = partial(decode_error, prepared.route)
        return self.caller.stream(prepared.request, idempotent=idempotent, decode_error=decode)[:2]


def polling_seconds(config: Any) -> Optional[float]:
    """Return how long an official ``PollingConfig``, or anything with its attributes, waits."""
    if config is None:
        return None
    get = config.get if isinstance(config, Mapping) else partial(getattr, config)
    names = ("timeout_seconds", "interval_seconds", "max_attempts")
    seconds, interval, attempts = (get(name, None) for name in names)
    if seconds is not None:
        return _validate.seconds("polling_config: timeout_seconds", seconds)
    if interval is None or attempts is None:
        raise TypeError("polling_config needs timeout_seconds, or interval_seconds and max_attempts")
    return float(interval) * float(attempts)
