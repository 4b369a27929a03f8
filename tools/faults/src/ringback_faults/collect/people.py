"""The people of a row's calls, and whether they stand where everybody may read: open topics, headers, logs."""

from collections.abc import Iterator
from typing import Any, cast

import orjson
from ringback_events import topics
from ringback_local.secrecy import SHORTEST, leaks_in

__all__ = ["People"]

_IDENTITY = ("displayName", "userPrincipalName", "phoneNumber")
"""Members of a party of a restricted record that an open event never has, in whatever form."""
_MOST = 60
"""People searched for: each is looked for in several forms, and one that gets through is never alone."""
_OPEN = frozenset({topics.CALLS.name, topics.SESSIONS.name})
_DEAD = frozenset({topics.INTERNAL_DEAD_LETTERS.name, topics.RESTRICTED_DEAD_LETTERS.name})


class People:
    """Takes records as they are read; keeps the open ones' bytes until they are searched.

    Args:
        prefix: of the names of the installation's topics.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.canaries: dict[str, str] = {}
        """By what it is and a number; they did enter, for they are taken from what was published."""
        self._outputs: dict[str, list[bytes]] = {}

    def see(self, record: Any) -> None:
        """Take a record of any topic."""
        name = record.topic.removeprefix(self._prefix)
        if name == topics.RECORDS.name:
            self._meet(record.value)
        elif name in _OPEN:
            self._outputs.setdefault(record.topic, []).extend((record.value or b"", *_values(record)))
        elif name in _DEAD:
            self._outputs.setdefault(f"headers of {record.topic}", []).extend(_values(record))

    def leaks(self) -> tuple[str, ...]:
        """Each finding a sentence that does not repeat what it found."""
        outputs = {place: b"\n".join(parts) for place, parts in self._outputs.items()}
        return tuple(f"{leak.what} stands in {leak.place} ({leak.form})" for leak in leaks_in(outputs, self.canaries))

    def _meet(self, value: bytes | None) -> None:
        if len(self.canaries) >= _MOST:
            return
        known = set(self.canaries.values())
        for member, text in _identities(value):
            if len(text) >= SHORTEST and text not in known:
                self.canaries[f"{member} {len(self.canaries)}"] = text
                return


def _values(record: Any) -> Iterator[bytes]:
    return (value or b"" for _, value in record.headers)


def _identities(value: bytes | None) -> Iterator[tuple[str, str]]:
    """None in what is no record: planted poison."""
    try:
        record = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return
    parties = cast("dict[str, Any]", record).get("parties") if isinstance(record, dict) else None
    for party in cast("list[Any]", parties) if isinstance(parties, list) else ():
        for member in _IDENTITY if isinstance(party, dict) else ():
            text = cast("dict[str, Any]", party).get(member)
            if isinstance(text, str):
                yield member, text
