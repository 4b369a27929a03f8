"""One installation for all tests of this folder that do not break theirs; the search for leaks looks at it last."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ringback_testing.installation import Installation, open_installation


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def installation() -> AsyncIterator[Installation]:
    """The stack as processes, with three tenants."""
    async with open_installation() as opened:
        yield opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what runs a stack of its own, then what shares one, then what judges everything the shared one did."""
    ours = [at for at, item in enumerate(items) if item.path.parent.name == "e2e"]
    for at, item in zip(ours, sorted((items[at] for at in ours), key=_rank), strict=True):
        items[at] = item


def _rank(item: pytest.Item) -> int:
    shares = "installation" in getattr(item, "fixturenames", ())
    return shares + (item.path.name == "test_leaks.py")
