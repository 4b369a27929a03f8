"""Kafka's frames are cut, and only what was ordered is changed."""

import struct
from typing import Any

from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from ringback_faults.produce_errors import ProduceErrors

REQUEST = ProduceRequest_v7(None, -1, 1000, [("calls", [(3, b"records")])]).encode()


def request(number: int, api: int = 0, body: bytes = REQUEST) -> bytes:
    """A whole frame, as a client sends it."""
    frame = struct.pack(">hhih", api, 7, number, 2) + b"me" + body
    return struct.pack(">i", len(frame)) + frame


def response(number: int, body: bytes) -> bytes:
    """A whole frame, as a broker answers it."""
    return struct.pack(">ii", 4 + len(body), number) + body


def test_without_an_order_every_byte_passes() -> None:
    """Whatever the pieces in which it comes."""
    talk = ProduceErrors().conversation()
    said = request(1) + request(2, api=3, body=b"\0" * 9)
    assert b"".join(talk.up(said[at : at + 7]) for at in range(0, len(said), 7)) == said
    assert talk.down(response(1, b"fine")) == response(1, b"fine")


def test_an_unwritten_request_never_reaches_the_broker_and_fails() -> None:
    """The broker is asked for its versions under the same number; the client hears the error for its own partition."""
    errors = ProduceErrors()
    errors.order("NOT_ENOUGH_REPLICAS", 1)
    talk = errors.conversation()
    assert talk.up(request(7)) == struct.pack(">ihhih", 10, 18, 0, 7, -1)
    received = talk.down(response(7, b"versions"))
    assert struct.unpack_from(">i", received, 4)[0] == 7
    reported: Any = ProduceResponse_v7.decode(received[8:])
    assert reported.topics == [("calls", [(3, 19, -1, -1, -1)])]
    assert errors.raised == 1


def test_a_written_request_reaches_the_broker_and_fails_all_the_same() -> None:
    """The answer alone is another one."""
    errors = ProduceErrors()
    errors.order("REQUEST_TIMED_OUT", 1, written=True)
    talk = errors.conversation()
    assert talk.up(request(7)) == request(7)
    reported: Any = ProduceResponse_v7.decode(talk.down(response(7, b"fine"))[8:])
    assert reported.topics[0][1][0][1] == 7


def test_only_so_many_and_only_of_that_topic() -> None:
    """Requests to other topics pass, and so does everything after the last that was ordered."""
    errors = ProduceErrors()
    errors.order("REQUEST_TIMED_OUT", 1, "others", written=True)
    talk = errors.conversation()
    talk.up(request(1))
    assert talk.down(response(1, b"fine")) == response(1, b"fine")
    errors.order("REQUEST_TIMED_OUT", 1, "calls", written=True)
    talk.up(request(2) + request(3))
    assert talk.down(response(2, b"fine")) != response(2, b"fine")
    assert talk.down(response(3, b"fine")) == response(3, b"fine")
    assert errors.raised == 1
