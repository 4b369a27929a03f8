"""Tokens: flights, refreshes and failures."""

import asyncio
import threading

import pytest
from ringback_common.errors import Throttled, Transient, UntrustedCertificate
from ringback_common.scopes import Scope
from ringback_graph.answers import AuthFailed
from ringback_graph.auth import Granted, TokenCache
from ringback_graph.tenants import Tenant
from ringback_testing.scripted_graph import ScriptedGraph


async def landed(tokens: TokenCache, tenant: Tenant) -> None:
    """Wait until no token request of the tenant is in flight."""
    flight = tokens._entries[tenant.tenant_id].flight
    if flight is not None:
        await asyncio.gather(flight, return_exceptions=True)


async def test_many_who_ask_at_once_cause_one_request(graph: ScriptedGraph, tenant: Tenant) -> None:
    """One flight per tenant, and the token is kept."""
    tokens = TokenCache(graph.tokens, graph.clock)
    assert set(await asyncio.gather(*(tokens.get(tenant) for _ in range(50)))) == {"token-1"}
    assert await tokens.get(tenant) == "token-1"
    assert graph.tokens.given == 1


async def test_a_token_is_refreshed_five_minutes_ahead_while_the_old_one_serves(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """No request waits for a refresh; the next one gets the new token."""
    tokens = TokenCache(graph.tokens, graph.clock)
    await tokens.get(tenant)
    graph.clock.seconds += 3600 - 301
    assert await tokens.get(tenant) == "token-1"
    assert graph.tokens.given == 1
    graph.clock.seconds += 2
    assert await tokens.get(tenant) == "token-1"
    await landed(tokens, tenant)
    assert await tokens.get(tenant) == "token-2"


async def test_a_token_is_not_used_in_its_last_seconds(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Where no refresh succeeded it serves until 30 s before its end: a request that begins later may come too late."""
    tokens = TokenCache(graph.tokens, graph.clock)
    await tokens.get(tenant)
    graph.tokens.refusal = AuthFailed("invalid_client")
    graph.clock.seconds += 3600 - 31
    assert await tokens.get(tenant) == "token-1"
    await landed(tokens, tenant)
    graph.clock.seconds += 1
    assert await tokens.get(tenant) == AuthFailed("invalid_client")


async def test_a_token_with_little_life_left_serves_and_is_asked_for_no_more_than_twice(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """A cached token of 20 s serves 18 of them; half-way a refresh is tried once, not at every request."""
    graph.tokens.seconds = 20.0
    tokens = TokenCache(graph.tokens, graph.clock)
    served: list[object] = []
    for _ in range(18):
        served.append(await tokens.get(tenant))
        await landed(tokens, tenant)
        graph.clock.seconds += 1
    assert served == ["token-1"] * 11 + ["token-2"] * 7


async def test_a_failed_refresh_leaves_the_old_token_until_its_end(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Attempts are paced; when the token has ended the request fails."""
    tokens = TokenCache(graph.tokens, graph.clock)
    await tokens.get(tenant)
    graph.clock.seconds += 3400
    graph.tokens.refusal = AuthFailed("invalid_client:7000222")
    assert await tokens.get(tenant) == "token-1"
    await landed(tokens, tenant)
    assert await tokens.get(tenant) == "token-1"
    graph.clock.seconds += 300
    assert await tokens.get(tenant) == AuthFailed("invalid_client:7000222")


async def test_failures_are_paced_and_a_corrected_secret_works(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The authority is asked again after 5 s, then 10 s; in between the last answer is repeated."""
    asked: list[float] = []

    class Refusing:
        def acquire(self, tenant: Tenant) -> Granted | AuthFailed:  # noqa: ARG002 - the port's signature
            asked.append(graph.clock.seconds)
            return AuthFailed("invalid_client") if len(asked) < 3 else Granted("good", 3600)

    tokens = TokenCache(Refusing(), graph.clock)
    start, answers = graph.clock.seconds, list[object]()
    for _ in range(40):
        answers.append(await tokens.get(tenant))
        graph.clock.seconds += 0.5
    assert [at - start for at in asked] == [0.0, 5.0, 15.0]
    assert answers[-1] == "good"


async def test_an_unreachable_authority_is_transient_and_paced(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Connection errors raise, and are not repeated at once."""
    graph.tokens.refusal = Transient("away")
    tokens = TokenCache(graph.tokens, graph.clock)
    for _ in range(3):
        with pytest.raises(Transient):
            await tokens.get(tenant)
    graph.tokens.refusal = None
    with pytest.raises(Transient):
        await tokens.get(tenant)
    graph.clock.seconds += 6
    assert await tokens.get(tenant) == "token-1"


async def test_an_authority_that_cannot_be_trusted_is_named_until_it_is_asked_again(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """Who asks in the pause after a certificate that did not verify reads of that, not of a passing fault."""
    tokens = TokenCache(graph.tokens, graph.clock)
    graph.tokens.refusal = UntrustedCertificate("the certificate of the authority does not verify")
    for _ in range(2):
        with pytest.raises(UntrustedCertificate, match="of the authority"):
            await tokens.get(tenant)
    graph.tokens.refusal = None
    graph.clock.seconds += 60
    assert await tokens.get(tenant) == "token-1"


async def test_the_authority_s_retry_after_is_waited_out(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Nothing is asked before it is over, and who asks meanwhile hears how long it still is; one of 1 s is no hurry."""
    asked: list[float] = []

    class Busy:
        def acquire(self, tenant: Tenant) -> Granted:  # noqa: ARG002 - the port's signature
            asked.append(graph.clock.seconds - start)
            if len(asked) < 3:
                raise Throttled(Scope.tenant("t"), (40.0, 1.0)[len(asked) - 1])
            return Granted("good", 3600)

    tokens, start = TokenCache(Busy(), graph.clock), graph.clock.seconds
    left, scopes = dict[float, float](), set[Scope]()
    while len(asked) < 3:
        try:
            await tokens.get(tenant)
        except Throttled as throttled:
            left[graph.clock.seconds - start] = throttled.retry_after
            scopes.add(throttled.scope)
        graph.clock.seconds += 1
    assert asked == [0.0, 40.0, 50.0]
    assert scopes == {Scope.tenant("t")}
    assert (left[0.0], left[1.0], left[39.0], left[41.0]) == (40.0, 39.0, 1.0, 9.0)


async def test_a_token_serves_while_the_authority_asks_to_wait(graph: ScriptedGraph, tenant: Tenant) -> None:
    """A refresh ahead of time that is throttled delays no request."""
    tokens = TokenCache(graph.tokens, graph.clock)
    await tokens.get(tenant)
    graph.clock.seconds += 3400
    graph.tokens.refusal = Throttled(Scope.tenant("t"), 100.0)
    for _ in range(2):
        assert await tokens.get(tenant) == "token-1"
        await landed(tokens, tenant)
    graph.tokens.refusal = None
    graph.clock.seconds += 99
    assert await tokens.get(tenant) == "token-1"
    await landed(tokens, tenant)
    assert graph.tokens.given == 1


async def test_a_rejected_token_is_replaced_once_for_all(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Fifty requests answered 401 with one token cause one new token; a second rejection at once causes none."""
    tokens = TokenCache(graph.tokens, graph.clock)
    old = await tokens.get(tenant)
    assert isinstance(old, str)
    assert set(await asyncio.gather(*(tokens.replace(tenant, old) for _ in range(50)))) == {"token-2"}
    assert await tokens.replace(tenant, old) == "token-2"
    assert await tokens.replace(tenant, "token-2") == AuthFailed("token_rejected")
    assert graph.tokens.given == 2
    graph.clock.seconds += 61
    assert await tokens.replace(tenant, "token-2") == "token-3"


async def test_a_waiter_that_is_cancelled_leaves_the_flight_to_the_others(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Cancelling one waiter does not cost the others their token."""
    gate = threading.Event()

    class Slow:
        def acquire(self, tenant: Tenant) -> Granted:  # noqa: ARG002 - the port's signature
            gate.wait(10)
            return Granted("late", 3600)

    tokens = TokenCache(Slow(), graph.clock)
    first, second = (asyncio.create_task(tokens.get(tenant)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == "late"
    assert first.cancelled()


async def test_a_changed_tenant_gets_a_token_of_its_own(graph: ScriptedGraph, tenant: Tenant) -> None:
    """A new client id or credential in the tenants file does not go on with the old token."""
    tokens = TokenCache(graph.tokens, graph.clock)
    assert await tokens.get(tenant) == "token-1"
    assert await tokens.get(tenant.model_copy()) == "token-1"
    assert await tokens.get(tenant.model_copy(update={"client_id": "other"})) == "token-2"


def test_a_token_never_shows() -> None:
    """No repr holds a token."""
    assert "secret-token" not in repr(Granted("secret-token", 1.0))
