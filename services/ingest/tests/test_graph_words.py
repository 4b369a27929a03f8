"""A failing subscription's line has Graph's own sentence, bounded and without data."""

import json
import time
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common import logs
from ringback_common.errors import Transient
from ringback_graph.answers import AuthFailed, Forbidden
from ringback_graph.availability import Priority
from ringback_graph.client import Call, GraphClient
from ringback_graph.exchange import Reply
from ringback_graph.subscriptions import Subscriptions
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.adapters.refusal_memory import RefusalMemory
from ringback_ingest.keeper.core.graph_words import _NUMBERS, _WORDS, without_data
from ringback_ingest.keeper.core.outcomes import ChangeRefused
from ringback_ingest.keeper.core.watch import TenantWatch
from ringback_ingest.keys_file import KeysFile
from ringback_testing.subscribed import NOW, TENANT, FakeGraph, FakeTopic, keeper

CALL = Call(TENANT, "subscription_post", "POST", "https://graph.example/v1.0/subscriptions", Priority.LIVE)
CONSENT = "Operation: Create; Exception: [Status Code: Forbidden; Reason: The request is not authorized for this user.]"
REAL = [
    ("Subscription validation request failed. HTTP status code is 'NotFound'.",) * 2,
    (CONSENT, CONSENT),
    (
        "Application 8f3b6f2c-2f0e-4a87-9a76-0a5e4b4d9c11 of Abbie Wilkins is missing CallRecords.Read.All",
        "Application … of … is missing CallRecords.Read.All",
    ),
    ("Subscription validation request timed out.",) * 2,
    ("Response must exactly match validationToken query parameter.",) * 2,
    ("Subscription limit of 100 reached for 'contoso.com'.", "Subscription limit of 100 reached for …."),
]
PEOPLE = (
    "abbie.wilkins@contoso.com", "Abbie Wilkins", "+49301234567", "301 234 567", "10.1.2.3",
    "https://hooks.example/secret/path?kid=k1",
    "eyJhbGciOi.eyJzdWIi.c2ln", "dc368399-474c-4d40-900c-6265431fd81f", "Zoë Müller", "contoso.onmicrosoft.com",
)  # fmt: skip


@pytest.mark.parametrize(("said", "kept"), REAL)
def test_graph_s_own_sentence_is_kept_without_what_it_names(said: str, kept: str) -> None:
    """An operator reads which of the many refusals of one code it is."""
    assert without_data(said) == kept


@pytest.mark.parametrize("canary", PEOPLE)
def test_no_person_no_secret_and_no_address_is_in_it(canary: str) -> None:
    """Wherever Graph quotes it."""
    for said in (canary, f"The endpoint '{canary}' failed.", f"{canary}: not authorized", canary.join("the ")):
        kept = without_data(said)
        assert not [part for part in canary.replace("@", " ").split() if part in kept]


def test_a_long_sentence_is_cut_and_shows_it() -> None:
    """A line stays a line, however much Graph has to say."""
    kept = without_data("The request is not authorized. " * 40)
    assert len(kept) <= 200
    assert kept.startswith("The request is not authorized. The request")
    assert kept.endswith("…")


def test_a_word_that_is_cut_off_is_left_out() -> None:
    """Its beginning may be a word of the vocabulary."""
    assert without_data("x " * 995 + "denied notabbie.wilkins " * 9) == "… denied …"


@pytest.mark.parametrize("marks", ["'", "(", ".", '"', ")(", "'x", ". "])
def test_no_run_of_marks_takes_long(marks: str) -> None:
    """Whoever answers for Graph must not stop the keeper: ten times the marks take ten times as long at most."""

    def seconds(count: int) -> float:
        began = time.process_time()
        without_data("x" + marks * count + "x")
        return time.process_time() - began

    assert min(seconds(20_000) for _ in range(3)) < 0.1 + 20 * min(seconds(2_000) for _ in range(3))


@given(st.text(max_size=2000))
def test_it_is_bounded_and_of_the_vocabulary_alone(said: str) -> None:
    """Whatever Graph, or somebody who pretends to be it, says."""
    kept = without_data(said)
    assert len(kept) <= 200
    words = [piece.strip("([\"'.,:;)]…") for piece in kept.split()]
    cut = words[-1:] if len(kept) > 190 else []
    assert [word for word in words if word and word.lower() not in _WORDS | _NUMBERS and word not in cut] == []


@dataclass
class Client:
    """Graph's client, which answers what is planted."""

    answer: Reply | AuthFailed | Exception

    async def send(self, call: Call) -> Reply | AuthFailed:  # noqa: ARG002 - the port has it
        """Answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def reply(status: int, message: object) -> Reply:
    """An answer as Graph words it."""
    body = json.dumps({"error": {"code": "ExtensionError", "message": message}}).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)


async def test_the_sentence_of_the_last_request_is_remembered_and_forgotten() -> None:
    """A later success, or no answer at all, leaves no old sentence behind."""
    client = Client(reply(403, "Subscription limit of 100 reached."))
    refusal_memory = RefusalMemory(client)
    await refusal_memory.send(CALL)
    assert refusal_memory.said(TENANT.tenant_id) == "Subscription limit of 100 reached."
    client.answer = AuthFailed("invalid_client:7000222")
    await refusal_memory.send(CALL)
    assert refusal_memory.said(TENANT.tenant_id) == "invalid_client:7000222"
    for answer in (reply(400, {"no": "text"}), reply(200, "done"), Reply(204, {}, None)):
        client.answer = answer
        await refusal_memory.send(CALL)
        assert refusal_memory.said(TENANT.tenant_id) is None
    client.answer = Transient("Graph answered 500")
    with pytest.raises(Transient):
        await refusal_memory.send(CALL)
    assert refusal_memory.said(TENANT.tenant_id) is None


async def test_subscriptions_are_asked_for_through_it() -> None:
    """As the keeper wires them: the judgement stays what it was, and the sentence is known beside it."""
    refusal_memory = RefusalMemory(
        Client(reply(400, "Subscription validation request failed for https://hooks.example/x."))
    )
    subscriptions = GraphSubscriptions(Subscriptions(cast("GraphClient", refusal_memory)), refusal_memory.said)
    outcome = await subscriptions.renew(TENANT, "7f105c7d-2dc5-4530-97cd-4e7ae6534c07", NOW)
    assert outcome == ChangeRefused("validation")
    assert subscriptions.said(TENANT.tenant_id) == "Subscription validation request failed for …."


async def test_a_failing_subscription_gives_lines_with_it(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the refused change and of the tenant's state, at ERROR once for the latter."""
    graph.planted["create"] = Forbidden("ExtensionError")
    reconciler = keeper(graph, topic, keys)
    said = GraphSubscriptions(graph, lambda _: "The request is not authorized.")  # type: ignore[arg-type]
    for holder in (reconciler, reconciler.changes):
        object.__setattr__(holder, "graph", said)
    watch = TenantWatch()
    await reconciler.reconcile(TENANT, watch)
    assert watch.graph_says == "The request is not authorized."
    lines = [json.loads(logs.JsonFormatter("keeper").format(one)) for one in caplog.records]
    assert [(line["level"], line["graph_says"]) for line in lines] == [
        ("WARNING", "The request is not authorized."),
        ("ERROR", "The request is not authorized."),
    ]
    assert all(line["tenant_id"] == TENANT.tenant_id for line in lines)
    graph.planted.clear()
    await reconciler.reconcile(TENANT, watch)
    assert watch.graph_says is None
