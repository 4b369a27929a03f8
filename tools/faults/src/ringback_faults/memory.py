"""Caps on a process's memory that the kernel enforces: by a control group where we may make one, else by its own limit.

A control group counts what is resident; where it ends, the kernel kills. RLIMIT_DATA counts what is asked for; where it
ends, the allocation fails and Python raises MemoryError.
"""

import dataclasses
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from ringback_local.child import installed
from ringback_local.specs import ProcessSpec

__all__ = ["Memory", "open_memory"]

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_MIB = 1024 * 1024
_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
_LIMIT = 'ulimit -d "$0" && exec "$@"'


class Memory:
    """The caps of one world's processes, by name in MiB."""

    def __init__(self, caps: Mapping[str, int], groups: Mapping[str, Path]) -> None:
        self._caps = caps
        self._groups = groups

    @property
    def by_group(self) -> bool:
        """Whether control groups enforce them."""
        return bool(self._groups)

    def adapted(self, spec: ProcessSpec) -> ProcessSpec:
        """The process under its cap, if it has one. Its first program is the shell, which becomes the process."""
        if spec.name not in self._caps:
            return spec
        group = self._groups.get(spec.name)
        entry = (_ENTER, str(group)) if group else (_LIMIT, str(self._caps[spec.name] * 1024))
        return dataclasses.replace(spec, command=("sh", "-c", *entry, *installed(spec.command)))

    def peak(self, process: str) -> int | None:
        """The most the process ever had, in bytes; None without control groups."""
        group = self._groups.get(process)
        if group is None:
            return None
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            with suppress(FileNotFoundError):
                return int((group / name).read_text())
        return None

    def holds(self, process: str, pid: int) -> bool:
        """Whether the process runs under its cap, by the kernel's word."""
        group = self._groups.get(process)
        if group is None:
            return psutil.Process(pid).rlimit(psutil.RLIMIT_DATA)[0] == self._caps[process] * _MIB
        inside = (group / "cgroup.procs").read_text().split()
        reported = next(group / name for name in ("memory.limit_in_bytes", "memory.max") if (group / name).exists())
        return str(pid) in inside and int(reported.read_text()) == self._caps[process] * _MIB

    def squeezed(self, process: str) -> int:
        """How often the process was at its cap, and the kernel took back caches or killed it."""
        group = self._groups.get(process)
        if group is None:
            return 0
        with suppress(FileNotFoundError):
            return int((group / "memory.failcnt").read_text())
        events = dict(line.split() for line in (group / "memory.events").read_text().splitlines())
        return int(events["max"])


@contextmanager
def open_memory(caps: Mapping[str, int]) -> Generator[Memory]:
    """Yield the caps; groups of runs that were killed are removed on the way."""
    parent = _parent()
    if parent is None:
        yield Memory(caps, {})
        return
    _sweep(parent)
    groups = {name: parent / f"ringback-{os.getpid()}-{name}" for name in caps}
    try:
        for name, group in groups.items():
            group.mkdir()
            _cap(group, caps[name] * _MIB)
        yield Memory(caps, groups)
    finally:
        for group in groups.values():
            _remove(group)


def _parent() -> Path | None:
    """Where control groups of memory may be made, None if nowhere."""
    if os.access(_V1 / "cgroup.procs", os.W_OK):
        return _V1
    controllers = _V2 / "cgroup.subtree_control"
    if controllers.is_file() and "memory" in controllers.read_text().split() and os.access(_V2, os.W_OK):
        return _V2
    return None


def _cap(group: Path, size: int) -> None:
    for name in ("memory.limit_in_bytes", "memory.max"):
        if (group / name).exists():
            (group / name).write_text(str(size))


def _sweep(parent: Path) -> None:
    for group in parent.glob("ringback-[0-9]*-*"):
        owner = group.name.split("-")[1]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            _remove(group)


def _remove(group: Path) -> None:
    with suppress(OSError):  # a process is still in it: the next run removes it
        group.rmdir()
