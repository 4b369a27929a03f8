"""Order a service to die or freeze at a point, and see that it did."""

import asyncio
import dataclasses
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from ringback_common.errors import ConfigError
from ringback_local.specs import ProcessSpec

from ringback_faults.points.places import POINTS

__all__ = ["Points", "Reached", "Signal", "open_points"]

Signal = Literal["SIGKILL", "SIGSTOP"]

_LAUNCH = Path(__file__).with_name("launch.py")
_POLL = 0.01


@dataclass(frozen=True, slots=True)
class Reached:
    """What a process left behind as it sent itself the signal. `at` is in Unix seconds, by its own clock."""

    process: str
    point: str
    pid: int
    at: float


class Points:
    """The orders of one world."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for process in POINTS:
            (folder / process).mkdir()

    def adapted(self, spec: ProcessSpec) -> ProcessSpec:
        """The process, run through the launcher, if it has points."""
        if spec.name not in POINTS:
            return spec
        program, *arguments = spec.command
        package = program.replace("-", "_")
        # -P: the launcher's folder is not to be searched for modules.
        launcher = (sys.executable, "-P", str(_LAUNCH), str(self._folder / spec.name), spec.name)
        return dataclasses.replace(spec, command=(*launcher, package, *arguments))

    def arm(self, process: str, point: str, signal: Signal = "SIGKILL") -> None:
        """The next time this process comes to the point it sends itself the signal, once.

        Raises:
            ConfigError: there is no such point.
        """
        draft = self._file(process, point).with_suffix(".draft")
        draft.write_text(signal)
        draft.rename(self._file(process, point))  # whole, or not there

    def disarm(self, process: str, point: str) -> bool:
        """Take the order back; False if it was carried out already."""
        try:
            self._file(process, point).unlink()
        except FileNotFoundError:
            return False
        return True

    def reached(self) -> list[Reached]:
        """Every order that was carried out, oldest first."""
        notes = [_read(note) for note in self._folder.glob("*/*.[0-9]*")]
        return sorted((note for note in notes if note is not None), key=lambda note: note.at)

    async def until_reached(self, process: str, point: str, seconds: float) -> Reached | None:
        """Wait until the armed point was reached; None, and disarmed, if it was not within `seconds`."""
        deadline = time.monotonic() + seconds
        while self._file(process, point).exists():
            if time.monotonic() > deadline and self.disarm(process, point):
                return None
            await asyncio.sleep(_POLL)
        while True:  # the note is complete a moment after the order is gone
            done = [note for note in self.reached() if (note.process, note.point) == (process, point)]
            if done:
                return done[-1]
            await asyncio.sleep(_POLL)

    def _file(self, process: str, point: str) -> Path:
        if point not in POINTS.get(process, {}):
            known = ", ".join(f"{name} {at}" for name, points in POINTS.items() for at in points)
            raise ConfigError(f"{process} has no point {point!r}; there are: {known}")
        return self._folder / process / point


def _read(note: Path) -> Reached | None:
    point, _, pid = note.name.rpartition(".")
    text = note.read_text().split()
    return Reached(note.parent.name, point, int(pid), float(text[1])) if len(text) > 1 else None


@contextmanager
def open_points() -> Generator[Points]:
    """Yield points that nothing is ordered at."""
    with TemporaryDirectory(prefix="ringback-points-") as folder:
        yield Points(Path(folder))
