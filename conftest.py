"""How every property test of the repository is run: fresh examples each time, reproducible by the number printed."""

import os
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from ringback_local.named import foreign
from ringback_testing.parallel import pytest_xdist_make_scheduler

__all__ = ["pytest_xdist_make_scheduler"]

settings.register_profile(
    "fresh",
    deadline=None,  # CI's two cores are shared: a slow example is no failure, pytest-timeout ends a hung one
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("fresh")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the settings of services out of the environment, and draw the run's seed, unless one is named.

    A test that reads an exported setting could work on what is in production. The processes of a parallel run are given
    the seed. Frozen examples would only ever show that yesterday's still pass; a printed seed repeats a run as well.
    """
    for name in foreign(os.environ):
        del os.environ[name]
    given = getattr(config, "workerinput", {}).get("seed", config.option.hypothesis_seed)
    config.option.hypothesis_seed = str(secrets.randbelow(2**32)) if given is None else given


def pytest_configure_node(node: Any) -> None:
    """Give a process of a parallel run the seed of the whole run."""
    node.workerinput["seed"] = node.config.option.hypothesis_seed


def pytest_report_header(config: pytest.Config) -> str:
    """The number that repeats this run's examples."""
    return f"property tests: --hypothesis-seed={config.option.hypothesis_seed}"
