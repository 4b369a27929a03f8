"""S8: the handshake's echo is exact, is plain text to every browser, and is never a header."""

from urllib.parse import quote

import pytest
from ringback_testing.public_port import PublicPort
from ringback_testing.webhook import post

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

ECHOED: dict[str, str] = {
    "as Graph writes it": "Validation: Testing client application reachability for subscription Request-Id: 4c3f",
    "one character": "a",
    "the longest": "x" * 4096,
    "the longest, in bytes": "ü" * 2048,
    "what URLs escape": "a+b/c=d&e?f%g#h:i@j;k,l ~",
    "other scripts": "Проверка 検証 \U0001f600",
    "braces": '{{7*7}} ${7*7} #{7*7} {"a":1}',
    "a script": "<script>alert(1)</script>",
    "an attribute": '" onload="alert(1)',
    "an attribute in single quotes": "' onload='alert(1)",
    "a template": "`${alert(1)}`",
    "what would be a header above the body": "a\r\nSet-Cookie: a=b\r\n\r\n<script>",
    "controls": "a\0b\x1b[31m\x7f\x85",
    "escaped twice is not unescaped twice": "%3Cscript%3E%0a",
}
"""Any character: the token is opaque, and Graph compares what comes back."""
REFUSED: dict[str, str] = {
    "nothing": "validationToken=",
    "too long": "validationToken=" + "x" * 4097,
    "too long in bytes": "validationToken=" + quote("ü" * 2049),
    "twice": "validationToken=a&validationToken=b",
    "no UTF-8": "validationToken=%ff%fe",
    "an overlong bracket": "validationToken=%c0%bcscript",
}
LENGTH_OF_HEADERS = 600


@pytest.mark.parametrize("path", ["/graph/notifications", "/graph/lifecycle"])
@pytest.mark.parametrize("token", ECHOED.values(), ids=ECHOED)
async def test_a_token_is_echoed_exactly(unharmed: PublicPort, path: str, token: str) -> None:
    """The decoded token and nothing else, 200, text/plain, nosniff, not stored; also beside our own query."""
    for query in (
        f"validationToken={quote(token)}",
        f"slot=callrecords&kid=k2&validationToken={quote(token, safe='')}",
    ):
        answer = await unharmed.post(b"", path=f"{path}?{query}")
        assert (answer.status, answer.body.decode()) == (200, token)
        assert answer.headers[b"content-type"] == b"text/plain; charset=utf-8"
        assert answer.headers[b"x-content-type-options"] == b"nosniff"
        assert answer.headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
async def test_what_is_no_token_is_not_reflected(unharmed: PublicPort, query: str) -> None:
    """400 with no body at all, and only headers of ours."""
    answer = await unharmed.post(b"", path=f"/graph/notifications?{query}")
    assert (answer.status, answer.body) == (400, b"")


async def test_a_token_is_echoed_to_post_alone(unharmed: PublicPort) -> None:
    """A link that a person is made to click is a GET."""
    data = post(b"", path="/graph/notifications?validationToken=abc").replace(b"POST", b"GET", 1)
    (answer,) = await unharmed.exchange(data)
    assert (answer.status, answer.body) == (405, b"")


async def test_a_token_is_reflected_nowhere_else(unharmed: PublicPort) -> None:
    """Not in the answer to a refused path or method, not in a metric, not in a log line."""
    token = "reflected-nowhere-else"
    for path in ("/", "/graph/emergency", "/graph/notifications"):
        data = post(b"", path=f"{path}?validationToken={token}").replace(b"POST", b"PUT", 1)
        assert token.encode() not in b"".join(answer.body for answer in await unharmed.exchange(data))
    await unharmed.post(b"", path=f"/graph/notifications?validationToken={token}")
    assert token not in await unharmed.process.metrics()
    assert token not in unharmed.process.output()
