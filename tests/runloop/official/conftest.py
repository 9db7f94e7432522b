"""Collected only by ``nox -s official``, which installs the clients below the folder ``OFFICIAL_CLIENTS``."""

from __future__ import annotations

import os

collect_ignore_glob = [] if "OFFICIAL_CLIENTS" in os.environ else ["test_*.py"]
