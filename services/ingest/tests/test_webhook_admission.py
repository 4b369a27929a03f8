"""Which requests are let in by their head alone."""

import pytest
from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.webhook.core.admission import Admitted, Echo, RequestHead, Status, admit

QUERY = b"slot=callrecords&kid=k1&installation=prod"


def head(**parts: bytes) -> RequestHead:
    """A head that is let in, but for the parts given."""
    whole = {"method": b"POST", "path": b"/graph/notifications", "query": QUERY, "content_type": b"application/json"}
    return RequestHead(**(whole | parts))


@pytest.mark.parametrize("path", [b"/graph/notifications", b"/graph/lifecycle"])
@pytest.mark.parametrize("content_type", [b"application/json", b"application/json; charset=utf-8", b"Application/JSON"])
def test_graphs_posts_are_let_in(path: bytes, content_type: bytes) -> None:
    """Both addresses take JSON, however its type is spelt, and know whose subscription it is about."""
    admitted = admit(head(path=path, content_type=content_type))
    assert admitted == Admitted(NotificationQuery("callrecords", "k1", "prod"))


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"path": b"/"}, Status.NOT_FOUND),
        ({"path": b"/graph/emergency"}, Status.NOT_FOUND),
        ({"path": b"/graph/notifications/"}, Status.NOT_FOUND),
        ({"path": b"/metrics"}, Status.NOT_FOUND),
        ({"path": b"//graph/notifications"}, Status.NOT_FOUND),
        ({"method": b"GET"}, Status.METHOD_NOT_ALLOWED),
        ({"method": b"PUT"}, Status.METHOD_NOT_ALLOWED),
        ({"content_length": b"1048577"}, Status.TOO_LARGE),
        ({"content_length": b"9223372036854775807"}, Status.TOO_LARGE),
        ({"content_type": b""}, Status.UNSUPPORTED_MEDIA_TYPE),
        ({"content_type": b"text/plain"}, Status.UNSUPPORTED_MEDIA_TYPE),
        ({"content_type": b"application/jsonp"}, Status.UNSUPPORTED_MEDIA_TYPE),
        ({"content_encoding": b"gzip"}, Status.UNSUPPORTED_MEDIA_TYPE),
        ({"content_encoding": b"deflate, br"}, Status.UNSUPPORTED_MEDIA_TYPE),
        ({"query": b"\xff"}, Status.BAD_REQUEST),
        ({"query": b"&".join([b"a=1"] * 17)}, Status.BAD_REQUEST),
        ({"query": b"validationToken=%ff"}, Status.BAD_REQUEST),
    ],
)
def test_refused_by_the_head(parts: dict[str, bytes], status: Status) -> None:
    """Everything outside the contract is refused before its body is read."""
    assert admit(head(**parts)) is status


def test_exactly_one_mebibyte_is_let_in() -> None:
    """The limit itself is still allowed."""
    assert isinstance(admit(head(content_length=b"1048576")), Admitted)


@pytest.mark.parametrize(
    ("query", "token"),
    [
        (b"validationToken=abc", b"abc"),
        (b"validationToken=Validation%3a+Testing+client+Request-Id%3a+1", b"Validation: Testing client Request-Id: 1"),
        (QUERY + b"&validationToken=a%2Bb%3D", b"a+b="),
        (b"validationToken=Validation%3A%20%2B%C3%BC%26%3D", "Validation: +ü&=".encode()),
        (b"validationToken=" + b"x" * 4096, b"x" * 4096),
        (b"validationToken=<script>alert(1)</script>", b"<script>alert(1)</script>"),
        (b"validationToken=%3Cimg%20src%3Dx%20onerror%3D%22%27%60%3E", b"<img src=x onerror=\"'`>"),
        (b"validationToken=a%0d%0aset-cookie:x", b"a\r\nset-cookie:x"),
        (b"validationToken=%00%1b%7f%c2%85", "\0\x1b\x7f\x85".encode()),
    ],
    ids=["plain", "as Graph sends it", "beside our query", "characters that need escaping", "longest",
         "markup", "quotes", "line ends", "controls"],
)  # fmt: skip
def test_token_is_echoed_decoded(query: bytes, token: bytes) -> None:
    """Graph compares the echo with the token after URL decoding; the handshake is plain text, not JSON."""
    assert admit(head(query=query, content_type=b"text/plain; charset=utf-8")) == Echo(token)


@pytest.mark.parametrize(
    "query",
    [
        b"validationToken=",
        b"validationToken=" + b"x" * 4097,
        b"validationToken=a&validationToken=b",
    ],
)
def test_token_that_is_none_is_not_reflected(query: bytes) -> None:
    """Nothing at all, too much and repeats are refused without an echo."""
    assert admit(head(query=query)) is Status.BAD_REQUEST
