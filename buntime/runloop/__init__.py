"""Run commands in devboxes of Runloop, from blocking Python code.

Imports `client/` for settings, `engine/`, and its own `wire/`. The errors have their official names too.
"""

from buntime._support.export import export
from buntime.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from buntime.errors import BuntimeError as RunloopError
from buntime.errors import InvalidRequestError as BadRequestError
from buntime.errors import InvalidResponseError as APIResponseValidationError
from buntime.errors import ServerError as InternalServerError
from buntime.errors import WaitTimeoutError as PollingTimeout
from buntime.runloop.api import Api, Page
from buntime.runloop.commands import CommandInterface, ExecOptions, Execution, ExecutionResult, NamedShell
from buntime.runloop.connection import RequestOptions, WaitOptions
from buntime.runloop.devbox import (
    Blueprint,
    BlueprintOps,
    Devbox,
    DevboxOps,
    FileInterface,
    NetworkInterface,
    Snapshot,
    SnapshotOps,
)
from buntime.runloop.output import OutputChunk, OutputStream
from buntime.runloop.resource import Listing
from buntime.runloop.scenario_builder import ScenarioBuilder
from buntime.runloop.scenarios import (
    Benchmark,
    BenchmarkOps,
    BenchmarkRun,
    Scenario,
    ScenarioOps,
    ScenarioRun,
    Scorer,
    ScorerOps,
)
from buntime.runloop.sdk import Runloop, RunloopSDK
from buntime.runloop.storage import Agent, AgentOps, Secret, SecretOps, StorageObject, StorageObjectOps
from buntime.runloop.waiting import ResourceFailedError
from buntime.runloop.wire.multipart import NamedFile, to_file
from buntime.runloop.wire.views.base import LogView, View
from buntime.runloop.wire.views.devboxes import (
    AgentView,
    BlueprintLogsView,
    BlueprintView,
    DevboxLogsView,
    DevboxView,
    ExecutionDetailView,
    ExecutionView,
    LaunchParametersView,
    ObjectDownloadURLView,
    ObjectView,
    SecretView,
    SendStdInView,
    SnapshotStatusView,
    SnapshotView,
    SSHKeyView,
    StateTransitionView,
    TunnelView,
)
from buntime.runloop.wire.views.scoring import (
    BenchmarkRunView,
    BenchmarkView,
    InputContextView,
    ScenarioEnvironmentView,
    ScenarioPreviewView,
    ScenarioRunView,
    ScenarioView,
    ScorerValidationView,
    ScorerView,
    ScoringContractResultView,
    ScoringContractView,
    ScoringFunctionResultView,
    ScoringFunctionView,
)

# fmt: off
__all__ = [
    "APIConnectionError", "APIError", "APIResponseValidationError", "APIStatusError", "APITimeoutError",
    "Agent", "AgentOps", "AgentView", "Api", "AuthenticationError", "BadRequestError", "Benchmark",
    "BenchmarkOps", "BenchmarkRun", "BenchmarkRunView", "BenchmarkView", "Blueprint", "BlueprintLogsView",
    "BlueprintOps", "BlueprintView", "CommandInterface", "ConflictError", "Devbox", "DevboxLogsView",
    "DevboxOps", "DevboxView", "ExecOptions", "Execution", "ExecutionDetailView", "ExecutionResult",
    "ExecutionView", "FileInterface", "InputContextView", "InternalServerError", "LaunchParametersView",
    "Listing", "LogView", "NamedFile", "NamedShell", "NetworkInterface", "NotFoundError",
    "ObjectDownloadURLView", "ObjectView", "OutputChunk", "OutputStream", "Page", "PermissionDeniedError",
    "PollingTimeout", "RateLimitError", "RequestOptions", "ResourceFailedError", "Runloop", "RunloopError",
    "RunloopSDK", "SSHKeyView", "Scenario", "ScenarioBuilder", "ScenarioEnvironmentView", "ScenarioOps",
    "ScenarioPreviewView", "ScenarioRun", "ScenarioRunView", "ScenarioView", "Scorer", "ScorerOps",
    "ScorerValidationView", "ScorerView", "ScoringContractResultView", "ScoringContractView",
    "ScoringFunctionResultView", "ScoringFunctionView", "Secret", "SecretOps", "SecretView", "SendStdInView",
    "Snapshot", "SnapshotOps", "SnapshotStatusView", "SnapshotView", "StateTransitionView", "StorageObject",
    "StorageObjectOps", "TunnelView", "UnprocessableEntityError", "View", "WaitOptions", "to_file",
]
# fmt: on

_PUBLIC = [globals()[name] for name in __all__]
export(__name__, *(each for each in _PUBLIC if each.__module__.startswith(__name__)))
