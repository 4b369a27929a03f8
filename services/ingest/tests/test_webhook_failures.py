"""The webhook's rows of the failure table, over a real socket: what is answered, counted and written."""

from collections.abc import Callable
from typing import Any

import pytest
from ringback_common.metrics import WEBHOOK_ITEMS
from ringback_testing.counters import value_of
from ringback_testing.webhook import Connect, RecordingWriter, post, status

Item = Callable[..., dict[str, Any]]
Body = Callable[..., bytes]
Given = Callable[[Item, Body, RecordingWriter], bytes]


def _away(item: Item, body: Body, writer: RecordingWriter) -> bytes:
    writer.accepting = False
    return body(item())


def _unacknowledged(item: Item, body: Body, writer: RecordingWriter) -> bytes:
    writer.failing = True
    return body(item(), item())


ROWS: dict[str, tuple[Given, int, str, int]] = {
    "undecodable": (lambda _item, _body, _writer: b"\xff{", 503, "undecodable", 0),
    "undecodable behind genuine": (lambda item, body, _writer: body(item())[:-1], 503, "accepted", 1),
    "wrong shape": (lambda _item, body, _writer: body(17), 202, "malformed_item", 0),
    "forged": (lambda item, body, _writer: body(item(clientState="k2.forged")), 202, "forged", 0),
    "forged beside genuine": (lambda item, body, _: body(item(clientState="k2.forged"), item()), 202, "accepted", 1),
    "Kafka away": (_away, 503, "unavailable", 0),
    "no acknowledgement": (_unacknowledged, 503, "unavailable", 0),
    "too large": (lambda _item, _body, _writer: b" " * (1024 * 1024 + 1), 413, "", 0),
    "all well": (lambda item, body, _writer: body(item(), item()), 202, "accepted", 2),
}
"""What arrives; then the answer, the outcome counted (none: refused before items are looked at), and the writes."""


@pytest.mark.parametrize(("given", "answered", "counted", "written"), ROWS.values(), ids=ROWS.keys())
async def test_each_row_is_answered_counted_and_written(
    connect: Connect,
    writer: RecordingWriter,
    item: Item,
    body: Body,
    given: Given,
    answered: int,
    counted: str,
    written: int,
) -> None:
    """Bad data is 202 and a count; 503 is what could not be read, or is not in Kafka; nothing else is written."""
    before = _count(counted)
    client = await connect()
    await client.send(post(given(item, body, writer)))
    assert status(await client.answer()) == answered
    assert len(writer.written) == written
    assert not counted or _count(counted) > before


def _count(outcome: str) -> float:
    return value_of(WEBHOOK_ITEMS.labels(outcome)) if outcome else 0.0
