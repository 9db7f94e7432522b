"""The limits of the service: those of the contract, and those of the plans."""

from __future__ import annotations

from typing import Any

import attrs

from buntime.service.errors import ServiceError
from buntime.service.executors import MB, Limits

DAY = 24 * 3600

MIN_TTL = 300
DEFAULT_TTL = DAY
MAX_METADATA = 16 * 1024
DEFAULT_PAGE = 50
MAX_PAGE = 100


@attrs.frozen
class Plan:
    """The limits of an account. ``ttl`` and ``timeout`` in seconds, ``memory`` and ``disk`` in MB.

    Exceeding a limit of a plan with a ``name`` is a 403 ``plan_limit``; if ``name`` is ``None``, it is a 400.
    A number that is ``None`` means no limit.
    """

    name: str | None
    requests_per_minute: int | None
    concurrent_sessions: int | None
    max_ttl: int
    resource_overrides: bool
    execution_timeout: int
    memory_per_execution: int
    file_size: int
    files_per_request: int
    env_variables: int
    disk: int

    def check(self, limit: str, value: float, *, field: str, of: str | None = None) -> None:
        """Raise an error if ``value`` exceeds the limit of that name.

        ``field`` is the request's name for the value. If the value is a number of things, ``of`` names them.
        """
        highest = getattr(self, limit)
        if value > highest:
            bound = f"may be at most {highest}" if of is None else f"may have at most {highest} {of}"
            raise self.limit_error(limit, highest, value, f"{field} {bound}", field=field)

    def limit_error(self, limit: str, highest: Any, value: Any, message: str, *, field: str) -> ServiceError:
        """Return the error for a ``value`` that exceeds a limit."""
        details = {"field": field, "limit": limit, "max": highest, "value": value, "plan": self.name}
        if self.name is None:
            return ServiceError("invalid_request", message, details)
        return ServiceError("plan_limit", f"{message} on the {self.name} plan", details)

    def check_file_size(self, path: str, size: int) -> None:
        """Raise a 413 if a file of ``size`` bytes is too large."""
        if size > self.file_size:
            raise ServiceError(
                "file_too_large",
                f"{path} has {size} bytes; a file may have {self.file_size}",
                {"path": path, "limit": "file_size", "max": self.file_size, "value": size, "plan": self.name},
            )

    def too_many_sessions(self, open_sessions: int) -> ServiceError:
        """Return the 403 for one more session than may be open.

        It is not a 429, although waiting may help: a client that retries automatically would only wait for
        its own sessions to end.
        """
        highest = self.concurrent_sessions
        return ServiceError(
            "concurrent_session_limit",
            f"{open_sessions} sessions are open, as many as the {self.name} plan allows; delete one first",
            {"limit": "concurrent_sessions", "max": highest, "value": open_sessions + 1, "plan": self.name},
        )

    def default_limits(self) -> Limits:
        """Return the resources of a session by default."""
        return Limits(disk=self.disk)


_FREE = Plan(
    name="free",
    requests_per_minute=100,
    concurrent_sessions=10,
    max_ttl=DAY,
    resource_overrides=False,
    execution_timeout=30,
    memory_per_execution=1024,
    file_size=10 * MB,
    files_per_request=100,
    env_variables=100,
    disk=1024,
)
_PAID = Plan(
    name="paid",
    requests_per_minute=1000,
    concurrent_sessions=100,
    max_ttl=7 * DAY,
    resource_overrides=True,
    execution_timeout=300,
    memory_per_execution=4096,
    file_size=50 * MB,
    files_per_request=1000,
    env_variables=500,
    disk=5120,
)
_ENTERPRISE = attrs.evolve(_PAID, name="enterprise", requests_per_minute=None, concurrent_sessions=None)
_NO_PLAN = attrs.evolve(_ENTERPRISE, name=None, env_variables=100, disk=1024)

PLANS = {"free": _FREE, "paid": _PAID, "enterprise": _ENTERPRISE}
"""The plans by name. ``enterprise``, published as "custom", has the limits of ``paid`` and no quota."""


def plan_named(name: str | None) -> Plan:
    """Return a plan; for ``None`` the limits that the contract states for everyone, and no quota.

    Raises ``ValueError`` for an unknown name.
    """
    if name is None:
        return _NO_PLAN
    try:
        return PLANS[name]
    except KeyError:
        raise ValueError(f"plan must be one of {', '.join(PLANS)}, or None; not {name!r}") from None
