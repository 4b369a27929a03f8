"""Every test below may use the fixtures of `ringback_testing`, which lies in `tests/support`."""

import pytest
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
    "kafka",
    "kafka_broker",
    "make_topics",
    "postgres",
    "process",
    "simulator",
    "topic_prefix",
    "topics",
]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A session in which a person or a secret was printed or exported has failed, whatever its tests say."""
    if TRANSCRIPT.leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was searched, and where something was found."""
    if TRANSCRIPT.outputs:
        terminalreporter.section("secrecy", red=bool(TRANSCRIPT.leaks), green=not TRANSCRIPT.leaks)
        terminalreporter.write_line(TRANSCRIPT.summary())
