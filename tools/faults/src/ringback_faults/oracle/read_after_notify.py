"""I14: Graph was asked after it had notified, not before. Pure."""

from collections.abc import Iterator

from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle.index import Index
from ringback_faults.oracle.items import is_refused, is_removed, is_waiting

__all__ = ["unread_items"]


def unread_items(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each accepted item whose call Graph served only to requests that began before its POST did.

    A dead letter of the item's own request, or that request where it still waits, is an answer too; one that was
    removed before it was read gets none.
    """
    latest = {key: reads[-1].at for key, reads in index.reads.items()}
    for item, at, end in index.accepted:
        if latest.get(item.key, 0.0) >= at or is_refused(item, at, end, index):
            continue
        if not is_waiting(item, at, end, ledgers, index) and not is_removed(item, at, end, ledgers, index):
            yield f"no read of {item.key[1]} began after item {item.item} came at {at:.3f}"
