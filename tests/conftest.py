"""Every test below may use the fixtures of `ringback_testing`, which lies in `tests/support`."""

from collections.abc import Generator
from typing import Any

import pytest
from ringback_testing.evidence import evidence
from ringback_testing.fetching import fetching
from ringback_testing.fixtures import (
    database,
    kafka,
    kafka_broker,
    make_topics,
    postgres,
    process,
    simulator,
    topic_prefix,
    topics,
)
from ringback_testing.transcript import TRANSCRIPT

__all__ = [
    "database",
    "fetching",
    "kafka",
    "kafka_broker",
    "make_topics",
    "postgres",
    "process",
    "simulator",
    "topic_prefix",
    "topics",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes of a failed test have said: a failure seen once must be enough to find its cause."""
    report = yield
    if report.failed:
        report.sections += evidence(getattr(item, "funcargs", {}))
    return report


@pytest.hookimpl(trylast=True)  # after the teardown of fixtures that an interrupted session still does
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A session in which a person or a secret was printed or exported has failed, whatever its tests say."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # a process of a parallel run: the one that started it decides
        output["transcript"] = TRANSCRIPT.report()
    elif TRANSCRIPT.failed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_testnodedown(node: Any) -> None:
    """Take over what a process of a parallel run has found."""
    TRANSCRIPT.add(node.gateway.id, getattr(node, "workeroutput", {}).get("transcript"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was searched, and where something was found."""
    if TRANSCRIPT.outputs or TRANSCRIPT.failed:
        terminalreporter.section("secrecy", red=TRANSCRIPT.failed, green=not TRANSCRIPT.failed)
        terminalreporter.write_line(TRANSCRIPT.summary())
