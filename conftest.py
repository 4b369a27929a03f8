"""How every property test of the repository is run: fresh examples each time, reproducible by the number printed."""

import secrets

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fresh",
    deadline=None,  # CI's two cores are shared: a slow example is no failure, pytest-timeout ends a hung one
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("fresh")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the run's seed, unless `--hypothesis-seed` names one.

    Frozen examples would only ever show that yesterday's examples still pass; a printed seed repeats a run as well.
    """
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))


def pytest_report_header(config: pytest.Config) -> str:
    """The number that repeats this run's examples."""
    return f"property tests: --hypothesis-seed={config.option.hypothesis_seed}"
