"""How tests are dealt out to the processes of a parallel run: tests that share an expensive world stay together."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

__all__ = ["Dealing", "pytest_xdist_make_scheduler", "unit_of"]

_WORLDS = ("tests/e2e/", "tests/edge/")
"""Folders in which one installation, or one webhook and one fetch process, serve most tests."""
_OF_ITS_OWN = ("tests/e2e/test_stack.py", "tests/e2e/test_isolation.py")
"""Files below `_WORLDS` that start an installation of their own."""
_SINGLE = ("tests/integration/", "tests/fault/test_worlds.py")
"""Each test starts what it needs, processes or an installation, and waits for it."""


def unit_of(nodeid: str) -> str:
    """What is run by one process, one after the other: a world's folder, a file, or a single slow test."""
    file = nodeid.partition("::")[0]
    if file.startswith(_SINGLE):
        return nodeid
    world = next((folder for folder in _WORLDS if file.startswith(folder)), file)
    return file if file in _OF_ITS_OWN else world


class Dealing(LoadScopeScheduling):
    """Gives each process that runs out of work the next unit, in the order in which tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Dealing:
    """Deal in order of collection: the Makefile names the folders with the longest units first."""
    config.option.loadscopereorder = False  # else files with many small tests would come first
    return Dealing(config, log)
