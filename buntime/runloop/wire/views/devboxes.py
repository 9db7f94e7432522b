"""Devboxes, their executions, tunnels and keys; snapshots, blueprints, objects, agents and secrets."""

from __future__ import annotations

from typing import Any, Optional

import attrs

from buntime.runloop.wire.views.base import LogView, View


class _NamedView(View):
    """Something that was created; the time is milliseconds since the epoch."""

    id: str
    name: Optional[str] = None
    create_time_ms: Optional[int] = None


class TunnelView(View):
    """A tunnel to the ports of a devbox."""

    tunnel_key: str
    auth_mode: Optional[str] = None
    auth_token: Optional[str] = None
    create_time_ms: Optional[int] = None
    http_keep_alive: Optional[bool] = None
    wake_on_http: Optional[bool] = None


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


class StateTransitionView(View):
    """A status of a devbox, and when it had it."""

    status: Optional[str] = None
    transition_time_ms: Optional[int] = None
    failure_reason: Optional[str] = None


class DevboxView(_NamedView):
    """A devbox. Times are milliseconds since the epoch."""

    status: str
    metadata: dict[str, str] = attrs.field(factory=dict)
    launch_parameters: Optional[LaunchParametersView] = None
    state_transitions: list[StateTransitionView] = attrs.field(factory=list)
    capabilities: list[str] = attrs.field(factory=list)
    end_time_ms: Optional[int] = None
    blueprint_id: Optional[str] = None
    snapshot_id: Optional[str] = None
    failure_reason: Optional[str] = None
    shutdown_reason: Optional[str] = None
    tunnel: Optional[TunnelView] = None
    initiator_type: Optional[str] = None
    initiator_id: Optional[str] = None


class ExecutionDetailView(View):
    """The result of a command that the service waited for, or of writing a file."""

    devbox_id: str
    exit_status: Optional[int] = None
    stdout: Optional[str] = None
    stderr: Optional[str] = None
    shell_name: Optional[str] = None


class ExecutionView(ExecutionDetailView):
    """The state of an execution; ``stdout`` and ``stderr`` are its last lines."""

    execution_id: str
    status: str
    stdout_truncated: Optional[bool] = None
    stderr_truncated: Optional[bool] = None


class SendStdInView(View):
    """Whether standard input reached an execution."""

    devbox_id: str
    execution_id: str
    success: Optional[bool] = None


class SSHKeyView(View):
    """A key for SSH to a devbox."""

    id: str
    ssh_user: Optional[str] = None
    url: Optional[str] = None
    ssh_private_key: Optional[str] = None


class DevboxLogsView(View):
    """The log of a devbox."""

    logs: list[LogView] = attrs.field(factory=list)


class SnapshotView(_NamedView):
    """A snapshot of a disk."""

    commit_message: Optional[str] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    source_devbox_id: Optional[str] = None
    source_blueprint_id: Optional[str] = None
    size_bytes: Optional[int] = None


class SnapshotStatusView(View):
    """The state of a snapshot: ``in_progress``, ``complete``, ``error`` or ``deleted``."""

    status: str
    error_message: Optional[str] = None
    snapshot: Optional[SnapshotView] = None


class BlueprintView(_NamedView):
    """A blueprint: an image that devboxes start from."""

    status: str
    state: Optional[str] = None
    parameters: Optional[View] = None
    build_finish_time_ms: Optional[int] = None
    base_blueprint_id: Optional[str] = None
    failure_reason: Optional[str] = None
    is_public: Optional[bool] = None
    metadata: Optional[dict[str, str]] = None


class BlueprintLogsView(View):
    """The log of a build."""

    blueprint_id: Optional[str] = None
    logs: list[LogView] = attrs.field(factory=list)


class ObjectView(_NamedView):
    """An object of the storage, whose state is ``UPLOADING``, ``READ_ONLY``, ``DELETED`` or ``ERROR``."""

    content_type: Optional[str] = None
    state: Optional[str] = None
    delete_after_time_ms: Optional[int] = None
    size_bytes: Optional[int] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    upload_url: Optional[str] = None
    """Where the content is sent, in the response of a creation."""
    upload_headers: Optional[dict[str, str]] = attrs.field(default=None, repr=False)


class ObjectDownloadURLView(View):
    """A URL that returns the content of an object, without a key, until it expires."""

    download_url: str


class AgentView(_NamedView):
    """An agent. Its ``source`` has a ``type``, and details in a field of that name."""

    version: Optional[str] = None
    source: Optional[dict[str, Any]] = None
    is_public: Optional[bool] = None


class SecretView(View):
    """A secret, without its value."""

    id: str
    name: str
    create_time_ms: Optional[int] = None
    update_time_ms: Optional[int] = None
