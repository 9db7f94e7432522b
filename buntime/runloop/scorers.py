"""Scorers of your own, which scenarios can use by their type."""

from __future__ import annotations

from typing import Any

from buntime._support.export import export
from buntime.runloop.resource import Operations, Resource
from buntime.runloop.wire.views.scoring import ScorerValidationView, ScorerView


class Scorer(Resource[ScorerView]):
    """A scorer: a bash script that prints a line ``score=0.5``, or only the number; the last one counts."""

    _calls = "scenarios.scorers"

    def update(self, **params: Any) -> ScorerView:
        """Change ``type`` or ``bash_script``; one that is absent stays, for which the scorer is read."""
        if {"type", "bash_script"} - params.keys():
            old = self.get_info()
            params = {"type": old.type, "bash_script": old.bash_script, **params}
        return self._call("update", **params)

    def validate(self, *, scoring_context: Any, **params: Any) -> ScorerValidationView:
        """Run the scorer for a context of JSON values on a new devbox, which is removed afterwards.

        ``params`` are ``environment_parameters``, and the options of a request.
        """
        return self._call("validate", scoring_context=scoring_context, **params)


class ScorerOps(Operations[Scorer]):
    """Creates and finds scorers; :meth:`list` filters by ``search``."""

    _resource = Scorer

    def create(self, **params: Any) -> Scorer:
        """Create a scorer with its ``type``, which is unique, and its ``bash_script``."""
        return Scorer(self._connection, self._connection.call("scenarios.scorers.create", **params).id)

    def from_id(self, scorer_id: str) -> Scorer:
        """Return a scorer that exists; nothing is sent."""
        return Scorer(self._connection, scorer_id)


export("buntime.runloop", Scorer, ScorerOps)
