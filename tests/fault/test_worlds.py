"""A world is what its kind says: overlaid packages are the ones that run, and a point is where the process dies."""

import shutil
from pathlib import Path

import aiohttp
import pytest
from ringback_faults.worlds import open_world, read_world
from ringback_testing import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WORLDS = Path(__file__).parent / "worlds"
ROOT = Path(__file__).parents[2]


async def test_an_overlaid_package_is_the_one_that_runs(tmp_path: Path) -> None:
    """The patched copy says on its log that it is one; the services' own packages are left as they are."""
    package = shutil.copytree(ROOT / "services/enricher/src/ringback_enricher", tmp_path / "ringback_enricher")
    entry = package / "__main__.py"
    entry.write_text(entry.read_text().replace("import sys\n", "import sys\nprint('a patched copy')\n", 1))
    kind = read_world(WORLDS, "plain").model_copy(update={"without": ("keeper",)})
    async with open_world(kind, seed=7, overlay=tmp_path) as world:
        assert "a patched copy" in world.stack.processes["enricher"].log_file.read_text()
        assert "a patched copy" not in world.stack.processes["store"].log_file.read_text()


async def test_a_rigged_process_dies_where_it_is_told_and_its_links_and_clock_obey() -> None:
    """One installation shows all three: a death at a point, a link that everything goes through, a clock set ahead."""
    async with open_world(read_world(WORLDS, "rigged"), seed=7) as world:
        assert world.points is not None
        assert world.links is not None
        assert world.clocks is not None
        pid = world.stack.processes["store"].pid
        world.points.arm("store", "after-transaction")
        async with aiohttp.ClientSession(world.stack.simulator.control_url) as control:
            await eventually(lambda: _subscribed(control))  # of a call that ends before, nobody is told
            order = {"tenantId": world.stack.tenants[0], "shape": "peerToPeer"}
            async with control.post("/control/calls", json=order) as answer:
                assert answer.status == 201
        reached = await world.points.until_reached("store", "after-transaction", 20)
        assert reached is not None
        assert reached.pid == pid
        await eventually(lambda: any(e.what == "died" and e.exit_code == -9 for e in world.stack.events))
        for name in ("webhook-broker", "enricher-broker", "store-broker", "keeper-graph", "store-database"):
            assert world.links[name].counts.connections > 0, name


async def _subscribed(control: aiohttp.ClientSession) -> bool:
    async with control.get("/control/subscriptions") as answer:
        return len((await answer.json())["subscriptions"]) == 3
