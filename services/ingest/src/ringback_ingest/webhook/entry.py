"""What happens to a whole POST: judge its items, write them, answer when they are durable."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.trace import Span
from ringback_common.clock import Clock, iso
from ringback_common.errors import Transient
from ringback_common.metrics import WEBHOOK_ANSWER_SECONDS, WEBHOOK_ITEMS
from ringback_common.outcomes import Message

from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.webhook.adapters.connection import Reply
from ringback_ingest.webhook.adapters.spans import as_headers, begin
from ringback_ingest.webhook.core.admission import Status
from ringback_ingest.webhook.core.limits import KAFKA_SECONDS
from ringback_ingest.webhook.core.notifications import Arrival, Genuine, Refused, take

__all__ = ["Entry", "Writer"]

_ACCEPTED = WEBHOOK_ITEMS.labels("accepted")
_UNAVAILABLE = WEBHOOK_ITEMS.labels("unavailable")
_REFUSED = {reason: WEBHOOK_ITEMS.labels(reason.value) for reason in Refused}


class Writer(Protocol):
    """Makes records durable, all or none confirmed."""

    @property
    def accepting(self) -> bool:
        """Whether a write has a chance now."""
        ...

    async def write(self, messages: Sequence[Message]) -> None:
        """Return when all in-sync replicas have all of them.

        Raises:
            Transient: not confirmed in time, or refused without trying.
        """
        ...


class _Post:
    """A POST that waits for its records to be durable."""

    __slots__ = ("answered", "began", "items", "reply", "span")

    def __init__(self, items: int, reply: Reply, span: Span, began: float) -> None:
        self.items = items
        self.reply = reply
        self.span = span
        self.began = began
        self.answered = False


class Entry:
    """Takes POSTs. Those that arrive in one turn of the event loop are written together and share its cost."""

    def __init__(self, writer: Writer, genuine: Genuine, clock: Clock) -> None:
        self.genuine = genuine
        """Replaced when keys change."""
        self._writer = writer
        self._clock = clock
        self._messages: list[Message] = []
        self._posts: list[_Post] = []
        self._writes: set[asyncio.Task[None]] = set()

    def take(self, query: NotificationQuery, body: bytes, reply: Reply, answer_by: float) -> None:
        """Answer 202 when every genuine item is durable or none was genuine, 503 when that cannot be said in time.

        413 says that the items were too many to be looked at: 202 would lose the genuine ones among them in silence.
        """
        span = begin()
        arrival = Arrival(query.slot, iso(self._clock.now()), as_headers(span))
        taken = take(body, arrival, self.genuine)
        for reason in taken.refused:
            _REFUSED[reason].inc()
        post = _Post(len(taken.messages), reply, span, self._clock.monotonic())
        if Refused.TOO_MANY_ITEMS in taken.refused:
            self._answer(post, Status.TOO_LARGE)
        elif not taken.messages:
            self._answer(post, Status.ACCEPTED)
        elif not self._writer.accepting:
            self._answer(post, Status.UNAVAILABLE)
        else:
            self._join(post, taken.messages, answer_by)

    def _join(self, post: _Post, messages: list[Message], answer_by: float) -> None:
        loop = asyncio.get_running_loop()
        if answer_by < loop.time() + KAFKA_SECONDS:  # the body took its time; else the writer's own deadline is earlier
            loop.call_at(answer_by, self._answer, post, Status.UNAVAILABLE)
        if not self._posts:
            loop.call_soon(self._leave)
        self._posts.append(post)
        self._messages.extend(messages)

    def _leave(self) -> None:
        posts, messages = self._posts, self._messages
        self._posts, self._messages = [], []
        write = asyncio.get_running_loop().create_task(self._write(posts, messages))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    async def _write(self, posts: list[_Post], messages: list[Message]) -> None:
        status = Status.UNAVAILABLE
        try:
            await self._writer.write(messages)
            status = Status.ACCEPTED
        except Transient:
            pass  # counted below, post by post
        finally:
            for post in posts:
                self._answer(post, status)

    def _answer(self, post: _Post, status: Status) -> None:
        if post.answered:
            return
        post.answered = True
        if post.items:
            (_ACCEPTED if status is Status.ACCEPTED else _UNAVAILABLE).inc(post.items)
            WEBHOOK_ANSWER_SECONDS.observe(self._clock.monotonic() - post.began)
        post.span.set_attribute("http.response.status_code", int(status))
        post.span.end()
        post.reply(status)
