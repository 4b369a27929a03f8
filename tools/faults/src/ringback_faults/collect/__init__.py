"""Fetches the ledgers: reads the topics, the consumers' offsets, the store, the simulator's file, the processes."""

from ringback_faults.collect.baseline import Baseline, mark
from ringback_faults.collect.drain import drained
from ringback_faults.collect.gather import collect
from ringback_faults.collect.sampling import Sampler

__all__ = ["Baseline", "Sampler", "collect", "drained", "mark"]
