"""One installation and the rows that share it: a process of its own, which tells its parent line by line."""

import dataclasses
import shutil
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from ringback_local.folders import local_folder

from ringback_faults.arena import run_row
from ringback_faults.result import Result
from ringback_faults.row import Row
from ringback_faults.worlds import World, WorldKind, open_world

__all__ = ["Errand", "run_errand"]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a lane is sent to do; `keep` the logs of a row that failed."""

    kind: WorldKind
    rows: Sequence[Row]
    seed: int
    overlay: Path | None
    keep: bool = True


async def run_errand(errand: Errand) -> None:
    """Run the rows until one is not clean: what comes after it needs an installation that is not broken.

    Raises:
        ConfigError: this machine cannot run that world.
        StartFailed: it did not start.
    """
    _tell(row=errand.rows[0].row, stage="opening")
    failed: Result | None = None
    async with open_world(errand.kind, errand.seed, errand.overlay) as world:
        for row in errand.rows:
            result = await _result(world, row, errand.seed)
            if not result.clean:
                failed = result
                break
            _tell(result=result)
    if failed is not None:  # reported after the block: its processes have written their last lines
        _tell(result=_with_logs_kept(failed) if errand.keep else failed)


async def _result(world: World, row: Row, seed: int) -> Result:
    try:
        return await run_row(world, row, seed, lambda stage: _tell(row=row.row, stage=stage))
    except Exception:  # noqa: BLE001 - a row runs the whole stack, any bug in it fails the row, and the report must hold it
        logs, error = str(world.stack.run_folder), traceback.format_exc()
        return Result(row.row, row.fault, row.world, seed, 0.0, None, logs, error)


def _with_logs_kept(result: Result) -> Result:
    """Its world's folder is copied out of reach of the tidying that run folders undergo."""
    kept = local_folder() / "faults" / "failed" / f"{result.row}-{result.seed}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(result.logs, kept)
    return dataclasses.replace(result, logs=str(kept))


def _tell(**word: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(word) + b"\n")
    sys.stdout.buffer.flush()
