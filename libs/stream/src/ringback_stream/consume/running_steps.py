"""The steps of a keyed flow that are under way, one a key."""

from collections.abc import Iterator
from dataclasses import dataclass

from ringback_stream.consume.byte_budget import ByteLease
from ringback_stream.consume.key_queue import Work

__all__ = ["RunningStep", "RunningSteps"]


@dataclass(slots=True, eq=False)
class RunningStep:
    """One step, from its start until what it made is written.

    Attributes:
        work: what it was given.
        is_probe: whether the breaker waits for its answer.
        hold: its bytes; None while it waits for the first of them.
        began: monotonic time at which it was asked for its answer; None before that, and when it has answered.
        waited: seconds it had waited for bytes by then.
        is_writing: whether what it made is being written.
        is_alone: whether its records were answered for, because it takes long.
    """

    work: Work
    is_probe: bool = False
    hold: ByteLease | None = None
    began: float | None = None
    waited: float = 0.0
    is_writing: bool = False
    is_alone: bool = False

    def begin(self, hold: ByteLease, now: float) -> None:
        """It is asked for its answer."""
        self.hold, self.began, self.waited = hold, now, hold.waited

    @property
    def asked(self) -> float:
        """Seconds for which it has waited for the other side's answers."""
        return 0.0 if self.hold is None else self.hold.asked

    @property
    def stuck_since(self) -> float | None:
        """Monotonic time since which it has no answer, what it waited for bytes left out; None if it has one."""
        if self.began is None or self.hold is None:
            return None
        return self.began + self.hold.waited - self.waited


class RunningSteps:
    """The steps under way."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, RunningStep] = {}

    def __iter__(self) -> Iterator[RunningStep]:
        """In the order of their beginnings."""
        return iter(self._by_key.values())

    def __bool__(self) -> bool:
        """Whether one is under way."""
        return bool(self._by_key)

    def add(self, step: RunningStep) -> None:
        """A step begins."""
        self._by_key[step.work.key] = step

    def of(self, key: bytes) -> RunningStep | None:
        """The step of a key; None if none is under way."""
        return self._by_key.get(key)

    def ended(self, step: RunningStep) -> None:
        """A step is over; of an earlier assignment it is forgotten already."""
        if self._by_key.get(step.work.key) is step:
            del self._by_key[step.work.key]

    def clear(self) -> None:
        """The assignment is over."""
        self._by_key.clear()

    @property
    def stuck_since(self) -> float | None:
        """Monotonic time since which the one that has gone longest without an answer has none; None if all have one."""
        return min((since for step in self if (since := step.stuck_since) is not None), default=None)
