"""The JavaScript of the helpers, which runs in a session: one file per operation."""
