"""The demo's judge: each way to be wrong turns its own figure red."""

import json
from dataclasses import replace

import pytest
from ringback_local.demo.canonical import children_of
from ringback_local.demo.evidence import missing
from ringback_local.demo.judge import Children, Expected, Judgement, Key, Stored, judge
from ringback_local.demo.kills import Kill
from ringback_local.demo.report import last_line

CALL: Key = ("tenant", "call")
FIRST = Children(2, 3, "s1", "p1")
SECOND = Children(4, 3, "s2", "p2")
TOLD = Expected({1: 2, 2: 1}, 0, frozenset({1, 2}), {1: FIRST, 2: SECOND})
WELL = Stored(2, SECOND, rows_match=True)


def figures(expected: Expected, stored: Stored | None, *, refused: bool = False) -> Judgement:
    """The judgement over one call."""
    rows = {CALL: stored} if stored is not None else {}
    return judge({CALL: expected}, rows, [CALL] if refused else [])


def test_a_call_stored_as_graph_has_it_is_clean() -> None:
    """All items of older versions are satisfied by the newest."""
    judgement = figures(TOLD, WELL)
    assert judgement.clean
    assert (judgement.accepted, judgement.stored) == (3, 3)


@pytest.mark.parametrize(
    ("stored", "figure", "count"),
    [
        (None, "lost", 3),
        (replace(WELL, version=1, children=FIRST), "stale", 1),
        (replace(WELL, version=1, children=FIRST), "lost", 1),
        (replace(WELL, children=Children(3, 3, "s2", "p2")), "cut", 1),
        (replace(WELL, children=Children(4, 3, "mixed", "p2")), "cut", 1),
        (replace(WELL, rows_match=False), "cut", 1),
        (replace(WELL, surplus=2), "duplicated", 2),
    ],
)
def test_each_fault_shows_in_its_figure(stored: Stored | None, figure: str, count: int) -> None:
    """Nothing, an old version, a cut, a mixed, a row too few, a row too many."""
    judgement = figures(TOLD, stored)
    assert judgement.figures()[figure] == count
    assert not judgement.clean


PAIR = replace(TOLD, is_group=False)


@pytest.mark.parametrize(
    ("expected", "children", "cut"),
    [
        (PAIR, SECOND, 0),
        (PAIR, Children(4, 0, "s2", "none"), 0),
        (PAIR, Children(4, 2, "s2", "p2"), 1),
        (PAIR, Children(4, 3, "s2", "another"), 1),
        (PAIR, Children(3, 0, "s2", "none"), 1),
        (PAIR, Children(4, 0, "mixed", "none"), 1),
        (TOLD, Children(4, 0, "s2", "none"), 1),
    ],
)
def test_the_participants_of_a_call_of_two_are_there_all_or_none(
    expected: Expected, children: Children, cut: int
) -> None:
    """Its session has them as its sides; a group call lacks none, and no call a session."""
    assert figures(expected, replace(WELL, children=children)).cut == cut


def test_a_refused_call_is_accounted_for() -> None:
    """What is in the dead letters is not lost."""
    judgement = figures(TOLD, None, refused=True)
    assert (judgement.dead_lettered, judgement.lost) == (3, 0)


def test_only_planted_items_count_as_dropped() -> None:
    """A drop the simulator did not plant is a loss."""
    judgement = figures(replace(TOLD, planted_drops=5), WELL)
    assert (judgement.accepted, judgement.dropped, judgement.stored) == (8, 5, 3)
    assert judgement.accepted == judgement.stored + judgement.dead_lettered + judgement.dropped + judgement.lost


def test_a_row_graph_never_had_is_cut() -> None:
    """An invented call is as wrong as a missing one."""
    assert judge({}, {CALL: WELL}, []).cut == 1


def test_the_last_line_is_one_json_object_with_the_eight_figures() -> None:
    """Programs read the report's last line."""
    line = last_line(figures(TOLD, WELL))
    assert "\n" not in line
    assert list(json.loads(line)) == [
        "accepted",
        "stored",
        "dead_lettered",
        "dropped",
        "lost",
        "duplicated",
        "stale",
        "cut",
    ]


def record(**changes: object) -> dict[str, object]:
    """A small record as Graph would serve it."""
    session = {"id": "a", "@odata.type": "#x", "n": 1.0, "segments": [{"id": "b"}]}
    return {"sessions": [session, {"id": "c"}], "participants_v2": [{"id": "p"}], **changes}


def test_links_and_order_do_not_change_the_hash() -> None:
    """Pages may bring children in any order, with any annotation."""
    sessions = [
        {"id": "c", "segments@odata.context": "x"},
        {"segments": [{"id": "b"}], "n": 1.0, "@odata.type": "#x", "id": "a"},
    ]
    assert children_of(record(sessions=sessions)) == children_of(record())


@pytest.mark.parametrize(
    "sessions",
    [[{"id": "c"}], [{"id": "c"}, {"id": "c"}], [{"id": "a", "n": 1.0, "segments": [{"id": "b"}]}, {"id": "c"}]],
)
def test_a_missing_a_repeated_and_a_changed_child_change_the_hash(sessions: list[object]) -> None:
    """A cut, a doubled and a rewritten child are seen."""
    assert children_of(record(sessions=sessions)).sessions_hash != children_of(record()).sessions_hash


KILLS = [Kill("webhook", 1), Kill("enricher", 20), Kill("store", 3)]
BIG = {
    CALL: replace(WELL, children=Children(1000, 10, "", "")),
    ("tenant", "webinar"): replace(WELL, children=Children(10, 400, "", "")),
}


def test_a_full_day_lacks_nothing() -> None:
    """With everything in it the day is proof."""
    assert missing({CALL: TOLD}, BIG, {404: 1, 429: 1}, KILLS) == []


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [
        ({"stored": {CALL: WELL}}, "No meeting of 1,000 sessions was stored."),
        ({"stored": {CALL: WELL}}, "No call with 400 participants was stored."),
        ({"expected": {CALL: replace(TOLD, accepted={1: 1})}}, "No late version was accepted."),
        ({"statuses": {429: 1}}, "Graph never answered 404 first."),
        ({"statuses": {404: 1}}, "Graph never answered 429."),
        ({"kills": KILLS[1:]}, "No kill of webhook while it held unfinished work."),
        ({"kills": [*KILLS[:2], Kill("store", 0)]}, "No kill of store while it held unfinished work."),
    ],
)
def test_each_missing_event_is_named(lacking: dict[str, object], sentence: str) -> None:
    """A run without evidence fails, and says what it lacks."""
    day = {"expected": {CALL: TOLD}, "stored": BIG, "statuses": {404: 1, 429: 1}, "kills": KILLS, **lacking}
    assert sentence in missing(**day)  # pyright: ignore[reportArgumentType] - a table of keyword arguments
