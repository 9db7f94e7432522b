"""The command line, `buntime`: a file for each subcommand.

Imports the public API, and the implementation of a subcommand when it runs. Nothing imports it.
"""
