"""The points there are, by process. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["POINTS"]

POINTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "webhook": {
            "produced": "the POST's items are acked by Kafka, it is not answered",
        },
        "enricher": {
            "fetched": "a record was fetched whole and derived, nothing of it is published",
            "between-stages": "restricted.records has the version acked, the open topics nothing of it",
            "published": "all of a version is acked, the offset of its request is not committed",
        },
        "store": {
            "before-transaction": "records are prepared, nothing is sent to PostgreSQL yet",
            "inside-transaction": "calls and versions are written, their children in part, nothing is committed",
            "after-transaction": "PostgreSQL has committed, Kafka's offsets are not",
        },
    }
)
"""Process → point → what has happened there and what has not."""
