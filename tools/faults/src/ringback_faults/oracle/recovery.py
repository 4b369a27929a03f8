"""I9: after each fault everything is soon as it was, without help. Pure.

Recovered is the moment at which the last thing that had waited for more than 5 s got its effect: a fetch request was
satisfied, a record version was stored. What came in before the fault counts, and so does what came after it and found
nobody there. A request on a retry tier has the age of its due time. A webhook has recovered with the first POST that it
answers 2xx; of two each for itself, for Graph tells each of other tenants.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from math import inf

from ringback_faults.ledgers import Act, Ledgers
from ringback_faults.oracle.effects import Effects, due_of
from ringback_faults.oracle.index import LANES, Place
from ringback_faults.pairs import service_of
from ringback_faults.row import Expect

__all__ = ["fault_over", "recovery_seconds", "unexpected_ends", "unrecovered"]

_AGE = 5.0
_PATIENCE = 3
"""Times the goal: past it a row fails."""
_ENDING = {"kill": (-9,), "point": (-9,), "terminate": (0,)}
"""How a process ends that was ended so."""
_SUDDEN = frozenset({"kill", "point"})
_LOAD = frozenset({"flood", "calls", "lateness", "memory peak", "calm", "tell apart", "limit records"})
"""Acts that break nothing."""


def fault_over(acts: Iterable[Act], began: float) -> float:
    """When the last fault was over: a death at once, for getting over it is the recovery; all else when it ended."""
    return max((_over(act) for act in acts if act.what not in _LOAD), default=began)


def _over(act: Act) -> float:
    return act.at if act.what in _SUDDEN else act.end


def recovery_seconds(ledgers: Ledgers, effects: Effects) -> float:
    """The longest of the recoveries from each death and from the last fault, whatever it was.

    Of a death that another fault follows only the time up to that is known.
    """
    late = [done for since, done in _waits(ledgers, {**effects.lanes, **effects.records}) if _AGE < done - since < inf]
    took = [done - began for began, until in _episodes(ledgers) for done in late if began < done <= until]
    return max(chain(took, _unanswered(ledgers)), default=0.0)


def _episodes(ledgers: Ledgers) -> Iterator[tuple[float, float]]:
    """From each death to the next fault, and from the last fault on."""
    faults = [act for act in ledgers.acts if act.what not in _LOAD and act.what != "ended"]
    for death in faults:
        if death.what in _SUDDEN and death.at < ledgers.faulted:
            yield death.at, min((act.at for act in faults if act.at > death.at), default=inf)
    yield ledgers.faulted, inf


def _unanswered(ledgers: Ledgers) -> Iterator[float]:
    """From each death of a webhook to its next 2xx, if it was asked at all, or to its next death.

    To the end of all work if it gave none. Who dies of its first acknowledgement, again and again, never answers: that
    is the fault, and no slow recovery.
    """
    deaths = [act for act in ledgers.acts if act.what in _SUDDEN and service_of(act.target) == "webhook"]
    for death in deaths:
        asked = [post for post in ledgers.posts if post.process == death.target and post.end > death.at]
        answered = (post.end for post in asked if post.accepted)
        again = (other.at for other in deaths if other.target == death.target and other.at > death.at)
        if asked:
            end = min(answered, default=ledgers.drained or ledgers.faulted)
            yield max(0.0, min([end, *again]) - death.at)


def _waits(ledgers: Ledgers, done: Mapping[Place, float]) -> list[tuple[float, float]]:
    return [
        (due_of(record) if record.topic in LANES else record.at, done[place])
        for record in ledgers.records
        if (place := (record.topic, record.partition, record.offset)) in done
    ]


def unrecovered(ledgers: Ledgers, effects: Effects, expect: Expect) -> Iterator[str]:
    """A sentence if lag 0 was never reached, and one if it took longer than three times the goal."""
    if ledgers.drained is None:
        yield "it never drained: something is still unfinished"
    took = recovery_seconds(ledgers, effects)
    if took > _PATIENCE * expect.recovery_seconds:
        yield f"recovery took {took:.1f} s, three times the goal is {_PATIENCE * expect.recovery_seconds:.0f} s"


def unexpected_ends(ledgers: Ledgers, expect: Expect) -> Iterator[str]:
    """A sentence for each process that ended by itself, unless the row allows its exit code."""
    due = Counter(
        (act.target, code)
        for act in ledgers.acts
        for code in _ENDING.get(act.what, ())
        if "member" not in act.detail  # no process of the supervisor's
    )
    for act in ledgers.acts:
        code = int(float(act.detail.get("exit_code", 0)))
        if act.what == "terminate" and code:
            yield f"{act.target}, ordered to stop, ended with {code} at {act.at:.3f}"
        if act.what == "ended" and due[act.target, code]:
            due[act.target, code] -= 1
        elif act.what == "ended" and code not in expect.exit_codes:
            yield f"{act.target} ended with {code} at {act.at:.3f} by itself"
