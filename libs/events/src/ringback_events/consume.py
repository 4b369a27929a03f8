"""The consumer kit: the consumer rule as code, without I/O, for any Kafka client.

The rule: greater (version, revision) wins; within one the id removes repeats; the sessions of a version are all there
when its `completed` marker has come, on the same topic and partition, after them.

Import the kit from here: the modules behind it may change in a minor version.
"""

from ringback_events.assembler import SessionAssembler, SessionsOfVersion
from ringback_events.open import OpenCall
from ringback_events.reader import SessionReader, read_session_event
from ringback_events.versions import Versioned, newer

__all__ = [
    "SessionAssembler",
    "SessionReader",
    "SessionsOfVersion",
    "Versioned",
    "newer",
    "read_call",
    "read_session_event",
]


def read_call(value: bytes | str) -> OpenCall:
    """Read a value of `callrecords.open.calls.v1`; members of later minor versions are ignored.

    Raises:
        pydantic.ValidationError: the value breaks the contract.
    """
    return OpenCall.model_validate_json(value, extra="ignore")
