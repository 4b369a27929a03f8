"""Where a run took place: the commit and the machine, as the page of results tells them."""

import hashlib
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

__all__ = ["changed_since", "commit", "head", "machine"]

_ROOT = Path(__file__).resolve().parents[4]


def commit() -> str:
    """The tree's commit, with "+" and a digest of what differs from it, if anything; "unknown" outside of a clone."""
    here, changes = head(), _git("diff", "HEAD")
    if not here:
        return "unknown"
    return f"{here}+{hashlib.sha256(changes.encode()).hexdigest()[:6]}" if changes else here


def head() -> str:
    """The first ten digits of the commit's hash, more if they are not unique; empty outside of a clone."""
    return _git("rev-parse", "--short=10", "HEAD")


def changed_since(commit: str) -> frozenset[str] | None:
    """Files, below the root, that differ from a commit in content or name; None if the clone does not have it."""
    if not _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"):
        return None
    return frozenset(filter(None, _git("diff", "--name-only", "--no-renames", "-z", commit, "--").split("\0")))


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
    reported = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in reported.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments: str) -> str:
    answer = subprocess.run(  # noqa: S603 - our own command
        ["git", "-C", str(_ROOT), *arguments],  # noqa: S607 - the caller's git
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return answer.stdout.strip()
