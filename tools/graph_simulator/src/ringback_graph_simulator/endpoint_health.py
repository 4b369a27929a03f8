"""Graph's slow and drop states of a notification endpoint (graph.md 1.3)."""

from collections import deque
from dataclasses import dataclass, field

__all__ = ["EndpointHealth"]

_WINDOW_S = 600
_SLOW_ANSWER_S, _SLOW_SHARE = 3, 0.10
_LATE_ANSWER_S, _DROP_SHARE = 10, 0.15
_FEWEST = 20


@dataclass(slots=True)
class EndpointHealth:
    """Answers of one endpoint in the last ten minutes of Graph time, `window` seconds of real time.

    Graph does not say how many answers it wants to see first; the simulator judges from 20 on.
    """

    window: float
    state: str = "normal"
    _answers: deque[tuple[float, float]] = field(default_factory=deque[tuple[float, float]])
    _since: float = 0.0

    @classmethod
    def at_scale(cls, time_scale: float) -> "EndpointHealth":
        """For a simulator of this time scale."""
        return cls(_WINDOW_S / time_scale)

    def answered(self, now: float, seconds: float) -> None:
        """Note how long an answer took."""
        self._answers.append((now, seconds))

    def judge(self, now: float) -> str:
        """The state from now on: `normal`, `slow` (new items wait 10 minutes) or `drop` (new items are lost)."""
        while self._answers and self._answers[0][0] <= now - self.window:
            self._answers.popleft()
        if self.state == "normal" or now >= self._since + self.window:
            self._change(self._deserved(), now)
        return self.state

    def _deserved(self) -> str:
        total = len(self._answers)
        if total < _FEWEST:
            return "normal"
        if sum(seconds >= _LATE_ANSWER_S for _, seconds in self._answers) > total * _DROP_SHARE:
            return "drop"
        slow = sum(seconds >= _SLOW_ANSWER_S for _, seconds in self._answers)
        return "slow" if slow > total * _SLOW_SHARE else "normal"

    def _change(self, state: str, now: float) -> None:
        if state != self.state:
            self.state, self._since = state, now
