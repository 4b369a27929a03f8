"""The governor's one answer: whether a tenant may be asked, else not before when and why."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from ringback_common.errors import Throttled
from ringback_common.scopes import Scope
from ringback_graph.availability import (
    GO,
    Governor,
    NotBefore,
    PauseReason,
    Priority,
    QuotaRequest,
    RateLimiter,
    Role,
    Signal,
)
from ringback_graph.availability.state import FORBIDDEN_IN_A_ROW, PROBE_SECONDS, SILENT_CALLS

HERE, THERE = ("topic", 0, 1), ("topic", 0, 2)


@dataclass
class Registry:
    """What other processes received, and what this one publishes."""

    left: float = 0.0
    published: list[float] = field(default_factory=list[float])

    def publish(self, tenant_id: str, seconds: float) -> None:  # noqa: ARG002 - the port's signature
        """Note it."""
        self.published.append(seconds)

    def remaining(self, tenant_id: str) -> float:
        """Of the one tenant that was throttled elsewhere."""
        return self.left if tenant_id == "t" else 0.0


@dataclass
class Rig:
    """A governor, the registry of throttles it reads, and its clock."""

    governor: Governor
    registry: Registry
    operator: set[str]
    clock: Any


@pytest.fixture
def rig(graph: Any) -> Rig:
    """A governor that knows nothing yet."""
    registry, operator = Registry(), set[str]()
    limiter = RateLimiter(Role.FETCHER, 1.0, graph.clock)
    governor = Governor(limiter, registry, is_paused_by_operator=operator.__contains__)
    return Rig(governor, registry, operator, graph.clock)


def ticket(tenant: str = "t") -> QuotaRequest:
    """A wish to send one request."""
    return QuotaRequest(tenant, 1500, Priority.LIVE)


def forbid(governor: Governor, calls: int = FORBIDDEN_IN_A_ROW) -> None:
    """Graph answers so many calls with 403."""
    for call in range(calls):
        governor.observe("t", Signal.FORBIDDEN, str(call))


def test_a_tenant_that_nothing_is_known_of_may_be_asked(rig: Rig) -> None:
    """At each of the moments at which it is asked about."""
    assert rig.governor.ask("t") == GO
    assert rig.governor.admit("t", HERE) == GO
    assert rig.governor.begin("t", [HERE]) == GO


def test_an_operators_pause_has_no_end_and_no_probe(rig: Rig) -> None:
    """It outweighs what Graph says, and a probe that is reserved already."""
    forbid(rig.governor)
    rig.clock.seconds += PROBE_SECONDS
    assert rig.governor.admit("t", HERE) == GO
    rig.operator.add("t")
    never = NotBefore(math.inf, PauseReason.BY_OPERATOR)
    assert rig.governor.ask("t") == rig.governor.admit("t", HERE) == rig.governor.begin("t", [HERE]) == never
    rig.operator.clear()
    assert rig.governor.begin("t", [HERE]) == GO


def test_a_paused_tenant_is_asked_for_one_record_a_minute(rig: Rig) -> None:
    """The probe is reserved for the record that was admitted, however often that is asked about, and used up once."""
    forbid(rig.governor)
    assert rig.governor.ask("t") == NotBefore(PROBE_SECONDS, PauseReason.FORBIDDEN)
    rig.clock.seconds += PROBE_SECONDS - 1
    assert rig.governor.admit("t", HERE) == NotBefore(1.0, PauseReason.FORBIDDEN)
    rig.clock.seconds += 1
    assert rig.governor.ask("t") == NotBefore(0.0, PauseReason.FORBIDDEN)
    assert [rig.governor.admit("t", HERE) for _ in range(3)] == [GO] * 3
    assert rig.governor.admit("t", THERE) == NotBefore(PROBE_SECONDS, PauseReason.FORBIDDEN)
    assert rig.governor.begin("t", [THERE]) == NotBefore(PROBE_SECONDS, PauseReason.FORBIDDEN)
    assert rig.governor.begin("t", [THERE, HERE]) == GO
    assert rig.governor.begin("t", [HERE]) == NotBefore(PROBE_SECONDS, PauseReason.FORBIDDEN)
    rig.governor.observe("t", Signal.ANSWERED, "probe")
    assert rig.governor.ask("t") == GO


@pytest.mark.parametrize("seconds", [5.0, 30.0, 31.0])
async def test_a_retry_after_holds_the_tenant_exactly_so_long(rig: Rig, seconds: float) -> None:
    """It is published; a short one is waited out in place, a long one pauses the tenant and allows no probe."""
    throttled = rig.governor.throttled(ticket(), seconds)
    assert (throttled.scope, throttled.retry_after) == (Scope.tenant("t"), seconds)
    assert rig.registry.published == [seconds]
    assert rig.governor.pause_for("t", throttled) == (seconds > 30)
    assert rig.governor.ask("t") == NotBefore(seconds, PauseReason.THROTTLED)
    assert (rig.governor.admit("t", HERE) == GO) == (seconds <= 30)
    assert rig.governor.ask("another") == GO
    rig.clock.seconds += seconds + 0.1
    assert rig.governor.begin("t", [HERE]) == GO


def test_a_record_that_alone_is_throttled_pauses_no_tenant(rig: Rig) -> None:
    """Nor does another tenant's Retry-After."""
    for scope in (Scope.record("t", "call"), Scope.tenant("another")):
        assert not rig.governor.pause_for("t", Throttled(scope, 300.0))
    assert rig.governor.ask("t") == GO


async def test_what_another_process_received_holds_here(rig: Rig) -> None:
    """The first request that finds it fails, as after a 429 of its own; nothing is published again."""
    rig.governor.limiter.hold_tenant(ticket(), 0.0)
    rig.clock.seconds += 1  # a bucket is empty at first
    rig.registry.left = 12.0
    assert rig.governor.ask("t") == NotBefore(12.0, PauseReason.THROTTLED)
    with pytest.raises(Throttled) as held:
        await rig.governor.acquire(ticket())
    assert (held.value.scope, held.value.retry_after) == (Scope.tenant("t"), 12.0)
    assert rig.registry.published == []
    rig.registry.left = 0.0
    assert rig.governor.ask("t") == NotBefore(12.0, PauseReason.THROTTLED)
    rig.clock.seconds += 12.1
    await rig.governor.acquire(ticket())


def test_five_unanswered_calls_ask_for_the_peer_probe_and_its_answer_decides(rig: Rig) -> None:
    """Unresponsive it is paused; while it is, a call that goes unanswered was the probe."""
    said = [rig.governor.unanswered("t", str(call)) for call in range(SILENT_CALLS)]
    assert said == [False] * (SILENT_CALLS - 1) + [True]
    rig.governor.unresponsive("t", "1")
    assert rig.governor.ask("t") == NotBefore(PROBE_SECONDS, PauseReason.SILENT)
    rig.clock.seconds += PROBE_SECONDS
    assert rig.governor.begin("t") == GO
    assert not rig.governor.unanswered("t", "probe")
    assert rig.governor.ask("t") == NotBefore(PROBE_SECONDS, PauseReason.SILENT)
    rig.governor.reached("t")
    assert rig.governor.ask("t") == GO
