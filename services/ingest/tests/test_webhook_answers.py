"""What a POST is answered when a part of it cannot be used now, and what an operator is told of it."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ringback_common.metrics import WEBHOOK_ITEMS
from ringback_common.outcomes import Message
from ringback_ingest.client_state import CALL_RECORDS, Key, KeyRing, NotificationQuery, client_state
from ringback_ingest.webhook.core.admission import Status
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.core.unknown_kids import WAIT_SECONDS, UnknownKids
from ringback_ingest.webhook.entry import NotificationEntry
from ringback_testing.counters import value_of

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OURS = NotificationQuery(CALL_RECORDS, "k2", "test")
NEW = Key("k3", b"n" * 32)

Item = Callable[..., dict[str, Any]]
Body = Callable[..., bytes]


@dataclass
class SetClock:
    """Noon; its monotonic time is set."""

    at: float = 1000.0

    def now(self) -> datetime:
        """Noon."""
        return NOW

    def monotonic(self) -> float:
        """What it is set to."""
        return self.at


@dataclass
class Written:
    """Acknowledges at once."""

    accepting: bool = True
    messages: list[Message] = field(default_factory=list[Message])

    async def write(self, messages: Sequence[Message]) -> None:
        """Keep them."""
        self.messages.extend(messages)


@dataclass
class Door:
    """An entry, its clock, and what it wrote and answered."""

    entry: NotificationEntry
    clock: SetClock
    written: Written
    answers: list[Status] = field(default_factory=list[Status])

    async def post(self, query: NotificationQuery, body: bytes) -> Status:
        """The answer to a POST."""
        self.entry.take(query, body, self.answers.append, math.inf)
        while self.entry._posts or self.entry._writes:
            await asyncio.sleep(0)
        return self.answers.pop()


@pytest.fixture
def door(ring: KeyRing) -> Door:
    """An entry with the keys k1 and k2."""
    clock, written = SetClock(), Written()
    return Door(NotificationEntry(written, Proof(ring, NOW, "test"), clock), clock, written)


def _rotated(item: Item, key: Key = NEW) -> dict[str, Any]:
    """An item of a subscription that was made with a key this webhook has not read yet."""
    return item(clientState=client_state(key, TENANT, CALL_RECORDS))


async def test_an_unknown_key_is_waited_for(door: Door, item: Item, body: Body, ring: KeyRing) -> None:
    """503 until the key is read; then the repetition is taken. The genuine items beside it are written each time."""
    query, data = replace(OURS, kid="k3"), body(_rotated(item), item())
    assert await door.post(query, data) is Status.UNAVAILABLE
    assert len(door.written.messages) == 1
    door.entry.proof = Proof(replace(ring, keys=(*ring.keys, NEW)), NOW, "test")
    assert await door.post(query, data) is Status.ACCEPTED
    assert len(door.written.messages) == 3


async def test_an_unknown_key_is_waited_for_a_quarter_of_an_hour(
    door: Door, item: Item, body: Body, caplog: pytest.LogCaptureFixture
) -> None:
    """From its first sight on, whatever came since; then 202, a count and a line at ERROR."""
    query, data = replace(OURS, kid="k3"), body(_rotated(item))
    before = _counts()
    for seconds, expected in ((0, 503), (600, 503), (WAIT_SECONDS - 0.1, 503), (WAIT_SECONDS, 202), (9999, 202)):
        door.clock.at = 1000.0 + seconds
        assert await door.post(query, data) == expected
    assert _since(before) == {"awaiting_key": 3, "unknown_kid": 2, "forged": 0, "accepted": 0}
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.WARNING, logging.WARNING, logging.WARNING, logging.ERROR, logging.ERROR]


GONE: dict[str, Callable[[KeyRing], KeyRing]] = {
    "withdrawn": lambda ring: replace(ring, withdrawn=frozenset({"k3"})),
    "ended": lambda ring: replace(ring, keys=(*ring.keys, replace(NEW, valid_until=NOW))),
}


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE.keys())
async def test_a_key_that_is_gone_is_not_waited_for(
    door: Door, item: Item, body: Body, ring: KeyRing, gone: Callable[[KeyRing], KeyRing]
) -> None:
    """202 and the alarm at once: a subscription of ours may still deliver with it."""
    door.entry.proof = Proof(gone(ring), NOW, "test")
    before = _counts()
    assert await door.post(replace(OURS, kid="k3"), body(_rotated(item))) is Status.ACCEPTED
    assert _since(before)["unknown_kid"] == 1


STRANGERS: dict[str, tuple[NotificationQuery, str]] = {
    "another installation": (NotificationQuery(CALL_RECORDS, "k3", "other"), "k3"),
    "no installation": (NotificationQuery(CALL_RECORDS, "k3"), "k3"),
    "a known key in the URL": (OURS, "k3"),
    "a known key in the item": (replace(OURS, kid="k3"), "k2"),
    "a valid key": (OURS, "k2"),
    "no key id": (replace(OURS, kid=""), ""),
    "no possible key id": (replace(OURS, kid="k" * 33), "k" * 33),
}


@pytest.mark.parametrize(("query", "kid"), STRANGERS.values(), ids=STRANGERS.keys())
async def test_what_no_subscription_of_ours_sends_is_forged(
    door: Door, item: Item, body: Body, query: NotificationQuery, kid: str
) -> None:
    """Only our installation's id with one and the same unknown key id in URL and item is waited for."""
    before = _counts()
    assert await door.post(query, body(item(clientState=f"{kid}.{'A' * 43}"))) is Status.ACCEPTED
    assert _since(before) == {"awaiting_key": 0, "unknown_kid": 0, "forged": 1, "accepted": 0}


@pytest.mark.parametrize(
    ("query", "expected", "line"),
    [
        (OURS, Status.UNAVAILABLE, {"kid": "k2"}),
        (replace(OURS, kid="k3"), Status.UNAVAILABLE, {"kid": "k3"}),
        (replace(OURS, kid="k" * 33), Status.ACCEPTED, {"reason": "not_ours"}),
        (replace(OURS, installation="other"), Status.ACCEPTED, {"reason": "not_ours"}),
        (NotificationQuery(), Status.ACCEPTED, {"reason": "not_ours"}),
    ],
    ids=["valid key", "unknown key", "no possible key", "another installation", "nothing"],
)
async def test_an_undecodable_body_of_ours_is_sent_again(
    door: Door, query: NotificationQuery, expected: Status, line: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """503 and a line at ERROR if its URL carries our installation's id and a key id, valid or to come.

    Else 202 and a warning, which names no key id: anybody may have made it up.
    """
    before = value_of(WEBHOOK_ITEMS.labels("undecodable"))
    assert await door.post(query, b"\x1f\x8b\x08") is expected
    assert value_of(WEBHOOK_ITEMS.labels("undecodable")) == before + 1
    level = logging.ERROR if expected is Status.UNAVAILABLE else logging.WARNING
    assert [record.levelno for record in caplog.records] == [level]
    assert _fields(caplog) == [{**line, "count": 1}]


@pytest.mark.parametrize("cut", [2, 40], ids=["behind its item", "within"])
async def test_a_cut_body_of_a_key_to_come_is_waited_for_as_its_item_would_be(
    door: Door, item: Item, body: Body, ring: KeyRing, cut: int
) -> None:
    """The item cannot be seen, so it cannot say which key it names: the URL does, for a quarter of an hour."""
    query, data = replace(OURS, kid="k3"), body(_rotated(item))[:-cut]
    assert await door.post(query, data) is Status.UNAVAILABLE
    door.clock.at += WAIT_SECONDS
    assert await door.post(query, data) is Status.ACCEPTED
    door.entry.proof = Proof(GONE["withdrawn"](ring), NOW, "test")
    assert await door.post(query, data) is Status.ACCEPTED


async def test_an_undecodable_body_that_is_dropped_writes_one_line_a_minute_for_each_reason(
    door: Door, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    """At ERROR, for it may have been ours, with how its key stands and nothing of the body."""
    query, data = replace(OURS, kid="k3"), b'{"value":[{"clientState":"k3.SECRET'
    await door.post(query, data)
    caplog.clear()
    for wait in (WAIT_SECONDS, 1.0, 58.0, 1.0):
        door.clock.at += wait
        await door.post(query, data)
    door.entry.proof = Proof(GONE["withdrawn"](ring), NOW, "test")
    await door.post(query, data)
    lines = (("unknown", 1), ("unknown", 3), ("withdrawn", 1))
    assert _fields(caplog) == [{"reason": reason, "kid": "k3", "count": count} for reason, count in lines]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"value":null}', b'{"value":["x"]}'])
async def test_malformed_and_decoded_is_accepted(door: Door, data: bytes) -> None:
    """What was read and is of no use is not sent again."""
    assert await door.post(OURS, data) is Status.ACCEPTED


async def test_a_flood_writes_one_line_a_minute(
    door: Door, item: Item, body: Body, caplog: pytest.LogCaptureFixture
) -> None:
    """The next line says for how many POSTs it stands."""
    for at in (1000.0, 1001.0, 1059.0, 1060.0):
        door.clock.at = at
        await door.post(OURS, b"")
        await door.post(replace(OURS, kid="k3"), body(_rotated(item)))
    assert _fields(caplog) == [{"kid": kid, "count": count} for count in (1, 3) for kid in ("k2", "k3")]


def test_key_ids_remembered_are_bounded() -> None:
    """A forger who invents key ids costs bounded memory; who is forgotten is waited for again, not lost."""
    unknown = UnknownKids()
    assert unknown.waits("k3", 0.0)
    assert not unknown.waits("k3", WAIT_SECONDS)
    for number in range(5000):
        assert unknown.waits(f"forged{number}", 1.0)
    assert len(unknown._first_seen) <= 1024
    assert unknown.waits("k3", WAIT_SECONDS)


def _fields(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in record.__dict__["ringback_fields"].items() if value is not None}
        for record in caplog.records
    ]


def _counts() -> dict[str, float]:
    return {
        name: value_of(WEBHOOK_ITEMS.labels(name)) for name in ("awaiting_key", "unknown_kid", "forged", "accepted")
    }


def _since(before: dict[str, float]) -> dict[str, float]:
    return {name: count - before[name] for name, count in _counts().items()}
