"""Fetched records that are thrown away before they were read to their end.

aiokafka's `PartitionRecords` and its own generator hold each other, so what a seek or a pause throws away, up to
512 KiB compressed, is freed by the garbage collector only. That counts containers, of which such a result has a few: a
backlog that is sought through again and again took the enricher to 279 MiB, at ten kilobytes for each call served.
"""

from collections import OrderedDict
from typing import Any

__all__ = ["free_what_is_thrown_away"]


class _Fetched(OrderedDict[Any, Any]):
    """What was fetched, by partition; what is taken out is closed, so that counting references frees it."""

    def __delitem__(self, partition: Any) -> None:
        thrown_away = self.get(partition)
        super().__delitem__(partition)
        _close(thrown_away)

    def clear(self) -> None:
        """Throw everything away: the assignment is over."""
        for partition in tuple(self):
            del self[partition]


def free_what_is_thrown_away(consumer: Any) -> None:
    """Let a started consumer close what it has fetched and throws away."""
    fetcher = consumer._fetcher  # noqa: SLF001 - it has no public place to be told of it
    fetcher._records = _Fetched(fetcher._records)  # noqa: SLF001 - the same


def _close(result: Any) -> None:
    """End the generator of a result that was not read to its end; an error that was fetched has none."""
    records: Any = getattr(result, "_partition_records", None)
    unread = getattr(records, "_records_iterator", None)
    if unread is not None:
        unread.close()
        records._records_iterator = None  # noqa: SLF001 - the same
