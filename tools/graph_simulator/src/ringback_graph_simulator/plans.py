"""What a call will look like, in few words: a record is regenerated from its plan, so ten thousand fit in memory."""

import random
from dataclasses import dataclass

__all__ = ["SHAPES", "Plan", "Shape", "plan_call"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of call: how many people, how many sessions each, and how long.

    Attributes:
        group: a groupCall; else peerToPeer.
        people: fewest and most participants.
        rejoins: sessions per participant, at most; a record of a meeting counts each join.
        minutes: shortest and longest duration.
    """

    group: bool
    people: tuple[int, int]
    rejoins: float
    minutes: tuple[float, float]


SHAPES = {
    "peerToPeer": Shape(group=False, people=(2, 2), rejoins=1, minutes=(0.2, 40)),
    "pstn": Shape(group=False, people=(2, 2), rejoins=1, minutes=(0.3, 20)),
    "failed": Shape(group=False, people=(2, 2), rejoins=1, minutes=(0.0, 0.5)),
    "queue": Shape(group=True, people=(4, 4), rejoins=1.25, minutes=(1, 30)),
    "smallMeeting": Shape(group=True, people=(3, 8), rejoins=1.3, minutes=(10, 60)),
    "guest": Shape(group=True, people=(3, 9), rejoins=1.2, minutes=(10, 60)),
    "meeting": Shape(group=True, people=(10, 60), rejoins=1.3, minutes=(20, 90)),
    "largeMeeting": Shape(group=True, people=(640, 640), rejoins=1.5625, minutes=(60, 120)),
    "webinar": Shape(group=True, people=(400, 400), rejoins=1.1, minutes=(45, 90)),
}
"""A large meeting has 640 x 1.5625 = 1,000 sessions, a webinar 400 participants: both past every page limit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One call. `seed` decides every value of it; `start` and `end` are seconds since the epoch.

    Attributes:
        mark: write the version into every session, segment and participant.
        old: identities as they were before participants_v2 (graph.md section 9).
        trouble: share of the people who have a bad connection in a call, whose streams are poor; None: one stream in
            eight is poor, of any session.
    """

    tenant_id: str
    call_id: str
    shape: str
    seed: str
    sessions: int
    participants: int
    start: float
    end: float
    mark: bool = False
    old: bool = False
    trouble: float | None = None


def plan_call(  # noqa: PLR0913 (all but four are named options of one call)
    tenant_id: str,
    call_id: str,
    shape: str,
    seed: str,
    *,
    end: float,
    start: float | None = None,
    sessions: int | None = None,
    participants: int | None = None,
    mark: bool = False,
    old: bool = False,
    trouble: float | None = None,
) -> Plan:
    """The plan of a call of this shape that ended at `end`; counts not given are drawn from the seed.

    Raises:
        KeyError: no such shape.
    """
    kind, rng = SHAPES[shape], random.Random(f"{seed}/plan")
    people = participants or rng.randint(*kind.people)
    joins = sessions or (max(people, round(people * rng.uniform(1, kind.rejoins))) if kind.group else 1)
    if shape in {"largeMeeting", "queue"}:
        joins = sessions or round(people * kind.rejoins)
    begin = end - 60 * rng.uniform(*kind.minutes) if start is None else start
    return Plan(tenant_id, call_id, shape, seed, joins, people, begin, max(begin, end), mark, old, trouble)
