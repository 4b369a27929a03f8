"""Where a run took place: the commit and the machine, as the page of results tells them."""

import hashlib
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

__all__ = ["commit", "machine"]

_ROOT = Path(__file__).resolve().parents[4]


def commit() -> str:
    """The tree's commit, with "+" and a digest of what differs from it, if anything; "unknown" outside of a clone."""
    head, changes = _git("rev-parse", "--short=10", "HEAD"), _git("diff", "HEAD")
    if not head:
        return "unknown"
    return f"{head}+{hashlib.sha256(changes.encode()).hexdigest()[:6]}" if changes else head


def machine() -> dict[str, str]:
    """Processor, cores, memory, kernel, and the versions that matter."""
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory_gib": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "aiokafka": version("aiokafka"),
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }


def _processor() -> str:
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments: str) -> str:
    answer = subprocess.run(  # noqa: S603 - our own command
        ["git", "-C", str(_ROOT), *arguments],  # noqa: S607 - the caller's git
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return answer.stdout.strip()
