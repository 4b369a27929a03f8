"""What a simple flow reads, and the step that is given its batches."""

from dataclasses import dataclass

from ringback_stream.flows import BatchedFlow

__all__ = ["SimpleFlow"]


@dataclass(frozen=True, slots=True)
class SimpleFlow(BatchedFlow):
    """A batched flow that FastStream polls: the next poll begins when all of the one before is written and committed.

    Its step, its limits, its dead letters and what is done at a failure are those of any `BatchedFlow`.
    """

    description: str = ""
    """What its AsyncAPI document says of it."""
