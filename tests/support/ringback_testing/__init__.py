"""What tests across process boundaries share: real servers, real processes, and conditions to wait for."""

from ringback_testing.processes import ProcessFactory, RunningProcess
from ringback_testing.records import dump_topic
from ringback_testing.waiting import eventually

__all__ = ["ProcessFactory", "RunningProcess", "dump_topic", "eventually"]
