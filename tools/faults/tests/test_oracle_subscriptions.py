"""What is told of tenants' subscriptions and of odd bodies, and that rows R54 and R55 fail without it."""

from dataclasses import replace
from pathlib import Path

import pytest
from ringback_faults.ledgers import Act, Item, Ledgers, Post, SentOdd, Subscribed
from ringback_faults.oracle import check
from ringback_faults.oracle.oddities import oddities_of
from ringback_faults.oracle.subscriptions import subscriptions_of
from ringback_faults.row import Row, read_rows

from .conftest import KEY, TENANT, Story

ROWS = [row for row in read_rows(Path(__file__).parents[3] / "tests/fault/rows") if row.row in {"R54", "R55"}]
ROTATED = Act(101.0, 103.0, "rotate key", "keeper", {"kid": "new"})
WITHDRAWN = Act(101.0, 103.0, "withdraw key", "keeper", {"kid": "new"})
MISTYPED = Act(101.0, 104.0, "mistype address", "keeper")


def became(at: float, event: str, name: str, *, tenant: str = TENANT, whole: bool = True, kid: str = "") -> Subscribed:
    """A line of the simulator's."""
    return Subscribed(at, event, tenant, name, whole, kid)


def reported(story: Story, *lines: Subscribed, acts: tuple[Act, ...] = (), posts: tuple[Post, ...] = ()) -> Ledgers:
    """Ledgers with these."""
    return replace(story.ledgers(), subscribed=lines, acts=acts, posts=posts)


def post(at: float, subscription: str, status: int = 202) -> Post:
    """A POST with one item."""
    return Post(at, at + 0.1, 1, status, (Item("i", KEY, 1),), subscription=subscription)


def test_subscriptions_are_counted_by_what_became_of_them(story: Story) -> None:
    """A proof is none to all call records; who could not be validated made none."""
    lines = (
        became(101.0, "created", "p", whole=False),
        became(101.1, "deleted", "p", whole=False),
        became(101.2, "deleted", "a"),
        became(101.3, "created", "b"),
        replace(became(102.0, "refused", ""), tenant_id=""),
    )
    figures = subscriptions_of(reported(story, *lines))
    assert [figures[name] for name in ("subscriptions_made", "subscriptions_deleted", "proofs_made")] == [1, 1, 1]
    assert figures["validations_refused"] == 1


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ((became(101.0, "deleted", "a"), became(101.5, "created", "b")), 0.5),
        ((became(101.0, "deleted", "a"), became(104.0, "created", "b", tenant="other")), 9.0),
        ((became(101.0, "expired", "a"), became(103.0, "created", "p", whole=False)), 9.0),
        ((became(100.0, "created", "b"), became(101.0, "removed", "a")), 0.0),
        ((became(100.0, "renewed", "b"), became(101.0, "deleted", "a"), became(102.0, "renewed", "b")), 0.0),
        ((), 0.0),
    ],
    ids=["replaced", "another tenant's", "a proof", "one beside it", "one renewed", "nothing"],
)
def test_a_tenant_is_unsubscribed_until_its_next_subscription(
    story: Story, lines: tuple[Subscribed, ...], seconds: float
) -> None:
    """To all call records; to the end of all work, 110, if none comes."""
    assert subscriptions_of(reported(story, *lines))["unsubscribed_seconds"] == pytest.approx(seconds)


def test_a_key_that_signs_before_it_may_is_seen(story: Story) -> None:
    """Already a proof; a subscription with another key, and one made in time, are not early."""
    lines = (
        became(102.0, "created", "p", whole=False, kid="new"),
        became(102.0, "created", "a", kid="old"),
        became(103.1, "created", "b", kid="new"),
    )
    figures = subscriptions_of(reported(story, *lines, acts=(ROTATED,)))
    assert (figures["signed_early"], figures["signed_new"]) == (1, 1)
    assert subscriptions_of(reported(story, *lines, acts=(WITHDRAWN,)))["signed_early"] == 0


def test_a_post_awaits_a_key_only_if_its_subscription_has_the_new_one(story: Story) -> None:
    """What another one's POSTs are answered is no evidence, nor is the 503 of a body that cannot be decoded."""
    made = became(103.1, "created", "b", kid="new")
    cut = replace(post(104.5, "b", 503), odd="cut")
    posts = (post(104.0, "b", 503), post(104.0, "a", 503), cut, post(105.0, "b"))
    assert subscriptions_of(reported(story, made, acts=(ROTATED,), posts=posts))["awaited_key"] == 1


@pytest.mark.parametrize(
    ("posts", "seconds"),
    [
        ((post(104.0, "b", 503), post(105.0, "b"), post(107.0, "b")), 4.1),
        ((post(105.0, "a"),), 9.0),
        ((), 9.0),
    ],
    ids=["heard", "of the old one only", "silence"],
)
def test_a_tenant_is_unheard_until_its_new_subscription_is_heard(
    story: Story, posts: tuple[Post, ...], seconds: float
) -> None:
    """From the withdrawal on; of a rotation nobody is unheard, for the old key goes on."""
    made = became(103.0, "created", "b", kid="new")
    withdrawn = reported(story, made, acts=(WITHDRAWN,), posts=posts)
    assert subscriptions_of(withdrawn)["unheard_seconds"] == pytest.approx(seconds)
    assert subscriptions_of(replace(withdrawn, acts=(ROTATED,)))["unheard_seconds"] == 0


def test_calls_go_on_while_an_address_is_mistyped(story: Story) -> None:
    """Items accepted meanwhile; neither what was refused nor what came later."""
    posts = (post(102.0, "a"), post(103.0, "a", 503), post(105.0, "a"))
    assert subscriptions_of(reported(story, acts=(MISTYPED,), posts=posts))["accepted_mistyped"] == 1


def _odd(story: Story, *sent: SentOdd, **statuses: int | None) -> dict[str, float]:
    """Figures of these POSTs with nothing genuine, and of a POST of each kind with what it was answered."""
    posts = tuple(replace(post(102.0, "a"), odd=kind, status=status) for kind, status in statuses.items())
    late = (Act(104.0, 106.0, "read late", "webhook"),)
    return oddities_of(replace(story.ledgers(), posts=posts, odd=sent, acts=late))


def test_odd_posts_are_counted_by_kind(story: Story) -> None:
    """And those that hold nothing genuine by whether they were answered."""
    figures = _odd(story, SentOdd(102.0, 202), SentOdd(103.0, None), cut=503, utf16=202, alone=202)
    assert [figures[f"odd_{name}"] for name in ("posts", "cut", "utf16", "alone")] == [3, 1, 1, 1]
    assert (figures["odd_answered"], figures["odd_unanswered"]) == (1, 1)


@pytest.mark.parametrize(
    ("at", "status", "refused"), [(103.9, 503, 1), (105.0, 503, 0), (106.1, 503, 1), (103, 202, 0)]
)
def test_nothing_genuine_is_refused_only_while_a_key_may_come(
    story: Story, at: float, status: int, refused: int
) -> None:
    """Graph would send for four hours what is of no use."""
    assert _odd(story, SentOdd(at, status))["odd_refused"] == refused


@pytest.mark.parametrize(("status", "figures"), [(503, (2, 0)), (202, (2, 2)), (None, (0, 0))])
def test_what_cannot_be_read_to_its_end_is_not_let_through(
    story: Story, status: int | None, figures: tuple[int, int]
) -> None:
    """Of these two kinds alone; what only another parser reads is taken."""
    seen = _odd(story, cut=status, noJsonBeside=status, utf16=202, byteOrderMark=202)
    assert (seen["odd_spoiled_answered"], seen["odd_let_through"]) == figures


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.row)
def test_a_row_without_its_fault_fails_for_its_evidence(story: Story, row: Row) -> None:
    """Each figure that it demands is missing of a run in which nothing happened."""
    verdict = check(replace(story.ledgers(), searched=1), row.expect, row.judged)
    assert len(verdict.missing) == len(row.expect.evidence)
    assert not verdict.clean


def test_both_rows_are_there() -> None:
    """Otherwise the test above looked at nothing."""
    assert [row.row for row in ROWS] == ["R54", "R55"]
