"""The pytest plugin: options, fixtures, and where a test's cassette is.

pytest loads it in every project that has buntime installed, so it imports the rest when a fixture is used.
"""
