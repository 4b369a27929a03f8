"""How many installations a machine carries at a time, over all runs: two runs at once take turns."""

import asyncio
import fcntl
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

from ringback_local.folders import local_folder

__all__ = ["slots"]

_MOST = 3
_LOOK_SECONDS = 0.5


@asynccontextmanager
async def slots(*, every: bool = False, folder: Path | None = None) -> AsyncGenerator[None]:
    """Hold a slot of this machine, or every one, over the block; waits until it is free.

    Slots are locked files: the kernel frees those of a run that was killed.
    """
    folder = folder or local_folder() / "faults" / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        files = [held.enter_context((folder / str(number)).open("wb")) for number in range(_MOST)]
        if every:
            for file in files:  # in one order, so that two who want all do not wait for each other
                await _any_of([file])
        else:
            await _any_of(files)
        yield


async def _any_of(files: Sequence[IO[bytes]]) -> None:
    while not any(_locked(file) for file in files):  # noqa: ASYNC110 - the end of another process's lock cannot be awaited
        await asyncio.sleep(_LOOK_SECONDS)


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
