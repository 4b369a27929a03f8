from datetime import UTC, date, datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_common.outcomes import Reject
from ringback_sink.store.core.record import decode
from ringback_sink.store.model.version import CHILD_COLUMNS, Version
from ringback_sink.store.postgres.months import first_of_month, months_ahead, shifted, worth_a_partition
from ringback_sink.store.postgres.plan import Plan, plan
from ringback_sink.store.postgres.rows import CALL_COLUMNS, CHILD_KEY, Entry, entry_of
from ringback_testing.call_records import call_record, received

IDENTITIES = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 4), st.integers(1, 3))


def entry(call_id: str, version: int, revision: int) -> Entry:
    """One version, its party count telling which."""
    record = decode(received(call_record(call_id, version=version, revision=revision, parties=1)))
    assert not isinstance(record, Reject)
    return entry_of(Version(record))


def content(planned: Plan) -> object:
    """A plan as plain values."""
    versions = [(one.key[1], *one.rank) for one in planned.versions]
    return versions, {key[1]: one.rank for key, one in planned.newest.items()}


@settings(max_examples=60)
@given(st.lists(IDENTITIES, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(identities: list[tuple[str, int, int]], shuffle: Random) -> None:
    """Any permutation with repeats plans the same: each version's newest revision, each call's newest version."""
    entries = [entry(*identity) for identity in identities]
    shuffled = entries + entries[::2]
    shuffle.shuffle(shuffled)
    versions: dict[tuple[str, int], int] = {}
    newest: dict[str, tuple[int, int]] = {}
    for call, version, revision in identities:
        versions[call, version] = max(revision, versions.get((call, version), 0))
        newest[call] = max((version, revision), newest.get(call, (0, 0)))
    expected = [(call, version, revision) for (call, version), revision in sorted(versions.items())], newest
    assert content(plan(entries)) == content(plan(shuffled)) == expected


def test_only_the_newest_carries_a_document_and_children() -> None:
    """Of three versions in a batch one line has Graph's JSON, and only its children are copied."""
    planned = plan(entry("a", version, 1) for version in (2, 3, 1))
    lines = b"".join(planned.incoming()).splitlines()
    assert [line.endswith(b",null") for line in lines] == [True, True, False]
    [parties] = planned.child_lines("participant", dict.fromkeys(planned.newest, 7))
    assert parties.startswith(b'7,"11111111-2222-3333-4444-555555555555",3,1,')
    assert list(planned.child_lines("participant", {})) == []


def test_lines_and_column_lists_fit() -> None:
    """Every line has as many fields as its COPY names columns."""
    one = entry("a", 1, 1)
    assert len(one.values) + 2 == len(CALL_COLUMNS)
    for table, own in CHILD_COLUMNS.items():
        columns = CHILD_KEY + own
        plain = one.child_lines(table, 7).splitlines()[0].replace(b'"{\\"K\xc3\xb6ln, Dom\\"}"', b"site")
        assert plain.count(b",") + 1 == len(columns) == len(set(columns))


def test_a_call_without_start_is_filed_by_what_else_is_known() -> None:
    """Start, else last modification, else fetch decides the month."""
    told: dict[str, Any] = {
        "start": None,
        "last_modified_date_time": None,
        "fetched_at": datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
    }
    record = decode(received(call_record("a", **told)))
    assert not isinstance(record, Reject)
    assert entry_of(Version(record)).month == date(2026, 12, 1)


@given(st.dates(date(1, 2, 1), date(9990, 1, 1)), st.integers(-11, 100))
def test_months_count(day: date, by: int) -> None:
    """So many months later is so many first days of a month later."""
    month = day.replace(day=1)
    if month.year * 12 + month.month + by > 12:
        moved = shifted(month, by)
        assert (moved.year - month.year) * 12 + moved.month - month.month == by
        assert moved.day == 1


def test_months_are_made_ahead_and_nonsense_makes_none() -> None:
    """Two months back and three ahead are made; year 1 and next year's end get no table of their own."""
    now = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert months_ahead(now)[0] == date(2026, 10, 1)
    assert months_ahead(now)[-1] == date(2027, 3, 1)
    assert worth_a_partition(first_of_month("2025-01-31T23:00:00Z"), now)
    assert not worth_a_partition(first_of_month("0001-01-01T00:00:00Z"), now)
    assert not worth_a_partition(first_of_month("2027-12-01T00:00:00Z"), now)
