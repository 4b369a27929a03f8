"""From outcomes to finished records: produce, dead-letter or count, and only then finish.

Kafka away is waited for here, with the outcome in hand: the step is not run again for a write that failed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from ringback_common import logs
from ringback_common.errors import DeadLetterLimit
from ringback_common.outcomes import Drop, Emit, Message, Outcome, Reason, Received, Reject
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_events.header_names import TRACEPARENT

from ringback_stream import telemetry
from ringback_stream.consume.dead_letters import dead_letter
from ringback_stream.consume.failures import Action, action_for
from ringback_stream.consume.offsets import Ticket
from ringback_stream.consume.reject_limit import RejectLimit
from ringback_stream.consume.rejection_log import RejectionLog
from ringback_stream.publish.producer import WRITE_AGAIN, MessageTooLarge, Producer

__all__ = ["OutcomeHandler", "StepResult"]

_log = logs.logger(__name__)


class StepResult(NamedTuple):
    """One record and what the step said about it."""

    ticket: Ticket
    received: Received
    outcome: Outcome


class OutcomeHandler:
    """Carries out outcomes.

    Args:
        producer: writes messages and dead letters.
        service: name of the process in dead letters.
        group: label of the metrics.
        finish: marks a ticket as finished; False if its assignment is over.
    """

    def __init__(self, producer: Producer, service: str, group: str, finish: Callable[[Ticket], bool]) -> None:
        self._producer = producer
        self._service = service
        self._group = group
        self._finish = finish
        self._limit = RejectLimit()
        self._refusals = RejectionLog(service)

    async def apply(self, answers: Sequence[StepResult], attempts: int = 1) -> Sequence[Outcome]:
        """Carry out the outcomes of one keyed step, in order; returns what was really done.

        The records shared one step: what the broker refuses as too large is refused for all of them.

        Raises:
            DeadLetterLimit: too many rejects; everything given is finished.
        """
        done: list[Outcome] = []
        too_large = False
        for answer in answers:
            performing = _refused(answer) if too_large else answer
            try:
                if not self._finish_at_once(performing):
                    await self._perform(performing, attempts)
            except MessageTooLarge:
                too_large, performing = True, _refused(answer)
                await self._perform(performing, attempts)
            done.append(performing.outcome)
        self._check_limit()
        return done

    async def apply_each(self, answers: Sequence[StepResult], attempts: int = 1) -> None:
        """Carry out the outcomes of a mixed batch, some side by side; each record is judged alone.

        In portions of what may be refused in a row: where a whole batch is refused, the rest of it stays where it is.

        Raises:
            DeadLetterLimit: too many rejects; the records up to some point are finished, the others are not.
        """
        for first in range(0, len(answers), RejectLimit.IN_A_ROW):
            portion = answers[first : first + RejectLimit.IN_A_ROW]
            writing = [answer for answer in portion if not self._finish_at_once(answer)]
            await asyncio.gather(*(self._perform_alone(answer, attempts) for answer in writing))
            self._check_limit()

    async def apply_together(self, answers: Sequence[StepResult]) -> None:
        """Carry out many small outcomes in few batches; each record is finished as its message is acked.

        What has more to write than one message, and what its batch could not carry, is carried out alone.

        Raises:
            DeadLetterLimit: too many rejects; everything given is finished.
        """
        writing = [answer for answer in answers if not self._finish_at_once(answer)]
        small: list[StepResult] = []
        alone: list[StepResult] = []
        messages: list[Message] = []
        for answer in writing:
            message = _only_message(answer)
            if message is None:
                alone.append(answer)
            else:
                small.append(answer)
                messages.append(message)

        def acked(index: int) -> None:
            self._finished(small[index], small[index].outcome)

        alone += [small[index] for index in await self._producer.send_together(messages, acked)]
        await asyncio.gather(*(self._perform_alone(answer, attempts=1) for answer in alone))
        self._check_limit()

    async def publish(self, received: Received, stages: Sequence[Sequence[Message]]) -> bool:
        """Write what was made of a record that is answered for already; False if the broker refuses it for its size."""
        try:
            await self._until_written(received, lambda: self._producer.stages(stages))
        except MessageTooLarge:
            return False
        return True

    def _finish_at_once(self, answer: StepResult) -> bool:
        outcome = answer.outcome
        if isinstance(outcome, Reject) or (isinstance(outcome, Emit) and outcome.stages):
            return False
        self._finished(answer, outcome)
        return True

    async def _perform_alone(self, answer: StepResult, attempts: int) -> None:
        try:
            await self._perform(answer, attempts)
        except MessageTooLarge:
            await self._perform(_refused(answer), attempts)

    async def _perform(self, answer: StepResult, attempts: int) -> None:
        await self._until_written(answer.received, lambda: self._write(answer, attempts))
        self._finished(answer, answer.outcome)

    async def _until_written(self, received: Received, write: Callable[[], Awaitable[None]]) -> None:
        def report(failed: FailedAttempt) -> None:
            _log.warning("Kafka does not take what a step made; waiting.", topic=received.topic, delay_s=failed.wait)

        await until_it_works(write, WRITE_AGAIN, report)

    async def _write(self, answer: StepResult, attempts: int) -> None:
        outcome = answer.outcome
        match action_for(outcome):
            case Action.PUBLISH if isinstance(outcome, Emit):
                await self._producer.stages(outcome.stages)
            case Action.DEAD_LETTER if isinstance(outcome, Reject):
                await self._producer.send(dead_letter(answer.received, outcome, self._service, attempts))
            case _:
                pass

    def _finished(self, answer: StepResult, outcome: Outcome) -> None:
        if not self._finish(answer.ticket):
            return
        word, reason = _accounted(outcome)
        telemetry.child(telemetry.FINISHED, self._group, answer.received.topic, word, reason or "").inc()
        self._limit.note(outcome.reason if isinstance(outcome, Reject) else None)
        if isinstance(outcome, Reject):
            self._refusals.say(answer.received, outcome)

    def _check_limit(self) -> None:
        if self._limit.exceeded:
            raise DeadLetterLimit("Too many records are refused.")


def _only_message(answer: StepResult) -> Message | None:
    """What a record's outcome writes if it is one message; it keeps the record's trace, for no step begins a span."""
    match answer.outcome:
        case Emit(stages=((message,),)):
            trace = tuple((name, value) for name, value in answer.received.headers if name == TRACEPARENT and value)
            return Message(message.topic, message.key, message.value, message.headers + trace) if trace else message
        case _:
            return None


def _refused(answer: StepResult) -> StepResult:
    """The same record, its publication refused by the broker; what publishes nothing stays as it is."""
    if not isinstance(answer.outcome, Emit):
        return answer
    return answer._replace(outcome=Reject(Reason.TOO_LARGE, "MessageTooLarge"))


def _accounted(outcome: Outcome) -> tuple[str, str | None]:
    match outcome:
        case Emit(accounting=accounting, reason=reason):
            return accounting.value, reason
        case Drop(reason=reason):
            return "dropped", reason
        case Reject(reason=reason):
            return "dead_lettered", reason
