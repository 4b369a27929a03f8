"""Wall clocks of services that can be set while they run; their monotonic clocks go on as before.

libfaketime stands between a process and the C library. It reads the offset from a file once a second.
"""

import dataclasses
import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ringback_common.errors import ConfigError
from ringback_local.specs import ProcessSpec

__all__ = ["REREAD_SECONDS", "Clocks", "open_clocks"]

REREAD_SECONDS = 1
"""A process takes a new offset at its next look at the clock after this."""
_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
_SERVICES = frozenset({"webhook", "keeper", "enricher", "store"})


class Clocks:
    """The wall clocks of one world's services."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._folder = folder
        self._library = library

    def adapted(self, spec: ProcessSpec) -> ProcessSpec:
        """The process with a clock that can be set, if it is a service."""
        if spec.name not in _SERVICES:
            return spec
        self.shift(spec.name, 0)
        preload = {
            "LD_PRELOAD": str(self._library),
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # the same by the name newer releases know
            "FAKETIME_TIMESTAMP_FILE": str(self._file(spec.name)),
            "FAKETIME_CACHE_DURATION": str(REREAD_SECONDS),
        }
        return dataclasses.replace(spec, env={**spec.env, **preload})

    def shift(self, process: str, seconds: float) -> None:
        """Set the wall clock of a process that many seconds ahead of, or behind, this machine's."""
        draft = self._file(process).with_suffix(".draft")
        draft.write_text(f"{seconds:+f}\n")
        draft.rename(self._file(process))

    def reset(self) -> None:
        """Set every clock right."""
        for process in _SERVICES:
            self.shift(process, 0)

    def _file(self, process: str) -> Path:
        return self._folder / f"{process}.offset"


@contextmanager
def open_clocks() -> Generator[Clocks]:
    """Yield clocks that tell the time.

    Raises:
        ConfigError: there is no libfaketime for this platform.
    """
    found = importlib.util.find_spec("libfaketime")
    library = Path(found.origin).parent / _LIBRARY if found and found.origin else None
    if library is None or not library.is_file() or sys.platform != "linux":
        raise ConfigError("clocks need libfaketime, whose wheel is for Linux on x86-64 only")
    with TemporaryDirectory(prefix="ringback-clocks-") as folder:
        yield Clocks(Path(folder), library)
