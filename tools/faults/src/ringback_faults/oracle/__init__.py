"""The judge: pure functions over the ledgers of a run. Of the services' own counters it believes I7's gauges only."""

from ringback_faults.oracle.judgement import check
from ringback_faults.oracle.recovery import fault_over

__all__ = ["check", "fault_over"]
