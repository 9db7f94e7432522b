"""What every transport must do: one suite, a few lines for each transport in ``worlds.py``."""
