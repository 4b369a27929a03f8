"""docs/performance.md."""
from collections.abc import Sequence
from bench.report import Report
__all__ = ["page"]
def page(reports: Sequence[Report]) -> str:
    """x."""
    return ""
