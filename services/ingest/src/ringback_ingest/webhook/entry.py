"""What happens to a whole POST: judge its items, write them, answer when they are durable."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.trace import Span
from prometheus_client import Counter
from ringback_common.clock import Clock
from ringback_common.errors import Transient
from ringback_common.metrics import WEBHOOK_ANSWER_SECONDS, WEBHOOK_ITEMS
from ringback_common.outcomes import Message
from ringback_common.traces import traceparent
from ringback_events.times import wire_time

from ringback_ingest.client_state import KeyStatus, NotificationQuery, is_kid
from ringback_ingest.webhook.adapters.alarms import Alarms
from ringback_ingest.webhook.adapters.connection import Responder
from ringback_ingest.webhook.adapters.spans import begin
from ringback_ingest.webhook.core.admission import Status
from ringback_ingest.webhook.core.answers import answer_to
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.core.limits import KAFKA_SECONDS
from ringback_ingest.webhook.core.notifications import Arrival, RefusalReason, take
from ringback_ingest.webhook.core.unknown_kids import UnknownKids

__all__ = ["NotificationEntry", "Writer"]

_ACCEPTED = WEBHOOK_ITEMS.labels("accepted")
_UNAVAILABLE = WEBHOOK_ITEMS.labels("unavailable")
_AWAITING_KEY = WEBHOOK_ITEMS.labels("awaiting_key")
_REFUSED = {reason: WEBHOOK_ITEMS.labels(reason.value) for reason in RefusalReason}


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
    """A POST that waits for its records to be durable; `status` is what it is answered then."""

    __slots__ = ("answered", "began", "items", "reply", "span", "status")

    def __init__(self, items: int, status: Status, reply: Responder, span: Span, began: float) -> None:
        self.items = items
        self.status = status
        self.reply = reply
        self.span = span
        self.began = began
        self.answered = False


class NotificationEntry:
    """Takes POSTs. Those that arrive in one turn of the event loop are written together and share its cost."""

    def __init__(self, writer: Writer, proof: Proof, clock: Clock) -> None:
        self.proof = proof
        """Replaced when keys change."""
        self._unknown = UnknownKids()
        self._alarms = Alarms(clock)
        self._writer = writer
        self._clock = clock
        self._messages: list[Message] = []
        self._posts: list[_Post] = []
        self._writes: set[asyncio.Task[None]] = set()

    def take(self, query: NotificationQuery, body: bytes, reply: Responder, answer_by: float) -> bool:
        """Write the genuine items and answer; 503 when they are not durable in time, else what `answer_to` says.

        Returns:
            Whether any item was genuine.
        """
        span, began = begin(), self._clock.monotonic()
        taken = take(body, Arrival(query, wire_time(self._clock.now()), traceparent(span)), self.proof)
        status = self._judge(query, taken.refused) if taken.refused else Status.ACCEPTED
        post = _Post(len(taken.messages), status, reply, span, began)
        if not taken.messages:
            self._durable(post)
        elif not self._writer.accepting:
            self._not_durable(post)
        else:
            self._join(post, taken.messages, answer_by)
        return bool(taken.messages)

    def _judge(self, query: NotificationQuery, refused: Sequence[RefusalReason]) -> Status:
        """Count what was refused, decide the answer, and say what an operator has to know."""
        key_status = self.proof.key_status(query)
        unknown, may_come = RefusalReason.UNKNOWN_KID in refused, self._key_may_come(query, key_status, refused)
        for reason in refused:
            (_AWAITING_KEY if may_come and reason is RefusalReason.UNKNOWN_KID else _REFUSED[reason]).inc()
        status = answer_to(refused, key_status, key_may_come=may_come)
        if unknown:
            (self._alarms.awaiting_key if may_come else self._alarms.unknown_kid)(query.kid)
        if RefusalReason.UNDECODABLE in refused:
            self._say_undecodable(query, key_status, status)
        return status

    def _say_undecodable(self, query: NotificationQuery, key_status: KeyStatus | None, status: Status) -> None:
        """Graph sends it again, or it is gone; a key id that is in no URL of ours is untrusted text."""
        if status is Status.UNAVAILABLE:
            self._alarms.undecodable(query.kid)
        elif key_status is not None and is_kid(query.kid):
            self._alarms.undecodable_dropped(key_status.value, query.kid)
        else:
            self._alarms.undecodable_dropped("not_ours")

    def _key_may_come(
        self, query: NotificationQuery, key_status: KeyStatus | None, refused: Sequence[RefusalReason]
    ) -> bool:
        """Whether an unknown key is waited for: one that an item names, or the URL of what cannot be decoded."""
        named = RefusalReason.UNKNOWN_KID in refused or (RefusalReason.UNDECODABLE in refused and is_kid(query.kid))
        return named and key_status is KeyStatus.UNKNOWN and self._unknown.waits(query.kid, self._clock.monotonic())

    def _join(self, post: _Post, messages: list[Message], answer_by: float) -> None:
        loop = asyncio.get_running_loop()
        if answer_by < loop.time() + KAFKA_SECONDS:  # the body took its time; else the writer's own deadline is earlier
            loop.call_at(answer_by, self._not_durable, post)
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
        settle = self._not_durable
        try:
            await self._writer.write(messages)
            settle = self._durable
        except Transient:
            pass  # counted below, post by post
        finally:
            for post in posts:
                settle(post)

    def _durable(self, post: _Post) -> None:
        self._answer(post, post.status, _ACCEPTED)

    def _not_durable(self, post: _Post) -> None:
        self._answer(post, Status.UNAVAILABLE, _UNAVAILABLE)

    def _answer(self, post: _Post, status: Status, outcome: Counter) -> None:
        if post.answered:
            return
        post.answered = True
        if post.items:
            outcome.inc(post.items)
            WEBHOOK_ANSWER_SECONDS.observe(self._clock.monotonic() - post.began)
        post.span.set_attribute("http.response.status_code", int(status))
        post.span.end()
        post.reply(status)
