"""What a re-derivation plans, what it makes of a record, and what it says of itself."""

import io
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.outcomes import Drop, Reason, Received, Reject
from ringback_enricher.__main__ import main
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.inventory import Inventory, RecordPosition, RederivationPlan, Selection
from ringback_enricher.core.publishing import Tokenizer, publication
from ringback_enricher.core.rederivation import Countries, rederive
from ringback_enricher.rederive.progress import Progress
from ringback_enricher.rederive.report import RederivationReport
from ringback_events.keys import call_key
from ringback_events.topics import CALLS, RECORDS, SESSIONS
from ringback_testing.graph_records import CALL, TENANT, meeting

FETCHED = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
LARGEST = 2**26
SINCE = FETCHED - timedelta(days=1)
AFTER = RuleSet(CQD_2026_1, SiteMap([("10.20.0.0/16", "New Street")]), 5)
NOWHERE: Countries = lambda _tenant: ()  # noqa: E731 - the countries of a tenant that names none
NOBODY: Tokenizer = lambda _record: lambda _party: None  # noqa: E731 - the shape of a tokenizer, without one

Noted = list[tuple[bytes, int, int, bool]]
"""Key, version, revision, and whether its open call is there."""
noted = st.lists(
    st.tuples(st.sampled_from([b"t|a", b"t|b", b"t|c"]), st.integers(0, 3), st.integers(1, 4), st.booleans())
)


def planned(records: Noted, revision: int, *, history: bool = False) -> RederivationPlan:
    """The plan for records that lie one after the other, each of ten bytes."""
    inventory = Inventory(revision, history=history)
    for offset, (key, version, its_revision, _) in enumerate(records):
        inventory.note(key, version, its_revision, RecordPosition(offset, 1000 + offset, 10))
    for key, version, its_revision, opened in records:
        if opened:
            inventory.note_opened(key, version, its_revision)
    return inventory.plan()


@given(noted, st.integers(1, 4), st.booleans())
def test_the_plan_is_what_a_plain_search_finds(records: Noted, revision: int, history: bool) -> None:  # noqa: FBT001 - drawn
    """Of each call (or version) the newest record, if its revision is lower, or equal and not opened; nothing else."""
    newest: dict[Any, tuple[int, int, int]] = {}
    for offset, (key, version, its_revision, _) in enumerate(records):
        name = (key, version) if history else key
        newest[name] = max(newest.get(name, (-1, -1, -1)), (version, its_revision, offset))
    opened = {(key, version, its_revision) for key, version, its_revision, opened in records if opened}
    expected = sorted(
        offset
        for name, (version, its_revision, offset) in newest.items()
        if its_revision < revision
        or (its_revision == revision and (name[0] if history else name, version, its_revision) not in opened)
    )
    plan = planned(records, revision, history=history)
    assert list(plan.offsets) == expected
    assert plan.octets == 10 * len(expected) == 10 * plan.by_revision.total()
    assert plan.calls == len(newest)
    assert plan.ahead == sum(its_revision > revision for _, its_revision, _ in newest.values())


def test_the_open_calls_are_looked_for_from_the_first_record_that_could_have_one() -> None:
    """The stamp of the oldest record of this release's revision; without one nothing is looked for."""
    inventory = Inventory(2)
    inventory.note(b"t|a", 1, 1, RecordPosition(0, 1000, 1))
    assert inventory.opened_since_ms is None
    inventory.note(b"t|b", 1, 2, RecordPosition(1, 3000, 1))
    inventory.note(b"t|a", 1, 2, RecordPosition(2, 2000, 1))
    assert inventory.opened_since_ms == 2000


def test_an_open_call_of_another_version_completes_nothing() -> None:
    """Version 1 was opened, version 2 was interrupted."""
    records = [(b"t|a", 1, 2, True), (b"t|a", 2, 2, False)]
    assert list(planned(records, 2).offsets) == [1]


def test_a_call_takes_less_than_200_bytes() -> None:
    """What ADR 0024 says of the memory: one partition of the largest tenants' 14 days in 120 MB."""
    keys = [b"8f4e2a10-6c1b-4f0e-9d55-3a2b1c0d9e8f|%036d" % number for number in range(100_000)]
    tracemalloc.start()
    try:
        inventory = Inventory(2)
        for offset, key in enumerate(keys):
            inventory.note(key, 2, 1, RecordPosition(offset + 1_000_000, 1_795_368_862_371, 45_000))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(keys) < 200


def lying(offset: int) -> Received:
    """A record of which only the offset matters."""
    return Received(RECORDS.name, 0, offset, 0, b"t|a", b"{}")


def test_what_retention_took_before_it_was_read_is_counted() -> None:
    """Planned 2, 5, 8 and 9; what is read begins at 4 and ends at 8."""
    selection = Selection([2, 5, 8, 9])
    taken = [record.offset for batch in ([4, 5], [6, 7, 8]) for record in selection.of([lying(one) for one in batch])]
    selection.finish()
    assert (taken, selection.gone) == ([5, 8], 2)


def kept(value: bytes | None = None, *, version: bytes = b"3", key: bytes | None = None, **changes: Any) -> Received:
    """The record of the meeting as revision 1 published it, with changes of its members."""
    before = RuleSet(CQD_2026_1, SiteMap(), 1)
    record = derive(
        meeting(), RecordContext(TENANT, CALL, "2026-11-02T09:59:00.000000Z", "2026-11-02T10:00:00.000000Z"), before
    )
    reported = orjson.dumps(record | changes) if value is None else value
    headers = (("ce_callversion", version), ("ce_callrevision", b"1"))
    return Received(RECORDS.name, 3, 17, 0, key or call_key(TENANT, CALL), reported, headers)


def test_a_record_is_derived_again_as_if_it_were_fetched_today() -> None:
    """The same stages as of a fetch with today's tables, its times kept, marked as a re-publication."""
    context = RecordContext(TENANT, CALL, "2026-11-02T09:59:00.000000Z", "2026-11-02T10:00:00.000000Z")
    fetched = publication(derive(meeting(), context, AFTER), NOBODY, replay=True, canary=False)
    stages = rederive(kept(), AFTER, NOBODY, NOWHERE, SINCE, LARGEST)
    assert stages == fetched
    assert not isinstance(stages, Drop | Reject)
    assert [stage[0].topic for stage in stages] == [RECORDS.name, SESSIONS.name, SESSIONS.name, CALLS.name]
    assert all(("ringback_replay", b"true") in message.headers for stage in stages for message in stage)
    reported = orjson.loads(stages[0][0].value or b"")
    assert (reported["revision"], reported["sites"], reported["graph"]) == (5, ["New Street"], meeting())


@pytest.mark.parametrize(
    ("record", "refused"),
    [
        (kept(b"{broken"), Reject(Reason.UNDECODABLE, "JSONDecodeError")),
        (kept(b"[]"), Reject(Reason.SCHEMA_INVALID, ":model_type")),
        (kept(graph=None), Reject(Reason.SCHEMA_INVALID, "graph:dict_type")),
        (kept(fetchedAt="soon"), Reject(Reason.SCHEMA_INVALID, "fetchedAt:datetime_from_date_parsing")),
        (kept(key=call_key(TENANT, "another")), Reject(Reason.SCHEMA_INVALID, "key")),
        (kept(version=b"4"), Reject(Reason.SCHEMA_INVALID, "version")),
    ],
    ids=["no JSON", "no object", "no graph", "no time", "another key", "another version"],
)
def test_what_cannot_be_derived_is_refused_without_its_content(record: Received, refused: Reject) -> None:
    """The reason and the member, never a value; the record stays where it lies."""
    assert rederive(record, AFTER, NOBODY, NOWHERE, SINCE, LARGEST) == refused


def test_what_was_fetched_too_long_ago_is_dropped() -> None:
    """The time it was fetched decides, not the time it was published last."""
    assert rederive(kept(), AFTER, NOBODY, NOWHERE, FETCHED + timedelta(seconds=1), LARGEST) == Drop(Reason.TOO_OLD)
    assert not isinstance(rederive(kept(), AFTER, NOBODY, NOWHERE, FETCHED, LARGEST), Drop)


def test_the_report_says_everything_that_was_counted() -> None:
    """A person reads the same numbers as a program, and what is left to do."""
    report = RederivationReport(5, acts=True, max_rate=2.0, published=3, too_old=1, gone=2)
    report.add(RederivationPlan(9, range(6), 4_200_000, Counter({4: 5, 5: 1}), 7))
    for offset in range(25):
        report.refuse(lying(offset), Reason.SCHEMA_INVALID, "key")
    text = "\n".join(report.sentences())
    for said in (
        "6 of 9 calls",
        "4.2 MB",
        "3 s at 2 a second",
        "5 carry revision 4",
        "1 carry it already",
        "7 carry a g",
    ):
        assert said in text
    assert text.count(f"{RECORDS.name}/0/") == 20
    assert "25 could not be derived again" in text
    assert "Stopped before the end, 3 published" in text
    document = report.document()
    assert (document["refused"], document["ahead"], document["gone"]) == ({"schema_invalid": 25}, 7, 2)
    report.complete = True
    assert not report.is_clean


class Ticking:
    """A clock that is a second later at every look."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def now(self) -> datetime:
        """The wall clock."""
        return FETCHED + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        self._seconds += 1
        return self._seconds


class Terminal(io.StringIO):
    """A terminal that keeps what is drawn."""

    def isatty(self) -> bool:
        """Somebody looks."""
        return True


def test_the_bar_is_drawn_for_a_terminal_alone() -> None:
    """Redrawn a few times a second, never beyond its end; elsewhere nothing is written to the stream."""
    terminal, pipe = Terminal(), io.StringIO()
    bars = [Progress(10, stream, Ticking()) for stream in (terminal, pipe)]
    for _ in range(3):
        for bar in bars:
            bar.advance(5, 4)
    for bar in bars:
        bar.finish(8)
    assert [line.split("]")[1].strip() for line in terminal.getvalue().split("\r")[1:]] == [
        "50% 4 published",
        "100% 4 published",
        "100% 4 published",
        "100% 8 published",
    ]
    assert pipe.getvalue() == ""


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "fast"])
def test_a_rate_that_is_none_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and the bounds, before anything is connected to."""
    with pytest.raises(SystemExit) as ended:
        main(["rederive", f"--max-rate={rate}"])
    assert ended.value.code == 2
    assert f"from 0.01 to 100000, not '{rate}'" in capsys.readouterr().err
