"""Writes contracts/asyncapi.json: `python -m ringback_local.asyncapi contracts/asyncapi.json`.

It lives here because simple flows are declared by services, which must not import each other.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ringback_common.outcomes import Emit, Outcome, Received
from ringback_sink.store.app import operations_flow
from ringback_stream.simple.asyncapi import document

__all__ = ["asyncapi"]


def asyncapi() -> str:
    """The text of the document: every flow that FastStream serves."""
    made = document(
        [operations_flow(_satisfied)],
        title="Ringback's simple flows",
        version="1",
        description="What Ringback's own consumers on FastStream read. contracts/topics says the rest of each topic.",
    )
    return json.dumps(made, indent=2) + "\n"


async def _satisfied(records: Sequence[Received]) -> Sequence[Outcome]:
    """A step that writes nothing: the document is about what is read."""
    return [Emit()] * len(records)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncapi(), encoding="utf-8")
