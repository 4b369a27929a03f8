"""Delivery of notifications with Graph's deadlines, retries and states (graph.md 1.3)."""

import asyncio
import heapq
import itertools
import random
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import orjson

from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.endpoint_health import EndpointHealth
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.notifications import Item, render
from ringback_graph_simulator.oddities import ALONE, KINDS, PASSING, odd_alone, odd_body
from ringback_graph_simulator.subscriptions import Subscriptions

__all__ = ["Delivery", "DeliverySettings", "Post"]

_FIRST_TIMEOUT_S, _RETRY_TIMEOUT_S = 3.0, 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10.0, 1_800.0
_GIVE_UP_S = 4 * 3_600.0
_HEADERS = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(slots=True)
class DeliverySettings:
    """What a test may turn; see the control API.

    Attributes:
        odd: share of POSTs that are sent with something odd in them, or behind an odd one.
        keep_alive: whether connections are used again; without it each POST has its own.
    """

    paused: bool = False
    concurrency: int = 64
    batch_max: int = 10
    duplicates: float = 0.0
    type_casing: str = "mixed"
    states: bool = True
    share_url: bool = True
    odd: float = 0.0
    keep_alive: bool = True


@dataclass(slots=True, order=True)
class Post:
    """One request to an endpoint, repeated as it is until it is accepted or given up.

    Attributes:
        odd: what is odd in it, a kind of `oddities`; None in a repetition that is in order again.
        whole: the body without anything odd.
    """

    due: float
    number: int
    url: str = field(compare=False)
    items: list[Item] = field(compare=False)
    first_at: float = field(compare=False)
    attempt: int = field(default=0, compare=False)
    body: bytes = field(default=b"", compare=False)
    odd: str | None = field(default=None, compare=False)
    whole: bytes = field(default=b"", compare=False)


@dataclass(slots=True)
class Tally:
    """Items in all, for progress."""

    queued: int = 0
    accepted: int = 0
    pending: int = 0
    given_up: int = 0
    dropped_by_graph: int = 0
    planted: int = 0
    notified: int = 0


class Delivery:
    """Queues items, posts them with a bounded number of connections, retries what was not answered 2xx in time."""

    def __init__(
        self, session: aiohttp.ClientSession, subscriptions: Subscriptions, ledger: Ledger, clock: GraphClock, seed: int
    ) -> None:
        self.settings = DeliverySettings()
        self.tally = Tally()
        self._session = session
        self._subscriptions = subscriptions
        self._ledger = ledger
        self._clock = clock
        self._rng = random.Random(f"{seed}/delivery")
        self._fresh: OrderedDict[tuple[str, str], deque[Item]] = OrderedDict()
        self._due: list[Post] = []
        self._numbers = itertools.count(1)
        self._health: dict[str, EndpointHealth] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._bug: BaseException | None = None

    def queue(self, item: Item) -> None:
        """Send this item soon, together with others for the same URL."""
        self._count_in(item)
        tenant = "" if self.settings.share_url else item.subscription.tenant_id
        self._fresh.setdefault((item.url, tenant), deque()).append(item)
        self._changed.set()

    def queue_together(self, items: list[Item]) -> None:
        """Send these items of one URL in one POST."""
        for item in items:
            self._count_in(item)
        now = self._clock.now()
        heapq.heappush(self._due, Post(now, next(self._numbers), items[0].url, items, now))
        self._changed.set()

    def changed(self) -> None:
        """Look again: a setting was changed."""
        self._changed.set()

    async def run(self) -> None:
        """Serve for ever; cancelling abandons what is under way."""
        try:
            while True:
                if self._bug is not None:
                    raise self._bug
                self._changed.clear()
                wait = self._start_what_may()
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            for task in list(self._running):
                task.cancel()

    def _count_in(self, item: Item) -> None:
        self.tally.queued += 1
        self.tally.pending += 1
        if item.call is not None:
            item.call.pending += 1

    def _start_what_may(self) -> float | None:
        now = self._clock.now()
        while not self.settings.paused and len(self._running) < self.settings.concurrency:
            post = self._next(now)
            if post is None:
                return max(0.0, self._due[0].due - now) if self._due else None
            task = asyncio.create_task(self._attempt(post))
            self._running.add(task)
            task.add_done_callback(self._finished)
        return None

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._bug = self._bug or (None if task.cancelled() else task.exception())
        self._changed.set()

    def _next(self, now: float) -> Post | None:
        if self._due and self._due[0].due <= now:
            return heapq.heappop(self._due)
        while self._fresh:
            key, waiting = self._fresh.popitem(last=False)
            post = self._batch(key[0], waiting, now)
            if waiting:
                self._fresh[key] = waiting  # behind the other endpoints
            if post is not None and self._admitted(post, now):
                return post
        return None

    def _batch(self, url: str, waiting: deque[Item], now: float) -> Post | None:
        size = min(len(waiting), self.settings.batch_max, self._rng.choices((1, 3, 10, 1000), (55, 25, 15, 5))[0])
        items: list[Item] = []
        while waiting and len(items) < max(1, size):
            item = waiting.popleft()
            if self._subscriptions.live(item.subscription) or item.event == "subscriptionRemoved":
                items.append(item)
            else:
                self._count_out(item)  # its subscription is gone: Graph says nothing any more
        return Post(now, next(self._numbers), url, items, now) if items else None

    def _admitted(self, post: Post, now: float) -> bool:
        """Whether a new post goes out now; else it is delayed or dropped as the endpoint's state demands."""
        if not self.settings.states:
            return True
        health = self._endpoint(post.url)
        before, state = health.state, health.judge(now)
        if state != before:
            self._ledger.write("delivery", at=now, state=state, url=post.url.partition("?")[0])
        if state == "drop":
            self._end(post, "droppedByGraph")
            self.tally.dropped_by_graph += len(post.items)
        elif state == "slow":
            post.due = now + health.window
            heapq.heappush(self._due, post)
        return state == "normal"

    def _endpoint(self, url: str) -> EndpointHealth:
        host = urlsplit(url).netloc
        if host not in self._health:
            self._health[host] = EndpointHealth.at_scale(self._clock.time_scale)
        return self._health[host]

    async def _attempt(self, post: Post) -> None:
        post.attempt += 1
        await self._word(post)
        self._prepare(post)
        begun = self._clock.now()
        limit = _FIRST_TIMEOUT_S if post.attempt == 1 else _RETRY_TIMEOUT_S
        status, problem = await self._send(post.url, post.body, limit)
        end = self._clock.now()
        self._endpoint(post.url).answered(end, end - begun)
        first = post.items[0]
        self._ledger.write(
            "post", at=begun, end=end, attempt=post.attempt, postId=post.number, url=post.url.partition("?")[0],
            subscriptionId=first.subscription.id, lifecycle=first.lifecycle, status=status, error=problem, odd=post.odd,
            items=[item.entry() for item in post.items],
        )  # fmt: skip
        if status is not None and 200 <= status < 300:
            self._accept(post)
        else:
            self._retry(post, end)

    async def _word(self, post: Post) -> None:
        """Give the attempt its body, after what goes before it."""
        if post.attempt == 1:
            self._render(post)
            if post.odd == ALONE:
                await self._send_odd_one(post)
        elif post.odd in PASSING:
            post.odd, post.body = None, post.whole

    def _prepare(self, post: Post) -> None:
        for item in post.items:
            if item.call is not None:
                item.version = item.call.version
                item.call.notified += post.attempt == 1
        if post.attempt == 1:
            self.tally.notified += len(post.items)

    def _render(self, post: Post) -> None:
        value = [render(item, self._rng, self.settings.type_casing) for item in post.items]
        body = {"value": value} if self._rng.random() < 0.7 else {"value": value, "validationTokens": None}
        post.whole = post.body = orjson.dumps(body)
        if self.settings.odd and not post.items[0].lifecycle and self._rng.random() < self.settings.odd:
            post.odd = self._rng.choice(tuple(KINDS))
            post.body = odd_body(post.odd, value, self._rng)

    async def _send_odd_one(self, post: Post) -> None:
        """What goes before a POST: one with nothing genuine in it, which is not repeated."""
        begun, odd = self._clock.now(), odd_alone(orjson.loads(post.whole)["value"])
        status, problem = await self._send(post.url, odd, _FIRST_TIMEOUT_S)
        self._ledger.write("oddPost", at=begun, end=self._clock.now(), status=status, error=problem)

    async def _send(self, url: str, body: bytes, limit: float) -> tuple[int | None, str | None]:
        headers = _HEADERS if self.settings.keep_alive else {**_HEADERS, "Connection": "close"}
        try:
            async with (
                asyncio.timeout(limit),
                self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                await answer.read()
                return answer.status, None
        except TimeoutError:
            return None, "timeout"
        except aiohttp.ClientConnectorError:
            return None, "connect"
        except aiohttp.ClientError as error:
            return None, type(error).__name__

    def _accept(self, post: Post) -> None:
        self.tally.accepted += len(post.items)
        for item in post.items:
            self._count_out(item)
            if item.call is None:
                continue
            if item.planted == "forgedClientState":
                item.call.planted_drops += 1
                self.tally.planted += 1
            else:
                item.call.accepted[item.version] += 1

    def _retry(self, post: Post, now: float) -> None:
        pause = min(_FIRST_PAUSE_S * 2 ** (post.attempt - 1), _LONGEST_PAUSE_S) * self._rng.uniform(1.0, 1.2)
        post.due = now + self._clock.scaled(pause)
        if post.due > post.first_at + self._clock.scaled(_GIVE_UP_S):
            self._end(post, "gaveUp")
            self.tally.given_up += len(post.items)
        else:
            heapq.heappush(self._due, post)

    def _end(self, post: Post, kind: str) -> None:
        entries = [item.entry() for item in post.items]
        self._ledger.write(kind, at=self._clock.now(), postId=post.number, items=entries)
        for item in post.items:
            self._count_out(item)

    def _count_out(self, item: Item) -> None:
        self.tally.pending -= 1
        if item.call is not None:
            item.call.pending -= 1
