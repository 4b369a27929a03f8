"""The values of Prometheus metrics, as a scrape would see them."""

from prometheus_client.metrics import MetricWrapperBase

__all__ = ["value_of"]


def value_of(metric: MetricWrapperBase) -> float:
    """The value of a metric without labels, or of one of its children."""
    (family,) = metric.collect()
    return family.samples[0].value
