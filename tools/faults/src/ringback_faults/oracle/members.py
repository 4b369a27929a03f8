"""How many processes of each service had a share of the work, by their own gauges. Pure."""

from collections.abc import Iterable, Mapping

from ringback_faults.ledgers import Sample
from ringback_faults.pairs import TWICE, service_of

__all__ = ["members_of"]

_AT_WORK = ("ringback_stream_assigned_partitions", "ringback_webhook_connections")


def members_of(samples: Iterable[Sample]) -> Mapping[str, float]:
    """`members_<service>`: processes that had partitions, or connections, at some moment of the row."""
    busy = {sample.process for sample in samples if _works(sample.gauges)}
    return {f"members_{service}": float(sum(service_of(one) == service for one in busy)) for service in TWICE}


def _works(gauges: Mapping[str, float]) -> bool:
    return any(value > 0 for name, value in gauges.items() if name.startswith(_AT_WORK))
