"""The values that the service returns. Unknown fields are in ``extra``, and unknown statuses pass."""

from __future__ import annotations

from typing import Any, Optional

import attrs

from buntime._http import BufferedResponse, Secret
from buntime._support.export import export
from buntime.wire.fields import invalid

_SECRET = frozenset({"ssh_private_key", "auth_token"})
_NESTED = {
    "after_idle": "View",
    "user_parameters": "View",
    "launch_parameters": "LaunchParametersView",
    "logs": "LogView",
    "parameters": "View",
    "snapshot": "SnapshotView",
    "state_transitions": "StateTransitionView",
    "tunnel": "TunnelView",
}
"""The class of the fields that are objects or lists of objects."""
_IDS = frozenset({"id", "execution_id", "devbox_id"})


@attrs.frozen(kw_only=True, slots=False)
class View:
    """A JSON object of the service; a field that has no attribute is one all the same, and in ``extra``."""

    extra: dict[str, Any] = attrs.field(factory=dict)

    @classmethod
    def from_json(cls, value: Any, response: BufferedResponse) -> Any:
        """Return the view of a decoded object; null is an absent field.

        Raises :class:`~buntime.InvalidResponseError` for anything but an object, for a required field that is
        missing, and for an id that cannot be part of a path.
        """
        if not isinstance(value, dict):
            raise invalid(response, f"the body is a JSON {type(value).__name__}, not an object")
        fields = attrs.fields_dict(cls)
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, item in value.items():
            if item is None:
                continue
            if name in fields and name != "extra":
                values[name] = cls._field(name, item, response)
            else:
                extra[name] = item
        for name, field in fields.items():
            if field.default is not attrs.NOTHING:
                continue
            item = values.get(name)
            if not isinstance(item, str) or (name in _IDS and item in {"", ".", ".."}):
                raise invalid(response, f"the field {name!r} is {item!r}, not a text")
        return cls(**values, extra=extra)

    @classmethod
    def _field(cls, name: str, item: Any, response: BufferedResponse) -> Any:
        if name in _SECRET and isinstance(item, str):
            return Secret(item)
        kind = _KINDS.get(_NESTED.get(name, ""))
        if kind is None:
            return item
        if isinstance(item, list):
            return [kind.from_json(each, response) for each in item]
        return kind.from_json(item, response)

    def __getattr__(self, name: str) -> Any:
        extra = vars(self).get("extra", {})
        if name in extra:
            return extra[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the object as JSON has it, without absent fields."""
        values = {name: value for name, value in vars(self).items() if value is not None and name != "extra"}
        return {name: _plain(value) for name, value in {**values, **self.extra}.items()}

    model_dump = to_dict


def _plain(value: Any) -> Any:
    if isinstance(value, View):
        return value.to_dict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Secret) else value


@attrs.frozen(kw_only=True, slots=False)
class TunnelView(View):
    """A tunnel to the ports of a devbox."""

    tunnel_key: str
    auth_mode: Optional[str] = None
    auth_token: Optional[str] = None
    create_time_ms: Optional[int] = None
    http_keep_alive: Optional[bool] = None
    wake_on_http: Optional[bool] = None


@attrs.frozen(kw_only=True, slots=False)
class LaunchParametersView(View):
    """How a devbox was started; times are seconds."""

    keep_alive_time_seconds: Optional[int] = None
    launch_commands: Optional[list[str]] = None
    resource_size_request: Optional[str] = None
    architecture: Optional[str] = None
    after_idle: Optional[View] = None
    available_ports: Optional[list[int]] = None
    custom_cpu_cores: Optional[float] = None
    custom_disk_size: Optional[int] = None
    custom_gb_memory: Optional[int] = None
    network_policy_id: Optional[str] = None
    required_services: Optional[list[str]] = None
    user_parameters: Optional[View] = None


@attrs.frozen(kw_only=True, slots=False)
class StateTransitionView(View):
    """A status of a devbox, and when it had it."""

    status: Optional[str] = None
    transition_time_ms: Optional[int] = None
    failure_reason: Optional[str] = None


@attrs.frozen(kw_only=True, slots=False)
class DevboxView(View):
    """A devbox. Times are milliseconds since the epoch."""

    id: str
    status: str
    name: Optional[str] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    launch_parameters: Optional[LaunchParametersView] = None
    state_transitions: list[StateTransitionView] = attrs.field(factory=list)
    capabilities: list[str] = attrs.field(factory=list)
    create_time_ms: Optional[int] = None
    end_time_ms: Optional[int] = None
    blueprint_id: Optional[str] = None
    snapshot_id: Optional[str] = None
    failure_reason: Optional[str] = None
    shutdown_reason: Optional[str] = None
    tunnel: Optional[TunnelView] = None
    initiator_type: Optional[str] = None
    initiator_id: Optional[str] = None


@attrs.frozen(kw_only=True, slots=False)
class ExecutionView(View):
    """The state of an execution; ``stdout`` and ``stderr`` are its last lines."""

    devbox_id: str
    execution_id: str
    status: str
    exit_status: Optional[int] = None
    stdout: Optional[str] = None
    stderr: Optional[str] = None
    stdout_truncated: Optional[bool] = None
    stderr_truncated: Optional[bool] = None
    shell_name: Optional[str] = None


@attrs.frozen(kw_only=True, slots=False)
class ExecutionDetailView(View):
    """The result of a command that the service waited for, or of writing a file."""

    devbox_id: str
    exit_status: Optional[int] = None
    stdout: Optional[str] = None
    stderr: Optional[str] = None
    shell_name: Optional[str] = None


@attrs.frozen(kw_only=True, slots=False)
class SendStdInView(View):
    """Whether standard input reached an execution."""

    devbox_id: str
    execution_id: str
    success: Optional[bool] = None


@attrs.frozen(kw_only=True, slots=False)
class SSHKeyView(View):
    """A key for SSH to a devbox."""

    id: str
    ssh_user: Optional[str] = None
    url: Optional[str] = None
    ssh_private_key: Optional[str] = None


@attrs.frozen(kw_only=True, slots=False)
class LogView(View):
    """An entry of the log of a devbox or a build; ``cmd`` is the text of a command."""

    level: Optional[str] = None
    timestamp_ms: Optional[int] = None
    source: Optional[str] = None
    message: Optional[str] = None
    cmd: Optional[str] = None
    cmd_id: Optional[str] = None
    exit_code: Optional[int] = None
    shell_name: Optional[str] = None


@attrs.frozen(kw_only=True, slots=False)
class DevboxLogsView(View):
    """The log of a devbox."""

    logs: list[LogView] = attrs.field(factory=list)


@attrs.frozen(kw_only=True, slots=False)
class SnapshotView(View):
    """A snapshot of a disk."""

    id: str
    name: Optional[str] = None
    commit_message: Optional[str] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    source_devbox_id: Optional[str] = None
    source_blueprint_id: Optional[str] = None
    create_time_ms: Optional[int] = None
    size_bytes: Optional[int] = None


@attrs.frozen(kw_only=True, slots=False)
class SnapshotStatusView(View):
    """The state of a snapshot: ``in_progress``, ``complete``, ``error`` or ``deleted``."""

    status: str
    error_message: Optional[str] = None
    snapshot: Optional[SnapshotView] = None


@attrs.frozen(kw_only=True, slots=False)
class BlueprintView(View):
    """A blueprint: an image that devboxes start from."""

    id: str
    status: str
    name: Optional[str] = None
    state: Optional[str] = None
    parameters: Optional[View] = None
    create_time_ms: Optional[int] = None
    build_finish_time_ms: Optional[int] = None
    base_blueprint_id: Optional[str] = None
    failure_reason: Optional[str] = None
    is_public: Optional[bool] = None
    metadata: Optional[dict[str, str]] = None


@attrs.frozen(kw_only=True, slots=False)
class BlueprintLogsView(View):
    """The log of a build."""

    blueprint_id: Optional[str] = None
    logs: list[LogView] = attrs.field(factory=list)


_KINDS: dict[str, type[View]] = {
    kind.__name__: kind
    for kind in (
        View,
        BlueprintLogsView,
        BlueprintView,
        DevboxLogsView,
        DevboxView,
        LaunchParametersView,
        StateTransitionView,
        ExecutionDetailView,
        ExecutionView,
        LogView,
        SSHKeyView,
        SendStdInView,
        SnapshotStatusView,
        SnapshotView,
        TunnelView,
    )
}
"""Each view by its name, as routes and fields name it."""


def view_class(name: str) -> type[View]:
    """Return the class of that name."""
    return _KINDS[name]


export("buntime.runloop", *_KINDS.values())
