"""Runs of scenarios and benchmarks: a devbox for an agent, and scorers that run in it one after another."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Callable, Optional

import attrs

from buntime.service.devboxes.box import HOME
from buntime.service.devboxes.devbox import ENDED, Devbox
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.files import write_file
from buntime.service.devboxes.history import Execution
from buntime.service.devboxes.spec import without_nulls

ALIVE = ("running", "scoring", "scored")
_OUTPUT_LINES = 1000
_CANNOT_START = 126
_SCORE = re.compile(r"(?im)^\s*(?:score\s*=\s*)?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*$")
# Scripts arrive on standard input: without isolation no path is the same for the model and for commands.
_PYTHON = "python3 - <<'{end}'\n{script}\n{end}"
_WITH_REQUIREMENTS = """\
export PYTHONPATH=$(mktemp -d)
python3 -m pip install --quiet --target "$PYTHONPATH" -r /dev/stdin <<'{end}' || exit 126
{requirements}
{end}
"""


@attrs.define(eq=False)
class Record:
    """A scenario, a scorer or a benchmark: its fields, a new mapping after each change."""

    id: str
    fields: Mapping[str, Any]


@attrs.frozen
class _Plan:
    """How one scorer runs: a command, files to write before it, and whether its exit status is the score."""

    command: str
    by_status: bool = False
    files: tuple[Mapping[str, str], ...] = ()
    environment: Mapping[str, str] = attrs.field(factory=dict)

    def score(self, execution: Execution) -> Optional[float]:
        """Return the score of a completed execution, from 0 to 1; ``None`` if there is none."""
        if execution.exit_status == _CANNOT_START:
            return None
        if self.by_status:
            return float(execution.exit_status == 0)
        scores = _SCORE.findall(execution.outputs["stdout"].last_lines(2**62)[0])
        return min(1.0, max(0.0, float(scores[-1]))) if scores else None


def _plan(scorer: Mapping[str, Any], find_script: Callable[[str], str]) -> _Plan:
    """Return how a scorer runs; an ``ApiError`` with the reason if it cannot."""
    kind = scorer["type"]
    if kind == "command_scorer":
        return _Plan(scorer["command"], by_status=True)
    if kind == "bash_script_scorer":
        return _Plan(scorer["bash_script"])
    if kind == "test_based_scorer":
        return _Plan(scorer["test_command"], by_status=True, files=tuple(scorer.get("test_files") or ()))
    if kind == "custom_scorer":
        context = json.dumps(scorer.get("scorer_params"))
        return _Plan(find_script(scorer["custom_scorer_type"]), environment={"RL_SCORER_CONTEXT": context})
    if kind == "python_script_scorer":
        script, requirements = scorer["python_script"], scorer.get("requirements_contents") or ""
        end = "END_OF_SCORER"
        while end in script + requirements:
            end += "_"
        setup = _WITH_REQUIREMENTS.format(end=end, requirements=requirements) if requirements.strip() else ""
        return _Plan(setup + _PYTHON.format(end=end, script=script))
    raise invalid("This model does not run ast-grep")


@attrs.define(eq=False)
class ScenarioRun:
    """A run of a scenario on a devbox: running, scoring, scored; ends completed, canceled, timeout or failed.

    Its state is guarded by the devbox's lock. Each scorer starts when the one before it has ended; a deadline
    of the devbox bounds them together. The devbox ends with the run.
    """

    id: str
    devbox: Devbox
    scenario: Record
    details: Mapping[str, Any]
    _find_script: Callable[[str], str]
    state: str = "running"
    results: list[dict[str, Any]] = attrs.field(factory=list)
    _ended: Optional[float] = None
    _execution: Optional[Execution] = None
    # A scenario that is changed has other fields: those of the start count.
    _fields: Mapping[str, Any] = attrs.Factory(lambda self: self.scenario.fields, takes_self=True)
    _functions: list[Any] = attrs.Factory(
        lambda self: self._fields["scoring_contract"]["scoring_function_parameters"], takes_self=True
    )

    def settle(self) -> str:
        """Bring the run up to date, and return its state. The lock of its devbox is held."""
        self.devbox.settle()
        # An execution that ended with the processes of the devbox does not report its end.
        is_lost = self._execution is not None and self._execution.exit_status is not None
        if (self.state == "scoring" and is_lost) or (self.state == "running" and self.devbox.status in ENDED):
            self.end("failed")
        return self.state

    def require(self, *states: str) -> None:
        """Bring the run up to date, and raise a 400 unless it has one of these states."""
        if self.settle() not in states:
            required = " or ".join(states)
            raise invalid(f"Scenario run {self.id} is {self.state}; this needs it to be {required}")

    def end(self, state: str, at: Optional[float] = None) -> None:
        """End the run and its devbox. Scorers that have not ended get no result of their own."""
        with self.devbox.lock:
            if at is None:
                at = self.devbox.clock.monotonic() if self.devbox.ended is None else self.devbox.ended
            result = "error"
            while self.state == "scoring" and len(self.results) < len(self._functions):
                self._add_result(0.0, result, f"Ended with the run, which is {state}")
                result = "unknown"
            self.state, self._ended, self.devbox.deadline = state, at, None
            self.devbox.end(at)

    def score(self) -> None:
        """Start the scorers."""
        with self.devbox.lock:
            self.require("running")
            self.devbox.require("running")
            self.state = "scoring"
            now = self.devbox.clock.monotonic()
            seconds = self._fields.get("scorer_timeout_sec") or 1800
            self.devbox.deadline = (now + seconds, partial(self.end, "timeout"))
            self._score_next(now)

    def _score_next(self, at: float) -> None:
        environment = self._fields.get("environment_parameters") or {}
        folder = posixpath.join(HOME, re.sub("^~/", "", environment.get("working_directory") or ""))
        while len(self.results) < len(self._functions):
            try:
                plan = _plan(self._functions[len(self.results)]["scorer"], self._find_script)
                for file in plan.files:
                    content = (file.get("file_contents") or "").encode()
                    write_file(self.devbox, posixpath.join(folder, file["file_path"]), content)
            except ApiError as error:
                self._add_result(0.0, "error", error.message)
                continue
            self._start(plan, posixpath.relpath(folder, HOME), at)
            return
        self.state, self.devbox.deadline, self._execution = "scored", None, None

    def _start(self, plan: _Plan, folder: str, at: float) -> None:
        def ended(at: float) -> None:
            if self.state == "scoring":
                score = plan.score(execution)
                output = "".join(log.last_lines(_OUTPUT_LINES)[0] for log in execution.outputs.values())
                self._add_result(score or 0.0, "error" if score is None else "complete", output)
                self._score_next(at)

        execution = self._execution = Execution(
            self.devbox.host.new_id("exc_"),
            plan.command,
            at,
            working_directory=folder,
            environment=plan.environment,
            on_end=ended,
        )
        try:
            self.devbox.run(execution, at)
        except Exception:
            # On the fake, the error of a script reaches the caller.
            self.end("failed")
            raise

    def _add_result(self, score: float, state: str, output: str) -> None:
        name = self._functions[len(self.results)]["name"]
        result = {"scoring_function_name": name, "score": score, "state": state, "output": output}
        self.results.append(result)

    def view(self) -> dict[str, Any]:
        """Return the fields of a response."""
        with self.devbox.lock:
            self.settle()
            start = self.devbox.history.milliseconds(self.devbox.created)
            fields = {
                "id": self.id,
                "devbox_id": self.devbox.id,
                "scenario_id": self.scenario.id,
                "state": self.state,
                "start_time_ms": start,
                **self.details,
            }
            if self._ended is not None:
                fields["duration_ms"] = self.devbox.history.milliseconds(self._ended) - start
            if self.results and self.state != "scoring":
                weights = [function["weight"] for function in self._functions]
                total = sum(weight * each["score"] for weight, each in zip(weights, self.results))
                result = {"score": total / sum(weights), "scoring_function_results": self.results}
                fields["scoring_contract_result"] = result
        return without_nulls(fields)


@attrs.define(eq=False)
class BenchmarkRun:
    """A run of a benchmark: running, then completed or canceled. Its profile applies to its scenario runs."""

    id: str
    benchmark: Record
    details: Mapping[str, Any]
    profile: Mapping[str, Any]
    start_time_ms: int
    state: str = "running"
    duration_ms: Optional[int] = None
    score: Optional[float] = None

    def view(self) -> dict[str, Any]:
        """Return the fields of a response."""
        fields = attrs.asdict(self, filter=attrs.filters.exclude("benchmark", "details", "profile"))
        return without_nulls({**fields, "benchmark_id": self.benchmark.id, **self.details})
