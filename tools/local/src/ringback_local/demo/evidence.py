"""Did the day really bring what it was meant to bring? A run without evidence proves nothing. Pure."""

from collections.abc import Mapping, Sequence

from ringback_local.demo.judge import Expected, Key, Stored
from ringback_local.demo.kills import Kill

__all__ = ["LARGE_MEETING", "MANY_PARTICIPANTS", "missing"]

LARGE_MEETING = 1000
MANY_PARTICIPANTS = 400
KILLED = ("webhook", "enricher", "store")


def missing(
    expected: Mapping[Key, Expected],
    stored: Mapping[Key, Stored],
    statuses: Mapping[int, int],
    kills: Sequence[Kill],
) -> list[str]:
    """What the run lacks, each as a sentence; empty if everything really occurred.

    Args:
        expected: the simulator's ledger, by call.
        stored: the store's calls.
        statuses: answers of the simulator to record requests, by status.
        kills: the kills, with what the killed process held.
    """
    whole = [row.children for row in stored.values()]
    proven = {kill.service for kill in kills if kill.unfinished > 0}
    facts = {
        "No meeting of 1,000 sessions was stored.": any(one.sessions >= LARGE_MEETING for one in whole),
        "No call with 400 participants was stored.": any(one.participants >= MANY_PARTICIPANTS for one in whole),
        "No late version was accepted.": any(len(call.accepted) > 1 for call in expected.values()),
        "Graph never answered 404 first.": statuses.get(404, 0) > 0,
        "Graph never answered 429.": statuses.get(429, 0) > 0,
        **{f"No kill of {name} while it held unfinished work.": name in proven for name in KILLED},
    }
    return [sentence for sentence, occurred in facts.items() if not occurred]
