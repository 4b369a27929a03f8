"""The workday: everything that must occur does, and the reckoning closes."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from .conftest import TENANT, Endpoint, Lab, open_lab

_HOUR = 3600 / 3000
"""Seconds, in a test that says so."""
_OTHER = "22222222-474c-4d40-900c-6265431fd81f"


async def _expected(lab: Lab) -> list[dict[str, Any]]:
    async with lab.session.get(f"{lab.ready['controlUrl']}/control/expected") as answer:
        return [orjson.loads(line) for line in (await answer.read()).splitlines()]


async def test_a_workday_holds_what_was_ordered(lab: Lab) -> None:
    """All specials occur once, late versions are told, forged items are counted apart, and notified = accepted."""
    await lab.subscribe()
    order = {"tenants": [TENANT], "calls": 120, "durationSeconds": 0.5, "lateVersionAfterSeconds": 30}
    await lab.control("POST", "workday", order | {"plantedDrops": 3, "throttleStorm": True})

    async def done() -> bool:
        return (await lab.control("GET", "workday"))["done"]

    await lab.until(done)
    progress, entries = await lab.control("GET", "workday"), await _expected(lab)
    assert (progress["startedCalls"], progress["plantedDrops"], progress["pending"]) == (120, 3, 0)
    planted = progress["planted"]
    assert (planted["largeMeeting"], planted["webinar"], planted["throttleStorm"]) == (1, 1, 1)
    assert planted["lateVersion"] > 0
    assert len(entries) == 123
    accepted = sum(sum(entry["accepted"].values()) for entry in entries)
    assert accepted + progress["plantedDrops"] == progress["accepted"] == progress["notified"]
    assert max(entry["sessions"] for entry in entries) == 1000
    assert 400 in {entry["participants"] for entry in entries}
    assert max(entry["version"] for entry in entries) == 3


async def _calls_of(folder: Path, endpoint: Endpoint, seed: int) -> list[tuple[Any, ...]]:
    """What a workday came to in a simulator of its own, without its times."""
    folder.mkdir()
    order = {"tenants": [TENANT, _OTHER], "calls": 40, "durationSeconds": 0.2, "lateVersionAfterSeconds": 10}
    names = ("tenantId", "callId", "shape", "type", "version", "sessions", "participants", "tags")
    async with open_lab(folder, endpoint, time_scale=1000.0) as lab:
        await lab.control("POST", "workday", order | {"seed": seed, "throttleStorm": False})

        async def done() -> bool:
            return (await lab.control("GET", "workday"))["done"]

        await lab.until(done)
        return sorted(tuple(entry[name] for name in names) for entry in await _expected(lab))


async def test_a_seed_repeats_a_workday(tmp_path: Path, endpoint: Endpoint) -> None:
    """The same order makes the same calls, each as large and in its last version; another seed makes others."""
    first, again, other = [await _calls_of(tmp_path / f"{at}", endpoint, seed) for at, seed in enumerate((3, 3, 4))]
    assert first == again
    assert {call[1] for call in first}.isdisjoint(call[1] for call in other)
    assert [call[2:] for call in first] != [call[2:] for call in other]


async def test_a_second_workday_needs_the_first_to_be_over(lab: Lab) -> None:
    """It is stopped first; and an order that cannot be carried out is refused."""
    await lab.control("POST", "workday", {"tenants": [TENANT, _OTHER], "calls": 30, "durationSeconds": 60, "seed": 3})
    await lab.control("POST", "workday", {"tenants": [TENANT]}, status=400)
    await lab.control("DELETE", "workday")
    assert not (await lab.control("GET", "workday"))["running"]
    await lab.control("POST", "workday", {"tenants": [TENANT], "calls": 1, "shapes": {"picnic": 1}}, status=400)


@pytest.mark.parametrize("time_scale", [3000.0])
async def test_a_lagging_replica_has_caught_up_after_an_hour(lab: Lab) -> None:
    """Who asks at once is told 404, who asks for the first time an hour of Graph's later is not."""
    order = {"tenants": [TENANT], "calls": 6, "durationSeconds": 0.1, "specials": False, "notFoundFirstShare": 1.0}
    await lab.control("POST", "workday", order | {"plantedDrops": 0, "throttleStorm": False})

    async def done() -> bool:
        return len(await _expected(lab)) == 6

    await lab.until(done)
    early, *late = [f"communications/callRecords/{entry['callId']}" for entry in await _expected(lab)]
    assert (await lab.graph("GET", early)).status == 404
    await asyncio.sleep(1.2 * _HOUR)
    assert [(await lab.graph("GET", path)).status for path in late] == [200] * 5


async def test_mistakes_are_answered_with_a_sentence(lab: Lab) -> None:
    """Unknown calls, unknown shapes and bodies that are no objects end in 4xx, and the simulator goes on."""
    await lab.control("GET", f"calls/{TENANT}/nobody", status=404)
    await lab.control("POST", "calls", {"tenantId": TENANT, "shape": "picnic"}, status=400)
    await lab.control("POST", "calls", {}, status=400)
    await lab.control("POST", "calls", [], status=400)
    assert (await lab.control("GET", "health")) == {"status": "ok"}


async def test_the_calls_of_a_workday_may_have_ended_over_days(lab: Lab) -> None:
    """Told in a moment, ended in the office hours of five working days; without `days` they end as they are told."""
    order = {"tenants": [TENANT], "calls": 50, "durationSeconds": 0.1, "specials": False, "throttleStorm": False}
    await lab.control("POST", "workday", order | {"plantedDrops": 0, "days": 5, "troubleShare": 0.02})

    async def done() -> bool:
        return len(await _expected(lab)) == 50

    await lab.until(done)
    listed = (await lab.get("communications/callRecords"))["value"]
    ends = [datetime.fromisoformat(one["endDateTime"]) for one in listed]
    assert len({end.date() for end in ends}) == 5
    assert {end.weekday() for end in ends} <= {0, 1, 2, 3, 4}
    assert len({end.hour for end in ends}) > 5
    await lab.control("POST", "workday", order | {"days": -1}, status=400)
    await lab.control("POST", "workday", order | {"troubleShare": 2}, status=400)
