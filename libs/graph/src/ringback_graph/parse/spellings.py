"""One spelling for what Graph writes in several: the ids of people and applications, and phone numbers."""

import re
from functools import lru_cache

__all__ = ["is_guid", "is_nobody", "is_withheld", "number_of", "plain_id"]

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_GUID_LENGTH = 36
_PREFIX = re.compile(rf"2?8:(?:orgid:)?(?={_GUID.pattern}\Z)|8:(?=teamsvisitor:)", re.IGNORECASE)
"""What Teams' chat service writes before an id that Graph's other members write alone."""
_SCHEMES = re.compile(r"(?:tel:|4:)+", re.IGNORECASE)
_SEPARATORS = str.maketrans("", "", " \t\u00a0()-./")
"""The visual separators of RFC 3966, section 5.1.1, and blanks."""
_TELLING = ("ext=", "isub=")
"""Parameters of RFC 3966 that tell one line behind a number from another; the rest say how to reach it."""
_DIALLED = re.compile(r"\+?[0-9*#]{1,32}")
_WITHHELD = frozenset({"anonymous", "private", "restricted", "unavailable", "unknown", "withheld"})


def plain_id(value: str) -> str:
    """The id without the prefix of a chat: `8:orgid:{GUID}` and `{GUID}` are one person; any other id as it is."""
    return _PREFIX.sub("", value, 1) if value[:1] in "82" else value


# A record repeats its numbers: a hit costs a tenth.
@lru_cache(maxsize=4096)
def number_of(value: str) -> str:
    """The number behind `tel:` and `4:`, without separators; what is no number stays as it is written.

    A number without `+` is not completed: without knowing who dialled it, it may be of any country.
    """
    number = _SCHEMES.sub("", value, 1) if _SCHEMES.match(value) else value
    digits, *parameters = number.split(";")
    digits = digits.translate(_SEPARATORS)
    if not _DIALLED.fullmatch(digits):
        return number
    return ";".join([digits, *(each for each in map(str.lower, parameters) if each.startswith(_TELLING))])


def is_withheld(name: str) -> bool:
    """Whether it is a word that stands where a number was withheld."""
    return name.lower() in _WITHHELD


def is_nobody(name: str) -> bool:
    """Whether a number or an id could be many people's: masked (`+4930123***`), or a word that says it was withheld."""
    return "*" in name or is_withheld(name)


def is_guid(value: str) -> bool:
    """Whether it is a GUID, so the id of a directory object."""
    return len(value) == _GUID_LENGTH and _GUID.fullmatch(value) is not None
