"""How many examples a property test draws."""

import os

from hypothesis import settings

__all__ = ["examples"]


def examples(usual: int, *, stateful_step_count: int = 50) -> settings:
    """The usual number of examples, times `RINGBACK_TEST_EXAMPLES` for a long run."""
    times = int(os.environ.get("RINGBACK_TEST_EXAMPLES", "1"))
    return settings(max_examples=usual * times, deadline=None, stateful_step_count=stateful_step_count)
