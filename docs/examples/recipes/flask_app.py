"""A Flask application that runs the code of its users."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, request

from buntime import Buntime, RateLimitError, ResourceLimitError


def create_app(client: Buntime | None = None) -> Flask:
    """Return the application; all of its threads share the client."""
    client = client or Buntime()
    app = Flask(__name__)

    @app.post("/run")
    def run() -> Response:
        code = request.json["code"]
        with client.sessions.create(ttl=300) as session:
            result = session.execute(code, timeout=5, max_output=10_000)
        names = ("stdout", "stderr", "exit_code", "timed_out")
        return jsonify({name: getattr(result, name) for name in names})

    def problem(status: int, **fields: Any) -> tuple[Response, int]:
        return jsonify(fields), status

    @app.errorhandler(RateLimitError)
    def busy(error: RateLimitError) -> tuple[Response, int]:
        return problem(503, error="busy", retry_after=error.retry_after)

    # Users send these: no text, half of a surrogate pair, code that needs too much.
    @app.errorhandler(TypeError)
    @app.errorhandler(ValueError)
    @app.errorhandler(ResourceLimitError)
    def refused(error: Exception) -> tuple[Response, int]:
        return problem(422, error=str(error))

    return app
