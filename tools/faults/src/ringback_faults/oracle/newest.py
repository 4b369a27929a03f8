"""I4: what is stored is the newest that Graph served, in the newest revision that was made of it. Pure."""

from collections.abc import Iterator
from math import inf

from ringback_events import topics

from ringback_faults.ledgers import Key, Ledgers
from ringback_faults.oracle.index import Index

__all__ = ["stale_calls"]


def stale_calls(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each stored call below the newest version that Graph served of it.

    A read of that version that ended among the dead letters may have seen it in part only: such a letter came after it.
    """
    for key, stored in ledgers.calls.items():
        expected = ledgers.expected.get(key)
        newest = max(expected.served, default=0) if expected else 0
        if stored.version < newest and not _ended_as_letter(key, newest, ledgers, index):
            yield f"stale: {key[1]} is stored as version {stored.version}, Graph served {newest}"
        elif (revision := _newest_revision(key, stored.version, index)) > stored.revision:
            yield f"stale: {key[1]} version {stored.version} is stored in revision {stored.revision} of {revision}"


def _ended_as_letter(key: Key, version: int, ledgers: Ledgers, index: Index) -> bool:
    served = (request for request in ledgers.requests if (request.tenant_id, request.call_id) == key)
    first = min((request.at for request in served if request.version == version), default=inf)
    return any(letter.at >= first for letter in index.letters.get(key, ()))


def _newest_revision(key: Key, version: int, index: Index) -> int:
    published = index.published.get(key, ())
    whole = [record for record in published if record.topic == topics.RECORDS.name and record.version == version]
    return max((record.revision or 0 for record in whole), default=0)
