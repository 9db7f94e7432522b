"""The settings of a client: arguments, then the environment, checked before any I/O."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Callable, Optional, TypedDict, TypeVar

import attrs

from buntime import _validate
from buntime._http import Pairs, Secret, Transport
from buntime._support.export import export
from buntime._support.log import print_logs
from buntime._support.other_names import check_arguments
from buntime.engine.adapter import ServiceAdapter
from buntime.engine.caller import Caller
from buntime.engine.retries import RetryPolicy
from buntime.errors import BuntimeError, ConfigurationError

T = TypeVar("T")


class KeyHeader(Secret):
    """The ``Authorization`` of the API key; one among the headers of the caller is not of this type."""

    __slots__ = ()


@attrs.frozen
class ServiceSettings:
    """How a service is configured: its base URL, the argument of its key, and the names of its variables."""

    base_url: str
    key_argument: str
    key_variable: str
    url_variable: str
    transport_variable: str
    log_variable: str
    debug_variable: Optional[str] = None
    """Another variable that prints the log, if it is set to ``true``."""


BUNTIME_SH = ServiceSettings(
    "https://api.buntime.sh",
    "api_key",
    "BUNTIME_API_KEY",
    "BUNTIME_BASE_URL",
    "BUNTIME_TRANSPORT",
    "BUNTIME_LOG",
)
RUNLOOP = ServiceSettings(
    "https://api.runloop.ai",
    "bearer_token",
    "RUNLOOP_API_KEY",
    "RUNLOOP_BASE_URL",
    "RUNLOOP_TRANSPORT",
    "RUNLOOP_LOG",
    "DEBUG",
)


class ClientOptions(TypedDict, total=False):
    """The options that :meth:`Buntime.with_options <buntime.Buntime.with_options>` changes."""

    timeout: Optional[float]
    deadline: Optional[float]
    max_retries: int
    retry_delay: float
    on_retry: Optional[Callable[[BuntimeError, int], object]]
    max_output: Optional[int]


_DEFAULT_POLICY = RetryPolicy()
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "timeout": _validate.timeout,
    "deadline": partial(_validate.seconds, zero=False),
    "max_retries": partial(_validate.count, minimum=0),
    "retry_delay": _validate.seconds,
    "on_retry": _validate.optional_callable,
    "max_output": _validate.max_output,
}

_SOURCES: dict[str, Optional[str]] = {
    "http": "http",
    "local": "local",
    "record": "http",
    "record+local": "local",
    "replay": None,
}
"""For each kind of transport, which one sends its requests: ``http`` uses a key and a base URL."""
_CASSETTES = frozenset({"replay", "record", "record+local"})
_LOG_SWITCH = {**dict.fromkeys(("1", "true", "yes"), "debug"), **dict.fromkeys(("0", "false", "no"), "")}


def configure_logging(service: ServiceSettings = BUNTIME_SH) -> str:
    """Print logs to stderr if the service's variable is set, and return their level, by default ``""``."""
    value = os.environ.get(service.log_variable, "")
    level = _LOG_SWITCH.get(value.lower(), value)
    if not value and service.debug_variable and os.environ.get(service.debug_variable, "").lower() == "true":
        level = "debug"
    if not level:
        return ""
    if level.lower() not in {"debug", "info"}:
        raise ConfigurationError(f"{service.log_variable} is {level!r}; it must be debug, info, 1 or 0")
    print_logs(level)
    return level.lower()


def api_key(value: str | None, service: ServiceSettings = BUNTIME_SH) -> Secret | None:
    """Return the key from the argument, else from the service's variable; ``None`` if neither is set."""
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{service.key_argument} must be a str, not {type(value).__name__}")
    source = service.key_variable if value is None else service.key_argument
    # Rebound, so that no traceback with local variables shows it.
    value = Secret(os.environ.get(service.key_variable, "") if value is None else value)
    if not value:
        return None
    if " " in value or not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"{source} contains characters that no key has, such as a space or a line end; remove them"
        )
    return value


def _required_key(service: ServiceSettings) -> Pairs:
    """Return the header with the key of the environment, for a client that was made without one."""
    key = api_key(None, service)
    if key is None:
        raise ConfigurationError(
            f"no API key: set {service.key_variable} or pass {service.key_argument}= "
            f"(to run on this machine without a key, set {service.transport_variable}=local)"
        )
    return header_pairs(None, key)


def _needs_key(service: ServiceSettings) -> bool:
    """Whether the transport that the environment names sends a key."""
    name = os.environ.get(service.transport_variable, "") or "http"
    return _SOURCES.get(name.partition(":")[0]) == "http"


def choose_transport(
    base_url: str | None, transport: Transport | None, service: ServiceSettings = BUNTIME_SH
) -> Transport:
    """Return the transport that was passed, else the one that ``BUNTIME_TRANSPORT`` names."""
    if transport is not None:
        if base_url is not None:
            raise ConfigurationError("base_url belongs to the transport; pass it there, or omit transport=")
        return _checked_transport(transport)
    name = os.environ.get(service.transport_variable, "") or "http"
    kind, colon, path = name.partition(":")
    if kind not in _SOURCES or bool(colon) != (kind in _CASSETTES) or bool(path) != bool(colon):
        raise ConfigurationError(
            f"{service.transport_variable} is {name!r}; it can be 'http', 'local', 'replay:PATH', "
            "'record:PATH' or 'record+local:PATH'"
        )
    source = _SOURCES[kind]
    if base_url is not None and source != "http":
        raise ConfigurationError(
            f"base_url has no effect with {service.transport_variable}={name}; omit one of them"
        )
    if source is None:
        from buntime.transport import ReplayTransport

        return ReplayTransport(path)
    inner = make_transport(source, base_url, service)
    if kind not in _CASSETTES:
        return inner
    from buntime.transport import RecordingTransport

    try:
        return RecordingTransport(path, inner)
    except BaseException:
        inner.close()
        raise


def _checked_transport(transport: object) -> Transport:
    if isinstance(transport, type):
        name = transport.__name__
        raise ConfigurationError(f"transport must be an instance: pass {name}(...), not the class {name}")
    # The module has no classes yet while another thread imports it.
    if isinstance(transport, getattr(sys.modules.get("requests"), "Session", ())):
        raise ConfigurationError(
            "transport is a session of requests; pass HTTPTransport(base_url, session=session)"
        )
    if not isinstance(transport, Transport):
        name = type(transport).__name__
        raise ConfigurationError(f"transport must be a transport, such as LocalTransport(), not {name}")
    return transport


def make_transport(
    name: str, base_url: str | None = None, service: ServiceSettings = BUNTIME_SH
) -> Transport:
    """Return a new transport: ``http`` or ``local``."""
    if name == "local":
        from buntime.transport import LocalTransport

        return LocalTransport()
    from buntime.transport import HTTPTransport

    url = os.environ.get(service.url_variable, "")
    if base_url or not url:
        return HTTPTransport(base_url or service.base_url)
    try:
        return HTTPTransport(url)
    except ConfigurationError as error:
        raise ConfigurationError(f"{service.url_variable}: {error}") from None


def new_caller(
    adapter: ServiceAdapter,
    key: str | None,
    headers: Optional[Mapping[str, str]],
    base_url: str | None,
    transport: Transport | None,
    options: ClientOptions,
    service: ServiceSettings = BUNTIME_SH,
) -> Caller:
    """Return the caller of a new client; if it has no key, the first call reads it."""
    values = caller_options(options)
    pairs = header_pairs(headers, api_key(key, service))
    if transport is None and _needs_key(service) and not _has_credentials(pairs):
        values["find_credentials"] = partial(_required_key, service)
    return Caller(choose_transport(base_url, transport, service), adapter, headers=pairs, **values)


def caller_options(options: ClientOptions, policy: RetryPolicy = _DEFAULT_POLICY) -> dict[str, Any]:
    """Return the options as arguments of a :class:`~buntime.engine.caller.Caller`, checked."""
    check_arguments("with_options", options, _CHECKS)
    values = {name: checked(_CHECKS[name], name, value) for name, value in options.items()}
    retries = {name: values.pop(name) or 0 for name in ("max_retries", "retry_delay") if name in values}
    return {**values, "policy": attrs.evolve(policy, **retries)}


def checked(check: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call a function of ``_validate``; its errors become :class:`~buntime.ConfigurationError`."""
    try:
        return check(*arguments, **options)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(str(error)) from None


def as_secrets(headers: Optional[Mapping[str, str]]) -> Optional[Mapping[str, str]]:
    """Return headers with values that no ``repr`` shows; anything but a mapping unchanged."""
    if not isinstance(headers, Mapping):
        return headers
    return {name: Secret(value) if isinstance(value, str) else value for name, value in headers.items()}


def _has_credentials(headers: Pairs) -> bool:
    """Whether the headers have an ``Authorization``."""
    return any(name.lower() == "authorization" for name, _ in headers)


def header_pairs(headers: Optional[Mapping[str, str]], key: Secret | None) -> Pairs:
    """Return the headers of every call. An ``Authorization`` among ``headers`` replaces the key's."""
    pairs: Pairs = checked(_header_pairs, headers)
    names = {name.lower() for name, _ in pairs}
    if "idempotency-key" in names:
        raise ConfigurationError(
            "an Idempotency-Key belongs to one call; pass idempotency_key= to sessions.create"
        )
    if key is None or "authorization" in names:
        return pairs
    return (("Authorization", KeyHeader("Bearer " + key)), *pairs)


def _header_pairs(headers: Optional[Mapping[str, str]]) -> Pairs:
    if headers is not None and not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping of str to str, not {type(headers).__name__}")
    pairs = []
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"headers must map str to str; {name!r} does not")
        if not name or not name.isascii() or any(c.isspace() or c in '()<>@,;:\\"/[]?={}' for c in name):
            raise ValueError(f"headers has the name {name!r}, which HTTP does not allow")
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(f"the header {name} has a value that HTTP does not allow") from None
        if any(c in "\r\n\0" for c in value):
            raise ValueError(f"the header {name} has a value that HTTP does not allow")
        pairs.append((name, Secret(value)))
    return tuple(pairs)


export("buntime", ClientOptions)
