"""The bytes of every answer: no body but the echo's, no banner, nothing that helps a forger beyond the status."""

from http import HTTPStatus

from ringback_ingest.webhook.core.admission import Status

__all__ = ["CONTINUE", "echo", "response"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_EXTRA = {Status.UNAVAILABLE: b"retry-after: 1\r\n", Status.METHOD_NOT_ALLOWED: b"allow: POST\r\n"}
_LINES = {
    status: b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\n%s"
    % (status, HTTPStatus(status).phrase.encode(), _EXTRA.get(status, b""))
    for status in Status
}
_ECHO = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n"
    b"cache-control: no-store\r\ncontent-length: %d\r\n%s%s\r\n%s"
)
_CLOSE = b"connection: close\r\n"


def response(status: Status, date: bytes, *, close: bool) -> bytes:
    """An answer without a body; `date` is a whole header line."""
    return b"%s%s%s\r\n" % (_LINES[status], date, _CLOSE if close else b"")


def echo(token: bytes, date: bytes, *, close: bool) -> bytes:
    """The validation token as plain text that no browser takes for anything else."""
    return _ECHO % (len(token), date, _CLOSE if close else b"", token)
