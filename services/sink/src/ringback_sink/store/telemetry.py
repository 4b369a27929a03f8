"""The store's metrics."""

from ringback_common.metrics import catalogue

__all__ = ["BISECTIONS", "CALLS", "HEADS", "NUL_REPLACED", "STORED_SECONDS", "TRANSACTION_SECONDS", "UNAVAILABLE"]

CALLS = catalogue.counter(
    "ringback_store_calls",
    "Calls written: added, replaced by a newer version, or older than what is stored (history only).",
    ("outcome",),
)
TRANSACTION_SECONDS = catalogue.histogram(
    "ringback_store_transaction_seconds", "One transaction of calls, from its first statement to its commit."
)
STORED_SECONDS = catalogue.histogram(
    "ringback_store_since_received_seconds",
    "From when Ringback was told of a version to when it is stored; what took longest is the freshness promise.",
)
NUL_REPLACED = catalogue.counter(
    "ringback_store_nul_replaced", "U+0000 stored as U+FFFD, for PostgreSQL has no U+0000."
)
BISECTIONS = catalogue.counter(
    "ringback_store_bisections",
    "Batches split because PostgreSQL refused a row, by SQLSTATE class.",
    ("sqlstate_class",),
)
UNAVAILABLE = catalogue.counter(
    "ringback_store_unavailable", "Transactions given up for now: store away, full, locked.", ("sqlstate_class",)
)
HEADS = catalogue.counter(
    "ringback_store_heads", "Dead letters' heads, decisions about them, and status reports written.", ("table",)
)
