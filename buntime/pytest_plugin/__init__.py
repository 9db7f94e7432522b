"""The pytest plugin: options, fixtures, and the path of a test's cassette.

pytest loads it in every project that has buntime installed, so everything else is imported on first use.
"""
