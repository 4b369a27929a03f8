"""The audit trail of what operators do: who, what, to which ids, why, and how it went; never content."""

import os
import pwd
import secrets
from collections.abc import Sequence
from itertools import count

from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError
from ringback_common.outcomes import Message
from ringback_common.settings import KafkaSettings
from ringback_events.audit import audit_record
from ringback_events.dead_letters import DONE
from ringback_events.platform_events import AuditEntry
from ringback_stream.publish.producer import Producer

__all__ = ["NOT_STATED", "AuditTrail", "new_run", "operator", "reason_of"]

NOT_STATED = "not stated"
_BEGUN = "begun"
_LONGEST_WHY = 200


def operator(kafka: KafkaSettings) -> str:
    """Who acts: whom Kafka authenticated, else the account this command runs under."""
    return f"operator:{kafka.sasl_username or _account()}"


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account number without a name, as in many containers
        return str(os.getuid())


def new_run() -> str:
    """The id of a run: in the audit entries' ids and in the header of what it wrote."""
    return secrets.token_hex(8)


def reason_of(why: str | None) -> str:
    """What `--why` says, fit for the trail.

    Raises:
        ConfigError: it says nothing, or more than a reason.
    """
    if not why or not why.strip():
        raise ConfigError("Say why with --why, e.g. --why OPS-1234; it is kept in the audit trail.")
    if len(why) > _LONGEST_WHY or not why.isprintable():
        raise ConfigError(f"--why takes one line of at most {_LONGEST_WHY} characters: a ticket, no names.")
    return why.strip()


class AuditTrail:
    """The entries of one run: that it began, then what was done, so that no deed lacks its entry.

    Args:
        producer: writes them; started.
        actor: as `operator` says.
        action: what is done, e.g. `dead_letter.release`.
        why: the operator's reason.
        run: id of the run.
        tenant_id: the tenant it is done to, if it is one.
    """

    def __init__(
        self, producer: Producer, actor: str, action: str, why: str, run: str, tenant_id: str | None = None
    ) -> None:
        self._producer = producer
        self._actor = actor
        self._action = action
        self._why = why
        self._run = run
        self._tenant_id = tenant_id
        self._clock = SystemClock()
        self._numbers = count()

    async def begin(self) -> None:
        """Say that the run begins; raises as `done`."""
        await self._write((), _BEGUN)

    async def done(self, targets: Sequence[str]) -> None:
        """Say what was done to these.

        Raises:
            Transient: Kafka did not take the entry.
            ConfigError: it may not be written.
        """
        await self._write(targets, DONE)

    async def _write(self, targets: Sequence[str], outcome: str) -> None:
        now = self._clock.now()
        entry = AuditEntry(
            actor=self._actor,
            action=self._action,
            tenant_id=self._tenant_id,
            targets=list(targets),
            reason=self._why,
            at=now,
            outcome=outcome,
        )
        # A run that is taken up again counts anew: its second begin must not have the id of its first.
        entry_id = f"{self._run}:{int(now.timestamp() * 1000)}:{next(self._numbers)}"
        await self._producer.send(Message(*audit_record(entry, entry_id)))
