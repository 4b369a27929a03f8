"""I14: Graph was asked after it had notified, not before. Pure."""

from collections.abc import Iterator

from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle.index import LANES, Index

__all__ = ["unread_items"]


def unread_items(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each accepted item whose call Graph served only to requests that began before its POST did.

    A dead letter of the call, or a request of it that still waits, is an answer too.
    """
    latest = {key: reads[-1].at for key, reads in index.reads.items()}
    for item, at, _ in index.accepted:
        if latest.get(item.key, 0.0) < at and not index.letters.get(item.key) and not _waits(item.key, ledgers, index):
            yield f"no read of {item.key[1]} began after item {item.item} came at {at:.3f}"


def _waits(key: tuple[str, str], ledgers: Ledgers, index: Index) -> bool:
    for record in index.lanes.get(key, ()):
        part = ("ringback-enricher", record.topic, record.partition)
        commits = [commit.offset for commit in index.commits.get(part, ())]
        if record.topic in LANES and record.offset >= max([ledgers.starts.get(part, 0), *commits]):
            return True
    return False
