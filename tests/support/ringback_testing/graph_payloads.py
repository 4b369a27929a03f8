"""Call records drawn from Graph's own metadata: every member missing, null, legal or odd.

The types are those the simulator ships (names, members and enumerations of the published metadata); nothing here knows
what Ringback reads of them, so a member it has never heard of is drawn like any other. A legal record is made from a
seed, which is cheap at any size; what Hypothesis itself makes odd in it can be shrunk.
"""

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from hypothesis import strategies as st
from ringback_graph_simulator.metadata import shipped_table

from ringback_testing.json_values import Json, is_list, is_object

__all__ = ["CALL_RECORD", "Json", "Spot", "legal", "records", "spots"]

CALL_RECORD = "microsoft.graph.callRecords.callRecord"
_TABLE = shipped_table()
_TYPES, _ENUMS = _TABLE["types"], _TABLE["enums"]


class Spot(NamedTuple):
    """Where a value stands in a JSON tree."""

    holder: Any
    """The object or list."""
    at: Any
    """The member's name or the position."""
    path: tuple[str, ...]
    """Names from the root; positions are written as `[]`."""

    @property
    def value(self) -> Any:
        """What stands there."""
        return self.holder[self.at]


_Pool = tuple[Any, ...]
_TEXTS = (
    "", " ", "null", "\u0000", "\u202e\U0001f4de", "e\u0301", "x" * 300, "-", "{}", "+", "***", "4:", "8:", "28:",
    "tel:", "tel:***", "teamsvisitor:", "memberOfTomorrow", "unknownFutureValue", "Örjan Ågren", "+49301234***", "+0",
    "10.1.2.3", "fe80::1%eth0", "::ffff:10.0.0.1", "999.1.1.1", "#microsoft.graph.callRecords.serviceEndpoint",
)  # fmt: skip
_TIMES = (
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z",
    "2026-11-02T24:00:00Z", "2026-11-02T09:00:00", "2026-11-02T09:00:60Z", "2026-11-02T09:00:00+25:00",
    "2026-11-02T09:00:00.123456789012Z", "2026-11-02t09:00:00z", "2026-11-02 09:00:00Z", "20261102T090000Z",
    "0001-12-31T23:59:59-00:01", "\uff12026-11-02T09:00:00Z", "2026-W45-1T09:00:00Z", "2026-11-02T09:00:00-00:00",
    "0002-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.9999999+05:45",
)  # fmt: skip
_DURATIONS = (
    "P", "PT", "PT1H", "P1D", "P1Y", "-PT0.5S", "PT1E5S", "PT.5S", "PT5.S", "P999999999D", "PT1,5S", "pt1s", "+PT1S",
    "PT999999999999.999999999999S",
)  # fmt: skip
_WHOLE = (
    2**63,
    2**64 - 1,
    -(2**63),
    2**63 - 1,
    "5",
    "-5",
    "9" * 19,
    "9" * 400,
    "0x5",
    "٣",
    "1_000",
    5.0,
    5.5,
    1e300,
    True,
)
_REAL = ("NaN", "INF", "-INF", "0.5", "1e400", -0.0, 1e308, 5e-324, " 1", 2**64 - 1, -1, False)
_SHAPES: _Pool = (
    None,
    [],
    {},
    [None],
    [[]],
    [{}],
    ["a", 1, None],
    {"id": None},
    {"user": {}},
    {"@odata.type": 7},
    {"": {}},
    "odd",
)
_ANYTHING: _Pool = _SHAPES + _TEXTS + _TIMES + _DURATIONS + _WHOLE + _REAL


def _odd(value: object, pick: int) -> Any:
    """Something odd in the place of a value: of its own kind, of another type, or anything."""
    kinds: dict[type, _Pool] = {list: _SHAPES, dict: _SHAPES, int: _WHOLE, float: _REAL, str: _odd_texts(value)}
    pools: tuple[_Pool, ...] = (kinds.get(type(value), _ANYTHING), _SHAPES + _WHOLE + _REAL, _ANYTHING)
    pool = pools[pick % 3]
    return deepcopy(pool[pick // 3 % len(pool)])


def _odd_texts(value: Any) -> _Pool:
    if not isinstance(value, str):
        return _ANYTHING
    return _TIMES if value.startswith("2026-") else _DURATIONS if value.startswith("PT") else _TEXTS


def _text(rng: random.Random) -> str:
    number = rng.randrange(40)
    return rng.choice(
        (
            f"00000000-0000-4000-8000-{number:012d}",
            f"+4930{number:06d}",
            f"teamsvisitor:{number:08x}",
            f"8:orgid:{number:08x}",
            f"Person {number}",
            f"p{number}@contoso.example",
            f"10.0.{number}.{number}",
            "main-audio",
            "main-video",
            "applicationsharing-video",
        )
    )


def _time(rng: random.Random) -> str:
    digits = rng.choice(("", ".1", ".123", ".1234567", ".0000000"))
    return f"2026-11-02T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}{digits}" + rng.choice(
        ("Z", "Z", "+00:00", "-08:00", "+05:45")
    )


_PLAIN: dict[str, Callable[[random.Random], Any]] = {
    "Edm.String": _text,
    "Edm.DateTimeOffset": _time,
    "Edm.Duration": lambda rng: f"PT{rng.random() * 2:.3f}S",
    "Edm.Int32": lambda rng: rng.randrange(-100, 1000),
    "Edm.Int64": lambda rng: rng.randrange(2 ** rng.randrange(1, 63)),
    **dict.fromkeys(("Edm.Single", "Edm.Double", "Edm.Decimal"), lambda rng: round(rng.random() * 30, 3)),
    "Edm.Boolean": lambda rng: rng.random() < 0.5,
}


def legal(kind: str, rng: random.Random, lack: float = 0.0) -> Any:
    """A value of a type of the metadata.

    Args:
        kind: name of the type.
        rng: where it comes from.
        lack: share of members that are missing, and again of those that are null.
    """
    if kind.startswith("Collection("):
        return [legal(kind[11:-1], rng, lack) for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))]
    if kind in _PLAIN:
        return _PLAIN[kind](rng)
    if kind in _ENUMS:
        return rng.choice(_ENUMS[kind])
    return _object(rng.choice(_family(kind)), rng, lack) if kind in _TYPES else {}


def _object(kind: str, rng: random.Random, lack: float) -> Json:
    """An object of the type; one of an open type carries undeclared members, as Graph's identities do."""
    members: Json = {"@odata.type": f"#{kind}"} if rng.random() < 0.8 else {}
    for name, type_ in _members(kind).items():
        roll = rng.random()
        if roll >= lack:
            members[name] = None if roll < 2 * lack else legal(type_, rng, lack)
    if any(_TYPES[each]["open"] for each in _lineage(kind)):
        members |= {"tenantId": _text(rng), "undeclared": rng.choice((None, {"id": _text(rng)}))}
    return members


def _family(kind: str) -> list[str]:
    """The type and whatever is derived from it: the wire may carry any of them, named by `@odata.type`."""
    return [kind, *(each for name, about in _TYPES.items() if about["base"] == kind for each in _family(name))]


def _lineage(kind: str | None) -> list[str]:
    return [] if kind is None or kind not in _TYPES else [*_lineage(_TYPES[kind]["base"]), kind]


def _members(kind: str) -> dict[str, str]:
    return {name: type_ for each in _lineage(kind) for name, type_ in _TYPES[each]["members"].items()}


def spots(node: Any, path: tuple[str, ...] = ()) -> Iterator[Spot]:
    """Every member and element below a value, outer ones first."""
    places: list[Any] = [*range(len(node))] if is_list(node) else [*node] if is_object(node) else []
    for at in places:
        spot = Spot(node, at, (*path, "[]" if is_list(node) else at))
        yield spot
        yield from spots(spot.value, spot.path)


def _spoil(found: list[Spot], pick: int) -> None:
    """Replace or remove what bears one name: at one place, or everywhere."""
    where, how, what = pick % 3, pick // 3 % 7, pick // 21
    for spot in found if where else found[what % len(found) :][:1]:
        if isinstance(spot.holder, dict) and spot.at not in spot.holder:
            continue  # it was removed before
        if how or isinstance(spot.holder, list):
            spot.holder[spot.at] = _odd(spot.value, what)
        else:
            del spot.holder[spot.at]


@st.composite
def records(draw: st.DrawFn) -> Json:
    """Whole call records; some complete, some bare, with odd values or missing members in up to half of the names.

    A few of the oddities are Hypothesis' own and shrink one by one; the many come from the seed, for Hypothesis draws
    long sequences from too few corners to reach every member.
    """
    rng = random.Random(draw(st.binary(min_size=8, max_size=8)))  # noqa: S311 - a seed of Hypothesis'
    record = _object(CALL_RECORD, rng, draw(st.sampled_from([0.0, 0.0, 0.05, 0.3])))
    leaves: dict[tuple[str, ...], list[Spot]] = {}
    shapes: dict[tuple[str, ...], list[Spot]] = {}
    for spot in spots(record):
        kind = shapes if isinstance(spot.value, (list, dict)) else leaves
        kind.setdefault(spot.path[-2:] if spot.path[-1] == "[]" else spot.path[-1:], []).append(spot)
    chaos = draw(st.sampled_from([0.0, 0.2, 0.5, 0.5]))
    for found in leaves.values():
        if rng.random() < chaos:
            _spoil(found, rng.randrange(100_000))
    for kind, many in ((leaves, (0, 1, 5)), (shapes, (0, 0, 1, 3))):  # a lost object takes its leaves along
        names = list(kind)
        for _ in range(min(draw(st.sampled_from(many)), len(names))):
            name = names.pop(draw(st.integers(0, len(names) - 1)))
            _spoil(kind[name], draw(st.integers(0, 99_999)))
    return record
