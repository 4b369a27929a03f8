"""Memory and CPU time of the process under measurement, as the kernel reports them."""

import asyncio
import re
import time
from pathlib import Path

import psutil

from bench.programs import Service

__all__ = ["ProcessMonitor"]

_IDLE_BELOW = 0.25
"""CPU seconds a second of a process that has nothing to do: its status and its polls."""
_SAMPLE_SECONDS = 2.0
_IDLE_WITHIN = 120.0
_KIB_OF_A_MIB = 1024


class ProcessMonitor:
    """Memory, CPU time and idleness of a started process."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._began, self._used = time.monotonic(), self._cpu()

    @property
    def rss_mib(self) -> float:
        """Resident memory now."""
        return self._status("VmRSS")

    @property
    def peak_mib(self) -> float:
        """The most it ever had."""
        return self._status("VmHWM")

    @property
    def cores(self) -> float:
        """CPU seconds a second since this monitor was created."""
        return (self._cpu() - self._used) / (time.monotonic() - self._began)

    def check(self) -> None:
        """Raises StartFailed if it has ended."""
        self._service.check()

    async def until_idle(self) -> None:
        """Wait until it uses hardly any CPU; raises TimeoutError after two minutes."""
        deadline = time.monotonic() + _IDLE_WITHIN
        while await self._busy():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the process still works after {_IDLE_WITHIN:.0f} s with nothing to do")

    async def _busy(self) -> bool:
        """Whether it uses the CPU during the next two seconds."""
        before = self._cpu()
        await asyncio.sleep(_SAMPLE_SECONDS)
        self.check()
        return self._cpu() - before > _IDLE_BELOW * _SAMPLE_SECONDS

    def _cpu(self) -> float:
        spent = psutil.Process(self._service.pid).cpu_times()
        return spent.user + spent.system

    def _status(self, name: str) -> float:
        reported = Path(f"/proc/{self._service.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{name}:\s+(\d+) kB$", reported, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"the kernel does not tell {name}")
        return int(found[1]) / _KIB_OF_A_MIB
