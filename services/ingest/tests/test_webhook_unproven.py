"""Which connection goes when there are too many, against a list that says the same."""

from hypothesis import given
from hypothesis import strategies as st
from ringback_ingest.webhook.core.unproven import UnprovenConnections

STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 5), st.sampled_from("ab")), max_size=40)


@given(STEPS)
def test_the_oldest_of_a_peer_and_of_all(steps: list[tuple[str, int, str]]) -> None:
    """After any arrivals and departures the counts and the oldest are those of a list in order of arrival."""
    unproven, model = UnprovenConnections[int](), list[tuple[int, str]]()
    for step, connection, peer in steps:
        known = connection in [each for each, _ in model]
        if step == "add" and not known:
            unproven.add(connection, peer)
            model.append((connection, peer))
        elif step == "remove":
            unproven.remove(connection)
            model = [pair for pair in model if pair[0] != connection]
        for asked in "ab":
            theirs = [each for each, of in model if of == asked]
            assert unproven.count(asked) == len(theirs)
            assert unproven.oldest(asked) == next(iter(theirs), None)
        assert unproven.oldest() == next((each for each, _ in model), None)
