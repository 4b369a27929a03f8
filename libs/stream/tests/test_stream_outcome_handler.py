"""How the outcomes of a batch are carried out, and where that stops."""

from typing import Any

import pytest
from ringback_common.errors import DeadLetterLimit
from ringback_common.outcomes import Emit, Message, Outcome, Reason, Received, Reject
from ringback_events.topics import RECORDS
from ringback_stream.consume.offsets import Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler, StepResult
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.reject_limit import RejectLimit

PARTITION = Partition(RECORDS.name, 0)
REFUSED = Reject(Reason.STORE_REFUSED, "NotNullViolation")


class Written:
    """Keeps the messages that it is given to send."""

    def __init__(self) -> None:
        self.letters: list[Message] = []

    async def send(self, message: Message) -> None:
        """Taken at once."""
        self.letters.append(message)


def _answer(offset: int, outcome: Outcome) -> StepResult:
    record = Received(RECORDS.name, 0, offset, 0, b"t|c", b"")
    return StepResult(Ticket(PARTITION, offset, 1), record, outcome)


def _outcome_handler(finished: list[int]) -> tuple[OutcomeHandler, Written]:
    written: Any = Written()
    return OutcomeHandler(written, "store", "g", lambda ticket: finished.append(ticket.offset) is None), written


async def test_a_batch_that_is_refused_as_a_whole_is_not_drained_into_the_dead_letters() -> None:
    """A bad release of the store refuses 500 records at once: twenty letters are written, 480 records stay."""
    finished = list[int]()
    outcome_handler, written = _outcome_handler(finished)
    with pytest.raises(DeadLetterLimit):
        await outcome_handler.apply_each([_answer(offset, REFUSED) for offset in range(500)])
    assert len(written.letters) == RejectLimit.IN_A_ROW
    assert finished == list(range(RejectLimit.IN_A_ROW))


async def test_what_is_refused_here_and_there_in_a_batch_is_not_refused_in_a_row() -> None:
    """Twenty of 500, each among healthy ones: 4 % is below the limit, and every record is finished."""
    finished = list[int]()
    outcome_handler, written = _outcome_handler(finished)
    await outcome_handler.apply_each([_answer(offset, Emit() if offset % 25 else REFUSED) for offset in range(500)])
    assert len(written.letters) == 20
    assert sorted(finished) == list(range(500))
