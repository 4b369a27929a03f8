"""The dead letter of a refused record: its original bytes, and headers that say where it came from and why.

No exception message and no stack trace: messages quote data. The fingerprint groups equal faults.
"""

from hashlib import blake2b

from ringback_common.outcomes import Message, Received, Reject
from ringback_events.header_names import DEAD_LETTER_PREFIX
from ringback_events.topics import topic

__all__ = ["dead_letter"]


def dead_letter(received: Received, reject: Reject, service: str, attempts: int = 1) -> Message:
    """Make the dead letter of a record, for the dead letters of its topic's tier.

    Args:
        received: the refused record, whose bytes are kept.
        reject: why.
        service: which process refused it.
        attempts: how often it was tried.

    Raises:
        ValueError: the record is itself a dead letter.
    """
    target = topic(received.topic).dead_letters
    if target is None:
        raise ValueError("a dead letter cannot be refused")
    described = (
        ("topic", received.topic),
        ("partition", str(received.partition)),
        ("offset", str(received.offset)),
        ("timestamp", str(received.timestamp_ms)),
        ("service", service),
        ("reason", reject.reason.value),
        ("error_class", reject.error_class),
        ("fingerprint", _fingerprint(service, reject)),
        ("attempts", str(attempts)),
    )
    ours = tuple((DEAD_LETTER_PREFIX + name, value.encode()) for name, value in described)
    # A null header value becomes empty bytes, which is as near as a producer can write it.
    theirs = tuple((name, value or b"") for name, value in received.headers if not name.startswith(DEAD_LETTER_PREFIX))
    return Message(target, received.key or b"", received.value, theirs + ours + reject.facts)


def _fingerprint(service: str, reject: Reject) -> str:
    return blake2b(f"{service}|{reject.reason}|{reject.error_class}".encode(), digest_size=8).hexdigest()
