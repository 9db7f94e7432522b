"""The behaviour of every transport: one suite, and a few lines for each transport in ``transports.py``."""
