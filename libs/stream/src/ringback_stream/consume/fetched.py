"""Fetched records that are thrown away before they were read to their end.

aiokafka's `PartitionRecords` and its own generator hold each other, so what a seek or a pause throws away, up to
512 KiB compressed, is freed by the garbage collector only. That counts containers, of which such a result has a few: a
backlog that is sought through again and again took the enricher to 279 MiB, at ten kilobytes for each call served.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

__all__ = ["release_discarded"]


class _Fetched(OrderedDict[Any, Any]):
    """What was fetched, by partition; what is taken out or replaced is closed, so that counting references frees it.

    Each result's records are remembered here, too: of a paused partition, and of an assignment that is over, aiokafka
    takes them out of the result before it takes out the result.
    """

    def __init__(self, fetched: Mapping[Any, Any]) -> None:
        self._records: dict[Any, Any] = {}
        super().__init__(fetched)

    def __setitem__(self, partition: Any, result: Any) -> None:
        self._close(partition)
        super().__setitem__(partition, result)
        self._records[partition] = getattr(result, "_partition_records", None)  # an error that was fetched has none

    def __delitem__(self, partition: Any) -> None:
        super().__delitem__(partition)
        self._close(partition)

    def clear(self) -> None:
        """Throw everything away: the assignment is over."""
        for partition in tuple(self):
            del self[partition]

    def _close(self, partition: Any) -> None:
        """End the generator of records that were not read to their end."""
        records = self._records.pop(partition, None)
        unread = getattr(records, "_records_iterator", None)
        if unread is not None:
            unread.close()
            records._records_iterator = None  # noqa: SLF001 - there is no public way to close it


def release_discarded(consumer: Any) -> None:
    """Let a started consumer close what it has fetched and throws away."""
    fetcher = consumer._fetcher  # noqa: SLF001 - the same
    fetcher._records = _Fetched(fetcher._records)  # noqa: SLF001 - the same
