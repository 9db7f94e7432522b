"""Names and numbers of the API that more than one module uses."""

from __future__ import annotations

WORKSPACE = "/workspace"
"""The folder of a session's files."""
HIDDEN_FOLDER = ".buntime"
"""The folder of our helpers' state, in the workspace. It is ours, not the API's."""
CALL_MARK = "\x1ebuntime:call "
"""Stands before the reply of a called function in its output. It is ours, too."""
HELPER_BUN_OPTIONS = "--config=/dev/null"
"""``BUN_OPTIONS`` of our helpers, so that they run without the bunfig.toml of the workspace."""
RATE_LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
"""The headers of a response that have the rate limit."""

# Codes of errors, in the bodies of error responses.
CHANGED_MEANWHILE = "changed_meanwhile"
DISK_FULL = "disk_full"
EXECUTION_TIMEOUT = "execution_timeout"
FILE_NOT_FOUND = "file_not_found"
INVALID_REQUEST = "invalid_request"
NOT_TEXT = "not_text"
PROCESS_NOT_FOUND = "process_not_found"
RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
SESSION_LIMIT = "concurrent_session_limit"
SESSION_NOT_FOUND = "session_not_found"
STDIN_CLOSED = "stdin_closed"
