"""docs/metrics.md, from the catalogue."""

from ringback_common.metrics import Catalogue, Declared

__all__ = ["metrics_page"]

_HEAD = """# Metrics

Generated from the catalogue by `make contracts`; do not edit. Every process serves them on its admin port
at `/metrics`. Counters carry the suffix `_total` there, histograms `_bucket`, `_sum` and `_count`. Labels are bounded;
no call or person is ever one.

| metric | kind | labels | what it says |
|---|---|---|---|
"""


def metrics_page(declared: Catalogue) -> str:
    """The documentation of a catalogue as Markdown."""
    return _HEAD + "".join(_row(metric) for metric in declared)


def _row(metric: Declared) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help.replace('|', '/')} |\n"
