"""The process under measurement, as the kernel sees it: memory, CPU, whether it rests."""

import asyncio
import re
import time
from pathlib import Path

import psutil

from bench.programs import Service

__all__ = ["Looked"]

_RESTS_BELOW = 0.25
"""CPU seconds a second of a process that has nothing to do: its status and its polls."""
_LOOK_SECONDS = 2.0
_REST_WITHIN = 120.0
_KIB_OF_A_MIB = 1024


class Looked:
    """Looks at a started process."""

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
        """CPU seconds a second since it is looked at."""
        return (self._cpu() - self._used) / (time.monotonic() - self._began)

    def check(self) -> None:
        """Raises StartFailed if it has ended."""
        self._service.check()

    async def rests(self) -> None:
        """Wait until it has nothing to do; raises TimeoutError after two minutes."""
        deadline = time.monotonic() + _REST_WITHIN
        while await self._works():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the process still works after {_REST_WITHIN:.0f} s with nothing to do")

    async def _works(self) -> bool:
        """Look for two seconds whether it uses the processor."""
        before = self._cpu()
        await asyncio.sleep(_LOOK_SECONDS)
        self.check()
        return self._cpu() - before > _RESTS_BELOW * _LOOK_SECONDS

    def _cpu(self) -> float:
        spent = psutil.Process(self._service.pid).cpu_times()
        return spent.user + spent.system

    def _status(self, name: str) -> float:
        told = Path(f"/proc/{self._service.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{name}:\s+(\d+) kB$", told, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"the kernel does not tell {name}")
        return int(found[1]) / _KIB_OF_A_MIB
