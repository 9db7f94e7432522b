"""The command line, `buntime`.

Imports the public API and what a subcommand needs, when it runs. Nothing imports it.
"""
