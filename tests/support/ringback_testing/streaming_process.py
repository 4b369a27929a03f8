"""A stream process to be killed: copies each fetch request to the records topic, at a given rate."""

import asyncio
import sys
from collections.abc import Sequence

from ringback_common import logs
from ringback_common.health import Health
from ringback_common.outcomes import Emit, Message, Outcome, Reason, Received, Reject
from ringback_common.process import run
from ringback_events.topics import FETCH, RECORDS
from ringback_stream.flows import KeyedFlow, Lane
from ringback_stream.process.runtime import StreamRuntime

from ringback_testing.streaming import settings_for


async def copy(records: Sequence[Received]) -> Sequence[Outcome]:
    """Publish what came; a record that says `bug` is one."""
    await asyncio.sleep(0.01)
    if any(record.value == b"bug" for record in records):
        raise ZeroDivisionError
    return [Emit(((Message(RECORDS.name, record.key or b"", record.value),),)) for record in records]


class Paced:
    """Copies one call after the other, so many in a second."""

    def __init__(self, a_second: float) -> None:
        self._turn = asyncio.Lock()
        self._each = 1 / a_second

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """Wait for the turn, then for the time it takes."""
        async with self._turn:
            await asyncio.sleep(self._each)
        return await copy(records)


async def main(stop: asyncio.Event) -> None:
    """Run until SIGTERM."""
    _, bootstrap_servers, prefix, group, *pace = sys.argv
    step = Paced(float(pace[0])) if pace else copy
    async with StreamRuntime.open(
        settings_for(bootstrap_servers, prefix), "copy", health=Health(), stop=stop
    ) as stream:
        flow = KeyedFlow(group, (Lane(FETCH),), step, lambda _, attempts: Reject(Reason.UPSTREAM_ERROR, str(attempts)))
        await stream.run(stop, flow)


if __name__ == "__main__":
    logs.configure("copy")
    run(main)
