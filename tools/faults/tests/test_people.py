"""People are found wherever everybody may read, and what may hold them is not searched."""

from typing import Any, NamedTuple

import orjson
import pytest
from ringback_events import topics
from ringback_faults.collect.people import People

NAME = "Grace Hopper"


class _Record(NamedTuple):
    topic: str
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def _restricted(**party: Any) -> _Record:
    return _Record(topics.RECORDS.name, orjson.dumps({"parties": [party]}))


def test_people_of_an_installation_with_a_prefix_are_found_in_its_topics() -> None:
    """Another one's topics are not its own."""
    people = People("other.")
    for record in (_restricted(displayName=NAME), _Record(topics.CALLS.name, NAME.encode())):
        people.see(record._replace(topic=f"other.{record.topic}"))
    assert [found.partition(" (")[0] for found in people.leaks()] == [
        f"displayName 0 stands in other.{topics.CALLS.name}"
    ]


def _seen(*records: _Record) -> People:
    people = People()
    for record in records:
        people.see(record)
    return people


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (_Record(topics.CALLS.name, b'{"parties":[{"displayName":"Grace Hopper"}]}'), topics.CALLS.name),
        (_Record(topics.SESSIONS.name, b'{"x":"R3JhY2UgSG9wcGVy"}'), topics.SESSIONS.name),
        (
            _Record(topics.INTERNAL_DEAD_LETTERS.name, b"", (("ringback_dlq_x", b"grace hopper"),)),
            f"headers of {topics.INTERNAL_DEAD_LETTERS.name}",
        ),
    ],
    ids=["plain", "base64", "header"],
)
def test_a_person_of_a_restricted_record_is_found(record: _Record, place: str) -> None:
    """Whatever comes first on the topics, and in whatever form it got there."""
    for order in ((record, _restricted(displayName=NAME)), (_restricted(displayName=NAME), record)):
        (found,) = _seen(*order).leaks()
        assert found.startswith(f"displayName 0 stands in {place}")
        assert NAME not in found


@pytest.mark.parametrize(
    "record",
    [
        _Record(topics.RECORDS.name, b'{"parties":[{"displayName":"Grace Hopper"}]}'),
        _Record(topics.INTERNAL_DEAD_LETTERS.name, b"Grace Hopper"),
        _Record(topics.CALLS.name, b'{"parties":[{"token":"u1_k_abc"}]}'),
        _Record(topics.CALLS.name, None),
    ],
    ids=["restricted", "bytes of a dead letter", "token", "tombstone"],
)
def test_what_may_hold_people_is_no_leak(record: _Record) -> None:
    """The restricted tier and the bytes of dead letters hold people by design."""
    assert _seen(_restricted(displayName=NAME), record).leaks() == ()


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b'{"parties":7}', b'{"parties":[7]}'])
def test_poison_is_no_person(value: bytes) -> None:
    """What a row plants on the restricted topic does not stop its judging."""
    assert _seen(_Record(topics.RECORDS.name, value)).canaries == {}


def test_many_calls_give_many_people() -> None:
    """One of each record, short ones and repeats left out, up to a bound."""
    people = _seen(
        _restricted(displayName="Al"),
        *(_restricted(userPrincipalName=f"person{number}@example.com") for number in range(100)),
        _restricted(displayName=NAME),
    )
    assert len(people.canaries) == 60
    assert len(set(people.canaries.values())) == 60
