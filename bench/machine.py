"""What a run was measured on: figures without it mean nothing."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.programs import ROOT

__all__ = ["commit", "load_average", "machine", "versions"]

_LIBRARIES = (
    "aiohttp",
    "aiokafka",
    "asyncpg",
    "faststream",
    "httptools",
    "httpx",
    "msgspec",
    "orjson",
    "uvicorn",
    "uvloop",
)
_GIB = 1024**3


def machine() -> dict[str, str | int | float]:
    """Processor, memory, kernel, Python."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / _GIB, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """The libraries that do the work."""
    return {name: version(name) for name in _LIBRARIES}


def commit() -> str:
    """The commit that was measured, with `+` if files were changed since; `unknown` outside a repository."""
    head = _git("rev-parse", "--short=12", "HEAD")
    return "unknown" if not head else head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def load_average() -> float:
    """Of the last minute: what else ran beside the bench shows here."""
    return round(os.getloadavg()[0], 2)


def _git(*arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip()


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", facts.read_text(), re.MULTILINE) if facts.exists() else None
    return named[1] if named else platform.processor()
