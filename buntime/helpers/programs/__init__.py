"""The helpers that run in a session, in JavaScript: one file for each operation."""
