"""The closed catalogue of metrics. What is not declared here does not exist; docs/metrics.md is generated from it.

Labels are bounded: never a call, a user or a subscription. `tenant_id` is allowed where an operator must tell tenants
apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Catalogue", "Declared", "catalogue", "exposition"]

LATENCY_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    3.0,
    5.0,
    10.0,
    30.0,
    120.0,
    900.0,
)
"""Seconds; 3 and 10 are Graph's own deadlines for a notification."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric as the documentation shows it.

    Attributes:
        name: as declared; the exposition adds the suffix of its kind.
        kind: counter, gauge or histogram.
        help: one sentence for operators.
        labels: names of its labels.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]


@dataclass(slots=True)
class Catalogue:
    """Declares metrics once, in one registry, and keeps their declarations for the documentation.

    To declare a name that does not begin with `ringback_`, or one that is declared already, is a ValueError.
    """

    registry: CollectorRegistry = field(default_factory=lambda: CollectorRegistry(auto_describe=True))
    declared: dict[str, Declared] = field(default_factory=dict[str, Declared])

    def counter(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
        """A count that only grows; the exposition adds `_total`."""
        self._declare(name, "counter", help_text, labels)
        return Counter(name, help_text, labels, registry=self.registry)

    def gauge(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
        """A value that goes up and down."""
        self._declare(name, "gauge", help_text, labels)
        return Gauge(name, help_text, labels, registry=self.registry)

    def histogram(
        self, name: str, help_text: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
    ) -> Histogram:
        """A distribution; without other buckets, of seconds."""
        self._declare(name, "histogram", help_text, labels)
        return Histogram(name, help_text, labels, registry=self.registry, buckets=buckets)

    def _declare(self, name: str, kind: str, help_text: str, labels: Sequence[str]) -> None:
        if not name.startswith("ringback_") or name in self.declared:
            raise ValueError(f"{name} must start with ringback_ and be declared once")
        self.declared[name] = Declared(name, kind, help_text, tuple(labels))

    def __iter__(self) -> Iterator[Declared]:
        return iter(sorted(self.declared.values(), key=lambda metric: metric.name))


catalogue = Catalogue()


def exposition() -> bytes:
    """The metrics of this process in Prometheus' text format."""
    return generate_latest(catalogue.registry)


# --- process ---
PROCESS_INFO = catalogue.gauge(
    "ringback_process_info", "1, with the process' name and version.", ("process", "version")
)
LOG_LINES = catalogue.counter("ringback_log_lines", "Log lines written, by level.", ("level",))
LOG_FIELDS_WITHHELD = catalogue.counter("ringback_log_fields_withheld", "Log fields that the allow-list does not know.")

# --- webhook ---
WEBHOOK_POSTS = catalogue.counter("ringback_webhook_posts", "Requests answered, by HTTP status.", ("status",))
WEBHOOK_ITEMS = catalogue.counter(
    "ringback_webhook_items",
    "Notifications received: accepted (in Kafka), unavailable (not in Kafka, 503), awaiting_key (ours, its key id not "
    "in the keys file yet, 503), unknown_kid (the same, dropped: alarm), undecodable (a body or a piece of one; 503 "
    "under a URL of ours), or why refused.",
    ("outcome",),
)
WEBHOOK_ANSWER_SECONDS = catalogue.histogram(
    "ringback_webhook_answer_seconds", "From the last byte of a POST with genuine items to its answer."
)
WEBHOOK_CONNECTIONS = catalogue.gauge("ringback_webhook_connections", "Open connections of Graph or its ingress.")
WEBHOOK_CUT = catalogue.counter(
    "ringback_webhook_cut",
    "Connections closed, by reason: slow, idle, nothing genuine sent in 5 s, too many.",
    ("reason",),
)

# --- keeper ---
KEEPER_ACTIONS = catalogue.counter(
    "ringback_keeper_actions",
    "What the keeper asked of Graph's subscriptions (create, prove, renew, delete), by outcome: done or why not.",
    ("action", "outcome"),
)
KEEPER_SUBSCRIPTION_EXPIRY = catalogue.gauge(
    "ringback_keeper_subscription_expiry_timestamp_seconds",
    "When a tenant's subscription ends; 0 while it has none.",
    ("tenant_id",),
)
KEEPER_TENANTS = catalogue.gauge(
    "ringback_keeper_tenants", "Tenants this keeper owns, by the state of their subscription.", ("state",)
)
KEEPER_PASS_FAILURES = catalogue.counter(
    "ringback_keeper_pass_failures",
    "Visits to a tenant's subscriptions that left them not as they should be, by reason; tried again.",
    ("reason",),
)

# --- graph ---
GRAPH_REQUEST_SECONDS = catalogue.histogram(
    "ringback_graph_request_seconds",
    "One request to Graph from sending to the last byte, by operation and status.",
    ("operation", "status"),
)
GRAPH_BUDGET_WAIT = catalogue.histogram(
    "ringback_graph_budget_wait_seconds", "Waiting for the budget before a request, by lane.", ("lane",)
)
GRAPH_BUDGET_WAITING = catalogue.gauge("ringback_graph_budget_waiting", "Requests that wait for the budget now.")
GRAPH_THROTTLED = catalogue.counter("ringback_graph_throttled", "Answers 429, by the scope held for it.", ("scope",))
GRAPH_TOKENS = catalogue.counter("ringback_graph_tokens", "Access tokens asked for, by outcome.", ("outcome",))
GRAPH_REFUSED_LINKS = catalogue.counter(
    "ringback_graph_refused_links", "Next links not followed, by reason.", ("reason",)
)
GRAPH_MENDED_REPLIES = catalogue.counter(
    "ringback_graph_mended_replies",
    "Replies read though orjson refuses them: a byte order mark, another encoding, half a surrogate pair in a text, "
    "which is U+FFFD from then on, or a number beyond all bounds, which is null.",
)

# --- enricher ---
ENRICHER_FETCHES = catalogue.counter(
    "ringback_enricher_fetches", "Fetches answered: found, or why no record came.", ("outcome",)
)
ENRICHER_SPARED = catalogue.counter(
    "ringback_enricher_spared", "Fetches of a version that was published lately and needed no re-publication."
)
ENRICHER_FRESHNESS_SECONDS = catalogue.histogram(
    "ringback_enricher_freshness_seconds", "From the oldest request of a fetch to its record in hand."
)
ENRICHER_TENANTS_PAUSED = catalogue.gauge(
    "ringback_enricher_tenants_paused", "Tenants not asked because of what Graph answered, by reason.", ("reason",)
)
