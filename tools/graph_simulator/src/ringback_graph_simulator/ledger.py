"""What happened, one JSON object a line: the tests judge Ringback by this file, not by its own counters."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

__all__ = ["Ledger"]

_FLUSH_S = 0.2


class Ledger:
    """Append-only. Lines are written at least every 0.2 s while `run` is running, and on `close`."""

    def __init__(self, path: Path, *, seed: int, time_scale: float, at: float) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._file = path.open("ab")
        self.write("started", at=at, seed=seed, timeScale=time_scale)

    def write(self, kind: str, **fields: Any) -> None:
        """Add one line; `fields` are the line's members."""
        self.counts[kind] += 1
        self._file.write(orjson.dumps({"kind": kind, **fields}) + b"\n")

    async def run(self) -> None:
        """Flush for ever."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            self._file.flush()

    def close(self) -> None:
        """Flush and end."""
        self._file.close()

    def read(self, offset: int, limit: int, kinds: frozenset[str]) -> tuple[list[dict[str, Any]], int]:
        """Up to `limit` lines of these kinds (all, if none is named) from a byte offset, and the offset behind them."""
        self._file.flush()
        lines: list[dict[str, Any]] = []
        with self.path.open("rb") as file:
            file.seek(offset)
            while len(lines) < limit and (raw := file.readline()):
                offset += len(raw)
                line = orjson.loads(raw)
                if not kinds or line["kind"] in kinds:
                    lines.append(line)
        return lines, offset
