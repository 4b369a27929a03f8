"""Run a service's ordinary entry point with the points of `places` put between its steps.

Run as a file, never imported: `launch.py <folder> <process> <package> <arguments> ...`. The functions named below are
replaced by ones that call them, and look on the way whether `<folder>/<point>` exists. It holds the name of a signal:
this process renames it to `<point>.<pid>`, adds when, and sends the signal to itself. Only the standard library and the
product are imported, so that a process's memory and start are what they are without this.
"""

import functools
import importlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

_FOLDER = Path(sys.argv[1])
_RECORDS = "callrecords.restricted.records.v1"


def _reach(point: str) -> None:
    """Die or freeze here, if it was ordered."""
    ordered = _FOLDER / point
    try:
        order = ordered.read_text().split()
        note = ordered.with_name(f"{point}.{os.getpid()}")
        ordered.rename(note)  # the process that renames it has taken the order
    except FileNotFoundError:
        return
    note.write_text(f"{order[0]} {time.time()}")
    os.kill(os.getpid(), signal.Signals[order[0]])


def _before(owner: Any, name: str, point: str, holds: Callable[..., bool]) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(original)
    async def stepped(*given: Any, **named: Any) -> Any:
        if holds(*given, **named):
            _reach(point)
        return await original(*given, **named)

    setattr(owner, name, stepped)


def _after(owner: Any, name: str, point: str, holds: Callable[..., bool]) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(original)
    async def stepped(*given: Any, **named: Any) -> Any:
        result = await original(*given, **named)
        if holds(*given, **named):
            _reach(point)
        return result

    setattr(owner, name, stepped)


def _publishes(_outcome_handler: Any, answers: Sequence[Any], *_more: Any, **_named: Any) -> bool:
    """Whether a step's outcomes hold a version to publish."""
    staged = [stage for answer in answers for stage in getattr(answer.outcome, "stages", ())]
    return any(message.topic == _RECORDS for stage in staged for message in stage)


def _copies_children(_connection: Any, table: str, *_more: Any, **_named: Any) -> bool:
    return table != "incoming"


def _always(*_given: Any, **_named: Any) -> bool:
    return True


def _webhook() -> None:
    from ringback_stream.publish.group_commit import GroupCommitProducer  # noqa: PLC0415 - each process loads only its own

    _after(GroupCommitProducer, "write", "produced", _always)


def _enricher() -> None:
    from ringback_stream.consume.outcome_handler import OutcomeHandler  # noqa: PLC0415 - the same
    from ringback_stream.publish.producer import Producer  # noqa: PLC0415 - each process loads only its own

    _before(OutcomeHandler, "apply", "fetched", _publishes)
    _after(OutcomeHandler, "apply", "published", _publishes)
    _part_stages(Producer)


def _part_stages(producer: Any) -> None:
    """Stages are written one after the other anyway: writing the first by itself changes nothing but the way."""
    original: Callable[..., Awaitable[None]] = producer.stages

    @functools.wraps(original)
    async def stages(self: Any, given: Sequence[Sequence[Any]]) -> None:
        first, rest = given[:1], given[1:]
        await original(self, first)
        if rest and any(message.topic == _RECORDS for message in first[0]):
            _reach("between-stages")
        await original(self, rest)

    producer.stages = stages


def _store() -> None:
    from ringback_sink.store.postgres import calls  # noqa: PLC0415 - each process loads only its own

    _before(calls.Calls, "_write", "before-transaction", _always)
    _after(calls, "_copy", "inside-transaction", _copies_children)
    _after(calls.Calls, "_write", "after-transaction", _always)


_PLACED = {"webhook": _webhook, "enricher": _enricher, "store": _store}


def main() -> None:
    """Put the points in and become the service."""
    _folder, process, package, *arguments = sys.argv[1:]
    _PLACED[process]()
    importlib.import_module(f"{package}.__main__").main(arguments)


if __name__ == "__main__":
    main()
