"""The exit codes of the command line, besides that of the program."""

TIMED_OUT = 124
"""The program reached its time limit."""

FAILED = 125
"""buntime itself failed; unlikely to be the program's own code."""

SIGNALLED = 128
"""Added to the number of the signal that ended the command."""

BROKEN_PIPE = 141
"""The output has no reader any more."""
