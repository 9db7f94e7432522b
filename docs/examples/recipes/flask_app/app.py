"""A Flask application that runs the code of its users."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from buntime import Buntime, RateLimitError


def create_app(client: Buntime) -> Flask:
    """Return the application; all of its threads share the client."""
    app = Flask(__name__)

    @app.post("/run")
    def run() -> Response:
        with client.sessions.create(ttl=300) as session:
            result = session.execute(request.json["code"], timeout=5, max_output=10_000)
        return jsonify(
            stdout=result.stdout, exit_code=result.exit_code, timed_out=result.timed_out
        )

    @app.errorhandler(RateLimitError)
    def busy(error: RateLimitError) -> tuple[Response, int]:
        return jsonify(error="busy", retry_after=error.retry_after), 503

    return app
