"""Several installations beside each other: much of a row is waiting."""

import asyncio
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import TypeAdapter

from ringback_faults.plan import Batch, batches
from ringback_faults.result import Result
from ringback_faults.row import Row
from ringback_faults.slots import slots

__all__ = ["Lanes", "Watcher"]

_SLACK = 4
"""Times the guess of its seconds after which a batch is given up: every wait inside has a limit, so that is a bug."""
_OPENING_SECONDS = 300.0
"""What a world may take to open on a machine that others keep busy."""
_LAST_WORDS = 3000

Watcher = Callable[[str, int, str], None]
"""Called with (row, seed, stage)."""


@dataclass(slots=True)
class Lanes:
    """Runs batches as processes, so many at a time.

    Attributes:
        arguments: of the command, passed on to each lane: where the rows are, the overlay.
        reported: called with every result, at once.
        watch: called with every stage a row has reached.
    """

    rows: Mapping[str, Row]
    arguments: Sequence[str]
    width: int
    reported: Callable[[Result], None]
    watch: Watcher
    _waiting: deque[Batch] = field(default_factory=deque[Batch])

    async def run(self, entries: Sequence[tuple[str, int]]) -> None:
        """Run every (row, seed); batches that want the machine for themselves come last, one by one."""
        made = batches(entries, self.rows)
        for alone, width in ((False, self.width), (True, 1)):
            self._waiting.extend(batch for batch in made if batch.alone is alone)
            async with asyncio.TaskGroup() as group:
                for _ in range(width):
                    group.create_task(self._lane())

    async def _lane(self) -> None:
        while self._waiting:
            batch = self._waiting.popleft()
            async with slots(every=batch.alone):
                finished = await self._carry_out(batch)
            rest = tuple(name for name in batch.rows if name not in finished)
            if rest:
                self._waiting.extend(batches([(name, batch.seed) for name in rest], self.rows))

    async def _carry_out(self, batch: Batch) -> set[str]:
        """The rows that have a result now; at least one has, whatever happened."""
        begun: list[str] = []
        finished: set[str] = set()
        with tempfile.TemporaryFile(buffering=0) as words:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ringback_faults", "lane", *self.arguments,
                "--rows", ",".join(batch.rows), "--seed", str(batch.seed),
                stdout=asyncio.subprocess.PIPE, stderr=words, limit=1 << 24, start_new_session=True,
            )  # fmt: skip
            try:
                async with asyncio.timeout(_SLACK * batch.seconds + _OPENING_SECONDS):
                    await self._listen(process, batch, begun, finished)
                    await process.wait()
            except TimeoutError:
                words.write(b"\nIt was given up: it took four times as long as it should.\n")
            finally:
                await _end(process)
            cut_off = [name for name in begun or batch.rows if name not in finished]
            if cut_off:
                self._failed(cut_off[0], batch.seed, _last_words(words.fileno()))
        return {*finished, *cut_off[:1]}

    async def _listen(
        self, process: asyncio.subprocess.Process, batch: Batch, begun: list[str], finished: set[str]
    ) -> None:
        if process.stdout is None:
            raise RuntimeError("the lane has no voice")
        async for line in process.stdout:
            word: dict[str, Any] = orjson.loads(line)
            if "result" in word:
                result = TypeAdapter(Result).validate_python(word["result"])
                finished.add(result.row)
                self.reported(result)
            else:
                begun.append(word["row"])
                self.watch(word["row"], batch.seed, word["stage"])

    def _failed(self, name: str, seed: int, words: str) -> None:
        """The lane ended in the middle of a row, or before its first."""
        row = self.rows[name]
        self.reported(Result(name, row.fault, row.world, seed, 0.0, None, "", words))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end and see to it: what it started dies with it."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 60)
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_words(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, _LAST_WORDS, max(0, size - _LAST_WORDS)).decode(errors="replace")
