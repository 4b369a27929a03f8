"""Where a process spends its time: its stacks, sampled by py-spy from outside, as one line per load."""

import asyncio
import contextlib
import re
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ringback_local.child import installed

__all__ = ["Costs", "sampled", "top_costs"]

_PER_SECOND = 200
_SHOWN = 8
_FRAME = re.compile(r"(?P<function>[^ ]+) \((?P<file>[^:)]+)(:\d+)?\)")


@dataclass(frozen=True, slots=True)
class Costs:
    """The functions in which most samples of one load were taken, with their share of all samples."""

    stage: str
    load: str
    samples: int
    top: list[tuple[str, float]]

    @property
    def line(self) -> str:
        """All of it in one line."""
        return ", ".join(f"{name} {share:.0%}" for name, share in self.top) or "no samples"


@asynccontextmanager
async def sampled(place: tuple[str, str], pid: int, file: Path) -> AsyncGenerator[list[Costs]]:
    """Sample a process while the block lasts; the list is filled at its end. Idle threads are left out.

    Raises:
        RuntimeError: py-spy may not look into the process here.
    """
    options = ["--rate", str(_PER_SECOND), "--format", "raw", "--duration", "600", "--nonblocking", "--output"]
    spy = await asyncio.create_subprocess_exec(
        *installed(["py-spy"]), "record", *options, str(file), "--pid", str(pid),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    costs: list[Costs] = []
    try:
        yield costs
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself; what it said is looked at below
            spy.send_signal(signal.SIGINT)
        _, said = await spy.communicate()
    costs.append(top_costs(place, _stacks(file, said)))


def _stacks(file: Path, said: bytes) -> list[str]:
    if not file.exists():
        raise RuntimeError(f"py-spy took no samples: {said.decode(errors='replace').strip()[-300:]}")
    return file.read_text(encoding="utf-8").splitlines()


def top_costs(place: tuple[str, str], stacks: Iterable[str]) -> Costs:
    """Count collapsed stacks ("outer;inner 17") by their innermost function."""
    spent: Counter[str] = Counter()
    for stack in stacks:
        frames, _, count = stack.rpartition(" ")
        spent[_named(frames.rpartition(";")[2])] += int(count)
    total = spent.total()
    return Costs(*place, samples=total, top=[(name, count / total) for name, count in spent.most_common(_SHOWN)])


def _named(frame: str) -> str:
    """`function (package/module.py:17)` as `package/module.function`: lines of one function are one cost."""
    found = _FRAME.fullmatch(frame)
    if found is None:
        return frame
    path = Path(found["file"])
    module = path.parent if path.stem == "__init__" else path.parent / path.stem
    return f"{'/'.join(module.parts[-2:])}.{found['function'].rpartition('.')[2]}"
