"""The judgement: what Graph's simulator told and served, against what the topics and the store hold. Pure.

It believes none of the services' own counters. Units are notification items that were answered 2xx; *duplicated*,
*stale* and *cut* count rows of the store.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field

__all__ = ["Children", "Expected", "Judgement", "Key", "Stored", "is_whole", "judge"]

Key = tuple[str, str]
"""(tenant id, call id)"""


@dataclass(frozen=True, slots=True)
class Children:
    """What a version of a call consists of: counts, and content hashes over all of them."""

    sessions: int
    participants: int
    sessions_hash: str
    participants_hash: str


@dataclass(frozen=True, slots=True)
class Expected:
    """One call as the simulator's ledger has it.

    Attributes:
        accepted: version Graph held when an item that was answered 2xx was sent → number of such items.
        planted_drops: items answered 2xx that the simulator forged; they must not be stored for their own sake.
        served: versions it served to anybody, whole or in part.
        versions: what each version consists of.
        is_group: whether it is anything but a call of two, by Graph's own word.
    """

    accepted: Mapping[int, int]
    planted_drops: int
    served: AbstractSet[int]
    versions: Mapping[int, Children]
    is_group: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """One call as the store has it.

    Attributes:
        version: of the current row.
        children: of the stored document.
        rows_match: whether the session rows are the document's sessions, one for one.
        surplus: rows that stand twice: of the call, of a history version, of a child.
    """

    version: int
    children: Children
    rows_match: bool
    surplus: int = 0


@dataclass(slots=True)
class Judgement:
    """The figures of the report; the first line is in items, the second in rows."""

    accepted: int = 0
    stored: int = 0
    dead_lettered: int = 0
    dropped: int = 0
    lost: int = 0
    duplicated: int = 0
    stale: int = 0
    cut: int = 0
    worst: list[str] = field(default_factory=list[str])

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, stale or cut."""
        return (self.lost, self.duplicated, self.stale, self.cut) == (0, 0, 0, 0)

    def figures(self) -> dict[str, int]:
        """The eight figures under their names."""
        return {name: value for name, value in asdict(self).items() if name != "worst"}


def is_whole(call: Expected, version: int, held: Children) -> bool:
    """Whether these are all sessions and participants of a version.

    Those of a peer-to-peer call are the sides of its session; its list of participants is there whole, or not at all.
    """
    served = call.versions.get(version)
    if served is not None and not call.is_group and held.participants == 0:
        return (held.sessions, held.sessions_hash) == (served.sessions, served.sessions_hash)
    return held == served


def judge(expected: Mapping[Key, Expected], stored: Mapping[Key, Stored], dead_lettered: Iterable[Key]) -> Judgement:
    """Account for every accepted item and every stored row.

    Args:
        expected: the simulator's ledger, by call.
        stored: the store's calls.
        dead_lettered: calls that stand in the dead letters.
    """
    verdict = Judgement()
    refused = set(dead_lettered)
    for key, call in expected.items():
        _items(verdict, key, call, stored.get(key), refused=key in refused)
    for key, row in stored.items():
        _row(verdict, key, row, expected.get(key))
    return verdict


def _items(verdict: Judgement, key: Key, call: Expected, row: Stored | None, *, refused: bool) -> None:
    verdict.accepted += call.planted_drops
    verdict.dropped += call.planted_drops
    for version, items in call.accepted.items():
        verdict.accepted += items
        if row is not None and row.version >= version:
            verdict.stored += items
        elif refused:
            verdict.dead_lettered += items
        else:
            verdict.lost += items
            verdict.worst.append(f"lost: {items} item(s) of {key[1]} version {version}")


def _row(verdict: Judgement, key: Key, row: Stored, call: Expected | None) -> None:
    verdict.duplicated += row.surplus
    if call is None:
        verdict.worst.append(f"unknown to Graph: {key[1]}")
        verdict.cut += 1
        return
    if call.served and row.version < max(call.served):
        verdict.stale += 1
        verdict.worst.append(f"stale: {key[1]} stored {row.version}, Graph served {max(call.served)}")
    if not is_whole(call, row.version, row.children) or not row.rows_match:
        verdict.cut += 1
        verdict.worst.append(f"cut or mixed: {key[1]} version {row.version}")
