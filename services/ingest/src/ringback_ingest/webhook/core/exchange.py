"""One request, from its first byte to its verdict: counts bytes, keeps what decides, forgets the rest."""

from ringback_ingest.webhook.core.admission import Admitted, Echo, RequestHead, Status, admit
from ringback_ingest.webhook.core.limits import BODY_BYTES, HEAD_BYTES

__all__ = ["Exchange"]


class Exchange:
    """Fed by the HTTP parser; `verdict` is set as soon as nothing that follows can change it."""

    __slots__ = ("_body", "_head", "_head_bytes", "_url", "body_bytes", "expects_continue", "verdict")

    def __init__(self) -> None:
        self._head = RequestHead()
        self._head_bytes = 0
        self._url = b""
        self._body: bytes | bytearray = b""
        self.body_bytes = 0
        self.expects_continue = False
        self.verdict: Admitted | Echo | Status | None = None

    def url(self, part: bytes) -> None:
        """Take a part of the request target."""
        self._url += part
        self._count_head(len(part))

    def header(self, name: bytes, value: bytes) -> None:
        """Take a header; few of them mean anything here, and behind the body none."""
        if self.verdict is not None:
            return
        self._count_head(len(name) + len(value) + 4)
        match name.lower():
            case b"content-type":
                self._head.content_type = value
            case b"content-length":
                self._head.content_length = value
            case b"content-encoding":
                self._head.content_encoding = value
            case b"transfer-encoding":
                self._head.transfer_encoding = value
            case b"expect":
                self.expects_continue = value.lower() == b"100-continue"
            case _:
                pass

    @property
    def is_handshake(self) -> bool:
        """Whether it is Graph's validation of a subscription's URL, or looks like one."""
        return b"validationToken=" in self._url

    def head_complete(self, method: bytes) -> None:
        """Judge the head."""
        if self.verdict is None:
            self._head.method = method
            self._head.path, _, self._head.query = self._url.partition(b"?")
            self.verdict = admit(self._head)

    def data(self, chunk: bytes) -> None:
        """Take a part of the body; a body that grows past its limit is refused and let go."""
        self.body_bytes += len(chunk)
        if self.body_bytes > BODY_BYTES:
            self.verdict = Status.TOO_LARGE
            self._body = b""
        elif isinstance(self.verdict, Admitted):
            self._join(chunk)

    def body(self) -> bytes:
        """The whole body of an admitted request."""
        return bytes(self._body)

    def _join(self, chunk: bytes) -> None:
        """Most bodies come in one piece; those that do not must weigh what was counted, however small the pieces."""
        if isinstance(self._body, bytearray):
            self._body += chunk
        else:
            self._body = bytearray(self._body + chunk) if self._body else chunk

    def _count_head(self, byte_count: int) -> None:
        self._head_bytes += byte_count
        if self._head_bytes > HEAD_BYTES:
            self.verdict = Status.HEAD_TOO_LARGE
