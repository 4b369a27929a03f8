"""S6: what two parsers could frame differently is refused, and a request hidden in another is never carried out."""

import pytest
from ringback_testing.public_port import PATH, PublicPort, body, item
from ringback_testing.webhook import post

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

START = f"POST {PATH} HTTP/1.1\r\n".encode()
TYPE = b"Content-Type: application/json\r\n"
HEAD = START + b"Host: h\r\n" + TYPE
HIDDEN = "hidden"
"""The call that the smuggled request would announce."""
SECOND = post(body(item(HIDDEN)))
"""A whole genuine POST: a server that takes it for a request of its own carries it out, and its call reaches Kafka."""
CHUNKED = b"Transfer-Encoding: chunked\r\n"

AMBIGUOUS: dict[str, bytes] = {
    "CL.TE": HEAD + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "TE.CL": HEAD + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "CL.TE in capitals": HEAD + b"CONTENT-LENGTH: 5\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n",
    "CL 0 and TE": HEAD + b"Content-Length: 0\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "two lengths that differ": HEAD + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}",
    "two lengths alike": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths in one line": HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    "a signed length": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a length in hex": HEAD + b"Content-Length: 0x2\r\n\r\n{}",
    "a length with a blank": HEAD + b"Content-Length: 1 2\r\n\r\n{}",
    "a length with an underscore": HEAD + b"Content-Length: 1_0\r\n\r\n{}",
    "a length of nothing": HEAD + b"Content-Length:\r\n\r\n",
    "a length beyond 64 bits": HEAD + b"Content-Length: 18446744073709551618\r\n\r\n{}",
    "a full-width length": HEAD + "Content-Length: \uff12\r\n\r\n{}".encode(),
    "TE of something else": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE twice": HEAD + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "TE chunked, then identity": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "TE with a vertical tab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "TE with a NUL": HEAD + b"Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n",
    "TE folded": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon of TE": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon of CL": HEAD + b"Content-Length : 2\r\n\r\n{}",
    "a space before the name": HEAD + b" Content-Length: 2\r\n\r\n{}",
    "a tab before the name": HEAD + b"\tContent-Length: 2\r\n\r\n{}",
    "obs-fold": HEAD + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "a bare line feed": HEAD + b"X: y\nContent-Length: 2\r\n\r\n{}",
    "a bare carriage return": HEAD + b"X: y\rContent-Length: 2\r\n\r\n{}",
    "line feeds alone": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}",
    "a NUL in a value": HEAD + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a name": HEAD + b"Content-Length\x00: 2\r\n\r\n{}",
    "no colon": HEAD + b"Content-Length 2\r\n\r\n{}",
    "an empty name": HEAD + b": 2\r\n\r\n{}",
    "a chunk size of letters": HEAD + CHUNKED + b"\r\nZZ\r\n{}\r\n0\r\n\r\n",
    "a chunk size with 0x": HEAD + CHUNKED + b"\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a signed chunk size": HEAD + CHUNKED + b"\r\n+2\r\n{}\r\n0\r\n\r\n",
    "a chunk size of nothing": HEAD + CHUNKED + b"\r\n\r\n{}\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": HEAD + CHUNKED + b"\r\n10000000000000002\r\n{}\r\n0\r\n\r\n",
    "a chunk size and a line feed": HEAD + CHUNKED + b"\r\n2\n{}\r\n0\r\n\r\n",
    "a chunk longer than its size": HEAD + CHUNKED + b"\r\n2\r\n{}XX\r\n0\r\n\r\n",
    "a chunk without its end": HEAD + CHUNKED + b"\r\n2\r\n{}0\r\n\r\n",
    "an extension with a line feed": HEAD + CHUNKED + b"\r\n2;a\nb\r\n{}\r\n0\r\n\r\n",
    "a last chunk that goes on": HEAD + CHUNKED + b"\r\n0\nX\r\n\r\n",
    "HTTP/1.0 and TE": HEAD.replace(b"1.1", b"1.0", 1) + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "HTTP/0.9": b"POST " + PATH.encode() + b"\r\n\r\n",
    "HTTP/2.0": HEAD.replace(b"1.1", b"2.0", 1) + b"Content-Length: 2\r\n\r\n{}",
    "an HTTP version of its own": HEAD.replace(b"HTTP/1.1", b"HTTP/1.1.1", 1) + b"Content-Length: 2\r\n\r\n{}",
    "a small http": HEAD.replace(b"HTTP/1.1", b"http/1.1", 1) + b"Content-Length: 2\r\n\r\n{}",
    "a space in the target": HEAD.replace(b"?slot", b" HTTP/1.1?slot", 1) + b"Content-Length: 2\r\n\r\n{}",
    "a small method": HEAD.replace(b"POST", b"post", 1) + b"Content-Length: 2\r\n\r\n{}",
    "an upgrade": HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}",
    "h2c": HEAD
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nContent-Length: 2\r\n\r\n{}",
    "a tunnel": b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a proxy's own line": b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_ambiguous_framing_is_refused_and_the_second_request_is_not_carried_out(
    unharmed: PublicPort, data: bytes
) -> None:
    """One answer, no 2xx, the connection ends, and the call of the POST behind it is not in Kafka."""
    answers = await unharmed.exchange(data + SECOND)
    assert len(answers) == 1
    assert answers[0].status in {400, 404, 405, 415}
    assert HIDDEN not in await unharmed.produced()


CARRIED: dict[str, bytes] = {
    "in the body": HEAD + b"Content-Length: %d\r\n\r\n" % len(SECOND) + SECOND,
    "in a chunk": HEAD + CHUNKED + b"\r\n%x\r\n" % len(SECOND) + SECOND + b"\r\n0\r\n\r\n",
    "in a chunk's extension": HEAD + CHUNKED + b"\r\n2;" + SECOND.replace(b"\r\n", b" ") + b"\r\n{}\r\n0\r\n\r\n",
    "in a header": HEAD + b"X: " + SECOND.replace(b"\r\n", b" ") + b"\r\nContent-Length: 2\r\n\r\n{}",
    "in a trailer": HEAD + CHUNKED + b"\r\n0\r\nX: " + SECOND.replace(b"\r\n", b" ") + b"\r\n\r\n",
}


@pytest.mark.parametrize("data", CARRIED.values(), ids=CARRIED)
async def test_a_request_inside_another_stays_data(unharmed: PublicPort, data: bytes) -> None:
    """Rightly framed it is the body, an extension, a header or a trailer, whatever it looks like."""
    answers = await unharmed.exchange(data)
    assert [answer.status for answer in answers] in ([202], [400], [503])
    assert HIDDEN not in await unharmed.produced()


async def test_the_search_for_the_hidden_call_can_find_one(unharmed: PublicPort) -> None:
    """The same POST sent openly reaches Kafka under its own name: otherwise the tests above would prove nothing."""
    call = unharmed.call("open")
    assert [answer.status for answer in await unharmed.exchange(post(body(item(call))))] == [202]
    assert call in await unharmed.produced()


async def test_neighbours_on_other_connections_get_their_own_answers(unharmed: PublicPort) -> None:
    """Nothing of a refused connection is left for the next one: an honest POST behind each attack is a POST."""
    for data in AMBIGUOUS.values():
        await unharmed.exchange(data)
        assert (await unharmed.post(body(item(unharmed.call("neighbour"))))).status == 202
