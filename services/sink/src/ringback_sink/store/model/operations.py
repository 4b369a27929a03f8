"""What operators look at: dead letters, decisions about them, and the status of processes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from ringback_sink.store.model.flat import FlatRow

__all__ = ["Decision", "Head", "Report"]


@dataclass(frozen=True, slots=True)
class Head(FlatRow):
    """Where a dead letter is, where it came from and why; never what it says."""

    TABLE: ClassVar[str] = "dead_letter"
    KEY: ClassVar[tuple[str, ...]] = ("topic", "partition", "offset")

    topic: str
    partition: int
    offset: int
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    source_timestamp: datetime | None
    service: str | None
    reason: str | None
    error_class: str | None
    fingerprint: str | None
    attempts: int | None
    tenant_id: str | None
    call_id: str | None
    octets: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Decision(FlatRow):
    """What an operator decided about a dead letter; of one moment the later in order wins."""

    TABLE: ClassVar[str] = "dead_letter_decision"
    KEY: ClassVar[tuple[str, ...]] = ("topic", "partition", "offset")
    NEWEST: ClassVar[str | None] = "at"
    EQUAL_REPLACES: ClassVar[bool] = True

    topic: str
    partition: int
    offset: int
    decision: str
    decided_by: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Report(FlatRow):
    """The status of a process; an instance that is silent for a day will not report again, for each start is a new one.

    `tenant_id` is empty for the process itself, `detail` is JSON.
    """

    TABLE: ClassVar[str] = "status"
    KEY: ClassVar[tuple[str, ...]] = ("process", "instance", "tenant_id")
    NEWEST: ClassVar[str | None] = "reported_at"
    FORGOTTEN_AFTER: ClassVar[timedelta | None] = timedelta(days=1)

    process: str
    instance: str
    tenant_id: str
    reported_at: datetime
    state: str
    detail: str
