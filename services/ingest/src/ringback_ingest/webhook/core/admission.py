"""Which requests are let in, judged by their head alone, before a single byte of the body is kept."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from urllib.parse import parse_qs

from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.webhook.core.limits import BODY_BYTES, TOKEN_BYTES

__all__ = ["Admitted", "Echo", "RequestHead", "Status", "admit"]

_PATHS = frozenset({b"/graph/notifications", b"/graph/lifecycle"})


class Status(IntEnum):
    """Every answer the webhook knows."""

    OK = 200
    ACCEPTED = 202
    BAD_REQUEST = 400
    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    TIMEOUT = 408
    TOO_LARGE = 413
    UNSUPPORTED_MEDIA_TYPE = 415
    HEAD_TOO_LARGE = 431
    UNAVAILABLE = 503


@dataclass(slots=True)
class RequestHead:
    """The parts of a request's head that decide; header values as sent."""

    method: bytes = b""
    path: bytes = b""
    query: bytes = b""
    content_type: bytes = b""
    content_encoding: bytes = b""
    content_length: bytes = b""
    transfer_encoding: bytes = b""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Notifications: read the body, then judge its items against the subscription the query names."""

    query: NotificationQuery


@dataclass(frozen=True, slots=True)
class Echo:
    """Graph's handshake: answer with the token, decoded, as plain text.

    The token is opaque and may hold any character (Graph: receive change notifications through webhooks), markup and
    line ends among them. The answer is `text/plain`, never sniffed, to a POST alone; the token stands in its body only.
    """

    token: bytes


def admit(head: RequestHead) -> Admitted | Echo | Status:
    """Let a request in, echo its token, or refuse it with a status."""
    if head.path not in _PATHS:
        return Status.NOT_FOUND
    if head.method != b"POST":
        return Status.METHOD_NOT_ALLOWED
    if _declared(head.content_length) > BODY_BYTES:
        return Status.TOO_LARGE
    asked = _asked(head.query)
    if isinstance(asked, Admitted) and not (_is_json(head.content_type) and _is_plain(head)):
        return Status.UNSUPPORTED_MEDIA_TYPE
    return asked


def _declared(content_length: bytes) -> int:
    # The parser has refused what is not a number; the length bound keeps int() cheap all the same.
    return int(content_length) if content_length.isdigit() and len(content_length) <= 19 else 0  # noqa: PLR2004 - digits of 2**63


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


def _is_plain(head: RequestHead) -> bool:
    """Nothing is compressed: what it would grow to is unknown."""
    encoding, transfer = head.content_encoding.strip().lower(), head.transfer_encoding.strip().lower()
    return encoding in {b"", b"identity"} and transfer in {b"", b"chunked"}


@lru_cache(maxsize=1024)  # Graph repeats a subscription's query on every POST
def _asked(query: bytes) -> Admitted | Echo | Status:
    try:
        text = query.decode("ascii")
        tokens = parse_qs(text, keep_blank_values=True, max_num_fields=16, errors="strict").get("validationToken")
        if tokens is None:
            return Admitted(NotificationQuery.of(text))
    except ValueError:
        return Status.BAD_REQUEST
    return _echo(tokens)


def _echo(tokens: list[str]) -> Echo | Status:
    token = tokens[0].encode()
    return Echo(token) if len(tokens) == 1 and 0 < len(token) <= TOKEN_BYTES else Status.BAD_REQUEST
