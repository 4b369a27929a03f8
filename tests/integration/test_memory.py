"""The largest meetings at once under the manifests' memory: the form of `make memory` that takes seconds."""

import pytest

from bench.memory import measure

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

MEETINGS = (500,) * 6 + (1000,) * 2


async def test_large_meetings_at_once_are_stored_within_what_the_manifests_grant() -> None:
    """None ends a process, or its assignment: a missed heartbeat would."""
    outcome = await measure(MEETINGS)
    assert outcome.stored == len(MEETINGS)
    assert sum(outcome.rebalances.values()) == 0
    assert all(outcome.peak[name] < granted for name, granted in outcome.granted.items())
