"""A validation handshake that the webhook refuses gives a line with its reason, and nothing of what was sent."""

import json
import logging
from typing import Any

import pytest
from ringback_common import logs
from ringback_ingest.webhook.core.limits import HEAD_BYTES, TOKEN_BYTES
from ringback_testing.webhook import Connect, post, status

HERE = "/graph/notifications"
REFUSED = [
    ("/graph/notification?validationToken=Abbie", "POST", "not_found", 404),
    (f"{HERE}?validationToken=Abbie", "GET", "method_not_allowed", 405),
    (f"{HERE}?validationToken=", "POST", "bad_request", 400),
    (f"{HERE}?validationToken=Abbie&validationToken=Wilkins", "POST", "bad_request", 400),
    (f"{HERE}?validationToken={'A' * (TOKEN_BYTES + 1)}", "POST", "bad_request", 400),
    (f"{HERE}?validationToken={'A' * HEAD_BYTES}", "POST", "head_too_large", 431),
]


def reported(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines about handshakes."""
    lines = [json.loads(logs.JsonFormatter("webhook").format(one)) for one in caplog.records]
    return [line for line in lines if "handshake" in line["message"]]


@pytest.mark.parametrize(("target", "method", "reason", "code"), REFUSED)
async def test_a_refused_handshake_gives_a_line_with_its_reason(
    connect: Connect, caplog: pytest.LogCaptureFixture, target: str, method: str, reason: str, code: int
) -> None:
    """A path that an ingress changes, a method, a token that is none: Graph tells the operator of none of them."""
    caplog.set_level(logging.WARNING, "ringback_ingest")
    client = await connect()
    await client.send(post(b"", path=target).replace(b"POST", method.encode(), 1))
    assert status(await client.answer()) == code
    (line,) = reported(caplog)
    assert (line["level"], line["reason"], line["status"], line["count"]) == ("WARNING", reason, code, 1)
    assert "Abbie" not in json.dumps(line)


async def test_other_refusals_and_good_handshakes_give_none(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Scanners ask for many paths."""
    caplog.set_level(logging.WARNING, "ringback_ingest")
    for target in ("/nowhere", f"{HERE}?validationToken=t"):
        client = await connect()
        await client.send(post(b"", path=target))
        await client.answer()
    assert reported(caplog) == []


async def test_a_flood_of_them_is_one_line_a_minute(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may send them."""
    caplog.set_level(logging.WARNING, "ringback_ingest")
    for _ in range(20):
        client = await connect()
        await client.send(post(b"", path="/x?validationToken=t"))
        await client.answer()
    assert len(reported(caplog)) == 1
