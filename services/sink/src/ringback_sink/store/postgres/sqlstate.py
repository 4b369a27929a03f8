"""What a failure of PostgreSQL means, by SQLSTATE alone; its message may quote data and is never read.

class 08 40 53 57 58, 25006 55P03, none  transient: connection, deadlock, disk or memory, shutdown, lock timeout,
                                       a standby that was not promoted yet
23514 without a constraint's name      a month partition (even the DEFAULT one) is missing
class 22 23 54                         data: a row is refused; find it and reject it
class 28, states 3D000 3F000 42501     configuration: credentials, database, schema, rights
anything else                          a bug: it propagates
"""

from enum import Enum, auto

__all__ = ["Meaning", "meaning"]


class Meaning(Enum):
    """What the shell does about a failure."""

    TRANSIENT = auto()
    """Pause, and write the same batch again; never a dead letter."""
    PARTITION = auto()
    """Make the partitions, and write the same batch again."""
    DATA = auto()
    """Bisect the batch; the refused record goes to the dead letters."""
    CONFIGURATION = auto()
    """Exit 2 with one sentence."""
    BUG = auto()
    """Propagate: the process ends."""


_CHECK_VIOLATION = "23514"
_BY_STATE = {
    "25006": Meaning.TRANSIENT,
    "55P03": Meaning.TRANSIENT,
    "3D000": Meaning.CONFIGURATION,
    "3F000": Meaning.CONFIGURATION,
    "42501": Meaning.CONFIGURATION,
}
_BY_CLASS = {
    "08": Meaning.TRANSIENT,
    "40": Meaning.TRANSIENT,
    "53": Meaning.TRANSIENT,
    "57": Meaning.TRANSIENT,
    "58": Meaning.TRANSIENT,
    "22": Meaning.DATA,
    "23": Meaning.DATA,
    "54": Meaning.DATA,
    "28": Meaning.CONFIGURATION,
}
"""54 is data: nesting too deep for jsonb, an id too long for the key."""


def meaning(sqlstate: str | None, constraint: str | None = None) -> Meaning:
    """What a failure means.

    Args:
        sqlstate: the five characters, or None where the connection was lost before PostgreSQL could say.
        constraint: name of the constraint that was violated, if one was; a missing partition is a check violation
            without one.
    """
    if sqlstate is None:
        return Meaning.TRANSIENT
    if sqlstate == _CHECK_VIOLATION and constraint is None:
        return Meaning.PARTITION
    return _BY_STATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2], Meaning.BUG)
