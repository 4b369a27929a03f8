"""I7: memory, files and what is in hand stay below their caps. Pure.

The gauges of `ringback_stream_tenant_keys` are the only figures of the services that the oracle believes: a process
that lies about them is caught by its memory.
"""

from collections.abc import Iterator

from ringback_faults.ledgers import Ledgers, Sample
from ringback_faults.pairs import service_of

__all__ = ["tells_keys", "unbounded"]

_MIB = 1024 * 1024
_KEYS = 128 + 24
"""Unfinished calls of one tenant: its largest share, and as many of bulk's as may become live ones."""
_FILES = {"webhook": 4096}
_FILES_OF_OTHERS = 512
"""Open files and sockets: some of Kafka's, 64 of Graph's, some of PostgreSQL's; the webhook has its clients' too."""


def unbounded(ledgers: Ledgers, rss_mib: float) -> Iterator[str]:
    """A sentence for each process and cap that was exceeded, with the worst figure."""
    worst: dict[tuple[str, str], tuple[float, float]] = {}
    for sample in ledgers.samples:
        for what, value, cap in _figures(sample, rss_mib):
            if value > max(cap, worst.get((sample.process, what), (cap, cap))[0]):
                worst[sample.process, what] = (value, cap)
    for (process, what), (value, cap) in worst.items():
        yield f"{process}: {what} {value:.0f}, cap {cap:.0f}"


def _figures(sample: Sample, rss_mib: float) -> Iterator[tuple[str, float, float]]:
    yield "RSS in MiB", sample.rss / _MIB, rss_mib
    yield "open files", float(sample.files), float(_FILES.get(service_of(sample.process), _FILES_OF_OTHERS))
    for name, value in sample.gauges.items():
        if _is_keys(name):
            yield name, value, float(_KEYS)


def tells_keys(sample: Sample) -> bool:
    """Whether the enricher's keys are among the gauges; if no sample tells them, their cap was not looked at."""
    return any(_is_keys(name) for name in sample.gauges)


def _is_keys(gauge: str) -> bool:
    return gauge.startswith("ringback_stream_tenant_keys") and "ringback-enricher" in gauge
