"""Runs of scenarios and benchmarks: a devbox for an agent, and scorers that run in it one after another."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any, Callable, Optional

import attrs

from buntime.service.devboxes.box import HOME, Execution
from buntime.service.devboxes.devbox import ENDED, Devbox
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.files import write_file
from buntime.service.devboxes.spec import without_nulls

ALIVE = ("running", "scoring", "scored")
_OUTPUT_LINES = 1000
_CANNOT_START = 126
_SCORE = re.compile(
    r"^\s*(?:score\s*=\s*)?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*$", re.IGNORECASE | re.MULTILINE
)
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
    files: tuple[tuple[str, str], ...] = ()
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
        files = (
            (file["file_path"], file.get("file_contents") or "") for file in scorer.get("test_files") or ()
        )
        return _Plan(scorer["test_command"], by_status=True, files=tuple(files))
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


class ScenarioRun:
    """A run of a scenario on a devbox: running, scoring, scored; ends completed, canceled, timeout or failed.

    Its state is guarded by the devbox's lock. Each scorer starts when the one before it has ended; a deadline
    of the devbox bounds them together. The devbox ends with the run.
    """

    def __init__(
        self,
        run_id: str,
        devbox: Devbox,
        scenario: Record,
        details: Mapping[str, Any],
        find_script: Callable[[str], str],
        new_id: Callable[[str], str],
    ) -> None:
        self.id = run_id
        self.devbox = devbox
        self.details = details
        self.state: str = "running"
        self.results: list[dict[str, Any]] = []
        self._ended: Optional[float] = None
        self._scenario = scenario.id
        self._functions = scenario.fields["scoring_contract"]["scoring_function_parameters"]
        self._seconds: int = scenario.fields.get("scorer_timeout_sec") or 1800
        folder = (scenario.fields.get("environment_parameters") or {}).get("working_directory") or ""
        self._folder = posixpath.join(HOME, re.sub("^~/", "", folder))
        self._find_script = find_script
        self._new_id = new_id
        self._execution: Optional[Execution] = None

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
            raise invalid(
                f"Scenario run {self.id} is {self.state}; this needs it to be {' or '.join(states)}"
            )

    def end(self, state: str, at: Optional[float] = None) -> None:
        """End the run and its devbox. Scorers that have not ended get no result of their own."""
        with self.devbox.lock:
            if at is None:
                at = self.devbox.clock.monotonic() if self.devbox.ended is None else self.devbox.ended
            if self.state == "scoring":
                names = [each["name"] for each in self._functions[len(self.results) :]]
                reason = f"Ended with the run, which is {state}"
                self.results += [
                    _result(name, 0.0, "error" if name is names[0] else "unknown", reason) for name in names
                ]
            self.state, self._ended, self.devbox.deadline = state, at, None
            self.devbox.end(at)

    def score(self) -> None:
        """Start the scorers."""
        with self.devbox.lock:
            self.require("running")
            self.devbox.require("running")
            self.state = "scoring"
            now = self.devbox.clock.monotonic()
            self.devbox.deadline = (now + self._seconds, lambda at: self.end("timeout", at))
            self._score_next(now)

    def _score_next(self, at: float) -> None:
        while len(self.results) < len(self._functions):
            function = self._functions[len(self.results)]
            try:
                plan = _plan(function["scorer"], self._find_script)
                for path, text in plan.files:
                    write_file(self.devbox, posixpath.join(self._folder, path), text.encode())
            except ApiError as error:
                self.results.append(_result(function["name"], 0.0, "error", error.message))
                continue
            self._start(function["name"], plan, at)
            return
        self.state, self.devbox.deadline, self._execution = "scored", None, None

    def _start(self, name: str, plan: _Plan, at: float) -> None:
        def ended(at: float) -> None:
            if self.state == "scoring":
                score = plan.score(execution)
                output = "".join(log.last_lines(_OUTPUT_LINES)[0] for log in execution.outputs.values())
                self.results.append(
                    _result(name, score or 0.0, "error" if score is None else "complete", output)
                )
                self._score_next(at)

        execution = Execution(
            self._new_id("exc_"),
            plan.command,
            at,
            working_directory=posixpath.relpath(self._folder, HOME),
            environment=plan.environment,
            on_end=ended,
        )
        self._execution = execution
        try:
            self.devbox.run(execution, at)
        except Exception:
            # On the fake, the error of a script reaches the caller.
            self.end("failed")
            raise

    @property
    def total(self) -> float:
        """The mean of the scores by their weights."""
        weights: list[float] = [function["weight"] for function in self._functions]
        scores: list[float] = [each["score"] for each in self.results]
        return sum(weight * score for weight, score in zip(weights, scores)) / sum(weights)

    def view(self) -> dict[str, Any]:
        """Return the fields of a response."""
        with self.devbox.lock:
            self.settle()
            start = self.devbox.history.milliseconds(self.devbox.created)
            fields = {
                "id": self.id,
                "devbox_id": self.devbox.id,
                "scenario_id": self._scenario,
                "state": self.state,
                "start_time_ms": start,
                **self.details,
            }
            if self._ended is not None:
                fields["duration_ms"] = self.devbox.history.milliseconds(self._ended) - start
            if self.results and self.state != "scoring":
                fields["scoring_contract_result"] = {
                    "score": self.total,
                    "scoring_function_results": self.results,
                }
        return without_nulls(fields)


def _result(name: str, score: float, state: str, output: str) -> dict[str, Any]:
    return {"scoring_function_name": name, "score": score, "state": state, "output": output}


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
