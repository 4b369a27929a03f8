"""The runtime's metrics.

At any moment received = satisfied + dead-lettered + dropped + deferred + abandoned + in hand.
"""

from functools import lru_cache
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram
from ringback_common.metrics import catalogue

__all__ = [
    "ABANDONED",
    "ASSIGNED",
    "BREAKER_OPEN",
    "COMMITS",
    "COMMIT_SECONDS",
    "FINISHED",
    "HALTED",
    "IN_HAND",
    "KAFKA_WAITS",
    "LAG_RECORDS",
    "MISSING_TOPICS",
    "OLDEST_CLAIM",
    "OLDEST_IN_HAND",
    "OLDEST_UNFINISHED",
    "PAUSED",
    "POLL_FAILURES",
    "PRODUCED",
    "PRODUCERS_REPLACED",
    "QUOTA_DEMAND",
    "QUOTA_MEMBERS",
    "QUOTA_SHARE",
    "REBALANCES",
    "RECEIVED",
    "REFUSED_WRITES",
    "REMOVED",
    "RESTARTS",
    "ROUND_SECONDS",
    "SPAN",
    "STEPS",
    "STEP_RECORDS",
    "STEP_SECONDS",
    "TENANT_KEYS",
    "child",
]

_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)


@lru_cache(maxsize=4096)  # nine of these per record; looking a child up by its labels costs 3 us, here 0.2
def child(metric: _Metric, *labels: str) -> _Metric:
    """The metric with these label values."""
    return metric.labels(*labels)


# --- stream: the balance ---
RECEIVED = catalogue.counter("ringback_stream_received", "Records taken in.", ("group", "topic"))
FINISHED = catalogue.counter(
    "ringback_stream_finished",
    "Records finished: satisfied, deferred, dropped or dead_lettered, and why.",
    ("group", "topic", "outcome", "reason"),
)
ABANDONED = catalogue.counter(
    "ringback_stream_abandoned",
    "Records given back unfinished at a rebalance or stop; they are redelivered.",
    ("group", "topic"),
)
IN_HAND = catalogue.gauge("ringback_stream_in_hand", "Records taken in and not finished.", ("group", "topic"))
IN_HAND_BYTES = catalogue.gauge(
    "ringback_stream_in_hand_bytes",
    "Bytes of memory counted for what is in hand, of RINGBACK_LIMITS__IN_HAND_BYTES.",
    ("group",),
)
OLDEST_CLAIM = catalogue.gauge(
    "ringback_stream_oldest_waiting_for_bytes_seconds",
    "How long the oldest waiting step has waited for bytes of memory; 0 if none waits.",
    ("group",),
)
OLDEST_IN_HAND = catalogue.gauge(
    "ringback_stream_oldest_in_hand_seconds",
    "Age of the record in hand longest, since it was taken in, by what it waits for: `running` its step, `ready` a "
    "slot, `record` its own time, `tenant` its tenant's, `writing` its way to another lane.",
    ("group", "why"),
)
TENANT_KEYS = catalogue.gauge(
    "ringback_stream_tenant_keys", "Largest number of unfinished keys of one tenant.", ("group",)
)
# --- stream: progress ---
LAG_RECORDS = catalogue.gauge(
    "ringback_lag_records",
    "Records not finished: in hand, or in the log from the next offset to the end that the broker names; every 5 s, by "
    "the member that has the partition. Of a compacted topic the offsets, which are more.",
    ("group", "topic", "partition"),
)
OLDEST_UNFINISHED = catalogue.gauge(
    "ringback_oldest_unfinished_seconds",
    "Seconds since the broker stamped the oldest record that is not finished, taken in or not; 0 if all is finished.",
    ("group", "topic", "partition"),
)
SPAN = catalogue.gauge(
    "ringback_stream_in_flight_window",
    "Largest number of offsets from the lowest unfinished to the next of a partition.",
    ("group",),
)
ASSIGNED = catalogue.gauge("ringback_stream_assigned_partitions", "Partitions assigned.", ("group",))
PAUSED = catalogue.gauge(
    "ringback_stream_paused_partitions", "Partitions paused at a cap or until a retry is due.", ("group",)
)
REBALANCES = catalogue.counter(
    "ringback_stream_rebalances", "Assignments ended: revoked, lost or stopped.", ("group", "how")
)
MISSING_TOPICS = catalogue.gauge(
    "ringback_stream_missing_topics", "Topics to be read that the broker does not know, or hides.", ("group",)
)
POLL_FAILURES = catalogue.counter(
    "ringback_stream_poll_failures",
    "Polls that brought an error instead of records, by its class; the group is `control` for the control topic.",
    ("group", "error"),
)
RESTARTS = catalogue.counter(
    "ringback_stream_restarts",
    "Times a partition was read from its beginning, for its log ends below the offset to be read next.",
    ("group", "topic"),
)
REMOVED = catalogue.counter(
    "ringback_stream_removed", "Records that retention removed before they were read.", ("group", "topic")
)
COMMITS = catalogue.counter("ringback_stream_commits", "Commits, by what the broker said.", ("group", "answer"))
COMMIT_SECONDS = catalogue.histogram("ringback_stream_commit_seconds", "How long an accepted commit took.", ("group",))
STEPS = catalogue.counter(
    "ringback_stream_steps",
    "Steps that failed in a way that may pass, by what the failure led to: wait, pause, retry or give_up.",
    ("group", "action"),
)
STEP_SECONDS = catalogue.histogram(
    "ringback_stream_step_seconds", "How long a step ran, publishing not included.", ("group",)
)
STEP_RECORDS = catalogue.histogram(
    "ringback_stream_step_records", "Records given to one step.", ("group",), (1, 2, 5, 10, 50, 100, 500, 1000, 2000)
)
BREAKER_OPEN = catalogue.gauge(
    "ringback_stream_breaker_open", "1 while most calls fail and everything waits for a probe.", ("group",)
)
HALTED = catalogue.gauge(
    "ringback_stream_halted", "1 while the process has stopped itself for too many rejects.", ("group",)
)
# --- stream: producing ---
PRODUCED = catalogue.counter("ringback_stream_produced", "Messages acknowledged by all in-sync replicas.", ("topic",))
PRODUCERS_REPLACED = catalogue.counter(
    "ringback_stream_producers_replaced", "Producers given up after a refused batch."
)
KAFKA_WAITS = catalogue.counter("ringback_stream_kafka_waits", "Times the process said that it waits for Kafka.")
ROUND_SECONDS = catalogue.histogram(
    "ringback_stream_group_commit_seconds", "How long one round of a group commit took."
)
REFUSED_WRITES = catalogue.counter(
    "ringback_stream_group_commit_refused", "Writes refused at once: not_connected, overdue or memory.", ("reason",)
)

# --- the shared quota ---
QUOTA_SHARE = catalogue.gauge(
    "ringback_quota_share",
    "Requests in any 20 s that this process may send to Graph, of the app's limit over all tenants.",
)
QUOTA_DEMAND = catalogue.gauge(
    "ringback_quota_demand", "Requests in any 20 s that this process asks for, of the app's limit over all tenants."
)
QUOTA_MEMBERS = catalogue.gauge(
    "ringback_quota_members", "Live processes that share the app's limit over all tenants, as this one sees them."
)
