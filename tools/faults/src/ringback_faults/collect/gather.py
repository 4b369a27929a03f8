"""Brings the ledgers of a row together."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import aiohttp
import yaml
from ringback_local.stack import Stack
from ringback_local.supervised import Event

from ringback_faults.collect import simulator_ledger, store_dump
from ringback_faults.collect.baseline import Baseline, run_folders
from ringback_faults.collect.kafka_ledger import kafka_ledger, people_of
from ringback_faults.collect.kept import Kept, place_counted_on, removed_places
from ringback_faults.collect.leaks import leaks_since, secrets_ever
from ringback_faults.collect.people import People
from ringback_faults.ledgers import (
    GRAPHS_BUDGET,
    Act,
    Expected,
    Key,
    Ledgers,
    Post,
    Request,
    Sample,
    SentOdd,
    Subscribed,
)
from ringback_faults.pairs import service_of
from ringback_faults.worlds import World

__all__ = ["collect", "leaks_of"]

_PORT = "RINGBACK_WEBHOOK__PORT"


class _Graph(NamedTuple):
    posts: tuple[Post, ...]
    requests: tuple[Request, ...]
    expected: dict[Key, Expected]
    subscribed: tuple[Subscribed, ...]
    odd: tuple[SentOdd, ...]


async def collect(
    world: World,
    baseline: Baseline,
    acts: Sequence[Act],
    samples: Sequence[Sample],
    started: float,
    faulted: float,
    drained: float | None,
    kept: Sequence[Kept] = (),
) -> Ledgers:
    """Everything of the row since `baseline`: only calls that were not there then, only what was written since.

    An act `poison` or `plant` tells of a record that the harness wrote itself: its topic is the target, `partition`,
    `offset` and, of poison, `reason` are in the detail. Ends of processes are added to the acts as `ended` with the
    detail `exit_code`. What the row took from topics is in `kept`.
    """
    stack = world.stack
    graph = await _graph(stack, baseline)
    kafka = await kafka_ledger(stack.bootstrap_servers, baseline.ends, kept)
    people = [kafka.people, *([await people_of(world.beside)] if world.beside else ())]
    keys = {*graph.expected, *(record.key for record in kafka.records if record.key and record.key[1])} - baseline.known
    async with store_dump.connected(stack.dsn) as connection:
        calls = await store_dump.stored_calls(connection, keys)
        versions = await store_dump.stored_versions(connection, keys, baseline.last_write)
        writes = await store_dump.writes_since(connection, baseline.last_write)
    return Ledgers(
        started=started,
        faulted=faulted,
        drained=drained,
        posts=graph.posts,
        requests=graph.requests,
        expected=graph.expected,
        records=tuple(record for record in kafka.records if record.key not in baseline.known),
        commits=kafka.commits,
        generations=kafka.generations,
        starts=baseline.starts,
        calls=calls,
        versions=versions,
        writes=writes,
        samples=tuple(samples),
        acts=tuple(sorted((*acts, *_ends(stack.events[baseline.events :])), key=lambda act: act.at)),
        planted=_planted(acts, kept),
        removed=removed_places(kept),
        searched=sum(len(each.canaries) for each in people),
        leaks=leaks_of(world, baseline, people),
        tenant_budget=_tenant_budget(stack),
        subscribed=graph.subscribed,
        odd=graph.odd,
    )


def leaks_of(world: World, baseline: Baseline, people: Sequence[People]) -> tuple[str, ...]:
    """Every finding, in the logs of an installation beside this one, too; each knows only its own people's topics."""
    folders = run_folders(world)
    canaries = secrets_ever(baseline.secrets, folders)
    for number, each in enumerate(people, start=1):
        canaries |= {f"{name} of installation {number}": text for name, text in each.canaries.items()}
    found = (leak for each in people for leak in each.leaks())
    return (*leaks_since(baseline.logs, folders, canaries), *found)


def _tenant_budget(stack: Stack) -> int:
    reported = yaml.safe_load(stack.secrets.tenants.read_bytes())
    return int(reported["tenants"][0].get("budget", GRAPHS_BUDGET))


def _planted(acts: Sequence[Act], kept: Sequence[Kept]) -> dict[tuple[str, int, int], str]:
    planted = (act for act in acts if act.what in {"poison", "plant"})
    return {
        place_counted_on(kept, (act.target, int(act.detail["partition"]), int(act.detail["offset"])), act.end): str(
            act.detail.get("reason", "")
        )
        for act in planted
    }


def _ends(events: Iterable[Event]) -> list[Act]:
    return [
        Act(event.at.timestamp(), event.at.timestamp(), "ended", event.name, {"exit_code": float(event.exit_code)})
        for event in events
        if event.what in {"died", "misconfigured"} and event.exit_code is not None
    ]


async def _graph(stack: Stack, baseline: Baseline) -> _Graph:
    file = stack.simulator.ledger_file
    webhooks = _webhooks(stack)
    async with aiohttp.ClientSession(stack.simulator.control_url) as control:
        expected = await simulator_ledger.expected_calls(control)
        await simulator_ledger.flushed_size(control, file)
    lines = list(simulator_ledger.lines_since(file, baseline.ledger_offset))

    def of(*kinds: str) -> Iterator[dict[str, Any]]:
        return (line for line in lines if line["kind"] in kinds)

    own = {key: call for key, call in expected.items() if key not in baseline.known}
    subscribed = (line for line in of("subscription", "handshake") if not line.get("ok"))  # who validated is subscribed
    return _Graph(
        tuple(_own(simulator_ledger.post_of(line, webhooks), baseline) for line in of("post")),
        tuple(map(simulator_ledger.request_of, of("request", "token"))),
        own,
        tuple(map(simulator_ledger.subscribed_of, subscribed)),
        tuple(map(simulator_ledger.odd_of, of("oddPost"))),
    )


def _webhooks(stack: Stack) -> dict[int, str]:
    specs = [process.spec for name, process in stack.processes.items() if service_of(name) == "webhook"]
    return {int(spec.env[_PORT]): spec.name for spec in specs}


def _own(post: Post, baseline: Baseline) -> Post:
    items = tuple(item for item in post.items if item.key not in baseline.known)
    return dataclasses.replace(post, items=items)
