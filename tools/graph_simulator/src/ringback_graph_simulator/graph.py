"""All parts of a running Graph, put together."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ringback_graph_simulator.announcer import Announcer
from ringback_graph_simulator.call_requests import CallRequests
from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.delivery import Delivery
from ringback_graph_simulator.fault_effects import FaultEffects
from ringback_graph_simulator.faults import Faults
from ringback_graph_simulator.handshake import Handshake
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.records import Records
from ringback_graph_simulator.subscription_service import SubscriptionService
from ringback_graph_simulator.subscriptions import Subscriptions
from ringback_graph_simulator.timetable import Timetable
from ringback_graph_simulator.tokens import Authority
from ringback_graph_simulator.world import World

__all__ = ["Graph", "build_graph"]


@dataclass(slots=True)
class Graph:
    """State and services; the two servers are made of it."""

    seed: int
    root: str
    clock: GraphClock
    ledger: Ledger
    records: Records
    world: World
    authority: Authority
    faults: Faults
    effects: FaultEffects
    delivery: Delivery
    announcer: Announcer
    timetable: Timetable
    service: SubscriptionService
    requests: CallRequests
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list[asyncio.Task[Any]])

    def start(self) -> None:
        """Start what runs in the background."""
        jobs = (self.delivery.run(), self.timetable.run(), self.ledger.run())
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def broken(self) -> None:
        """Return when a background job has ended, which it never does but by a bug."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """End the background; a job that had failed raises its error here."""
        failed = [task for task in self._tasks if task.done()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ledger.close()
        for task in failed:
            task.result()


def build_graph(
    session: aiohttp.ClientSession,
    ledger: Ledger,
    clock: GraphClock,
    *,
    seed: int,
    root: str,
    http_hosts: frozenset[str] = frozenset(),
) -> Graph:
    """A Graph without calls, tenants or subscriptions; `root` is its own public URL, `http_hosts` as in `Options`."""
    records, subscriptions, faults = Records(seed), Subscriptions(), Faults(seed)
    world, timetable = World(clock, records, ledger), Timetable(clock.now)
    delivery = Delivery(session, subscriptions, ledger, clock, seed)
    announcer = Announcer(subscriptions, delivery, world, seed)
    handshake = Handshake(session, ledger, clock)
    return Graph(
        seed=seed,
        root=root,
        clock=clock,
        ledger=ledger,
        records=records,
        world=world,
        authority=Authority(),
        faults=faults,
        effects=FaultEffects(faults, world, announcer, ledger, clock, root),
        delivery=delivery,
        announcer=announcer,
        timetable=timetable,
        service=SubscriptionService(subscriptions, handshake, announcer, timetable, ledger, clock, http_hosts),
        requests=CallRequests(world, announcer, timetable, seed),
    )
