"""What one request may cost. Everything here is checked before the body is parsed or while it is decoded."""

__all__ = [
    "ANSWER_SECONDS",
    "BODY_BYTES",
    "BODY_SECONDS",
    "HEAD_BYTES",
    "HEAD_SECONDS",
    "IDLE_SECONDS",
    "ITEMS",
    "KAFKA_SECONDS",
    "LINGER_SECONDS",
    "REQUEST_BYTES",
    "TOKEN_BYTES",
    "UNPROVEN_SECONDS",
]

ANSWER_SECONDS = 2.5
"""From the end of the head to the answer, whatever the body and Kafka took of it; Graph waits 3 s, the way included."""

BODY_BYTES = 1024 * 1024
"""Declared and actual. A notification has some 700 bytes and Graph batches tens; what is refused is lost after 4 h."""

BODY_SECONDS = 2.0
"""From the end of the head; a body that takes longer leaves Kafka too little of `ANSWER_SECONDS`."""

HEAD_BYTES = 16 * 1024
"""Request line and headers together; a validation token of 4 KiB triples at most when it is URL-encoded."""

HEAD_SECONDS = 5.0
"""From the connect, or from the first byte of a later request, to the end of the headers."""

IDLE_SECONDS = 75.0
"""Between two requests of a connection; longer than the 60 s at which common load balancers give up first."""

ITEMS = 5_000
"""Notifications in one POST, far beyond the tens that Graph sends; more are answered 413 like a body too large."""

KAFKA_SECONDS = 2.0
"""From the write to its acknowledgement; less when the body took its time."""

LINGER_SECONDS = 2.0
"""From the end of the last answer to the close. What the client still sends is read and dropped meanwhile: were the
socket closed at once, it would see a reset, which may destroy the answer before it is read (RFC 9112, section 9.6)."""

REQUEST_BYTES = HEAD_BYTES + 2 * BODY_BYTES
"""A whole request as it comes: chunks of some size fit; tiny ones, long extensions and trailers do not."""

TOKEN_BYTES = 4 * 1024
"""A validation token, decoded."""

UNPROVEN_SECONDS = 5.0
"""From the connect to the first genuine item, else the connection is closed when nothing of it is being answered. A
sender of ours proves itself with its first POST; forged ones must not hold a connection for `IDLE_SECONDS` each."""
