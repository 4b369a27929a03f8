"""What was published lately: so that a live request does not publish a version again."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from ringback_common.outcomes import Emit, Outcome, Reason
from ringback_events.headers import read_headers
from ringback_events.topics import CALLS

from ringback_enricher.core.requests.pending_fetch import PendingFetch

__all__ = ["RecentPublications"]

_Version = tuple[int, int]


@dataclass(slots=True)
class _Entry:
    version: _Version
    check_due: float = float("-inf")
    """Until then another notification has Graph asked once more for this call."""
    proposed: float = float("-inf")
    """What `check_due` becomes once the deferral is acknowledged."""
    check_again: bool = False
    """Whether a notification came while that check was due: the check may be too early for it."""


class RecentPublications:
    """The newest (version, revision) of each of the last calls, bounded.

    It notes acknowledged publications only, and reads them off the messages themselves: a publication that was decided,
    then cancelled or refused, leaves no trace here.
    """

    def __init__(self, most: int) -> None:
        """Take the number of calls to remember; an entry takes some 400 bytes."""
        self._most = most
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def is_duplicate(self, key: bytes, requests: Sequence[PendingFetch], version: _Version) -> bool:
        """Whether these requests need no publication of this version of their call."""
        entry = self._entries.get(key)
        return entry is not None and entry.version >= version and all(request.is_live for request in requests)

    def holds(self, key: bytes, version: _Version) -> bool:
        """Whether this very version was published before, so that it now is a re-publication."""
        entry = self._entries.get(key)
        return entry is not None and entry.version == version

    def version(self, key: bytes) -> int:
        """The newest version of a call that was published lately; -1 if none was."""
        entry = self._entries.get(key)
        return -1 if entry is None else entry.version[0]

    def to_check_later(
        self, key: bytes, requests: Sequence[PendingFetch], now: float, wait: float
    ) -> PendingFetch | None:
        """The one of these spared requests for which Graph is to be asked once more, if any.

        All requests of a call that are in hand share one read, so these came after the read that was published had
        begun: each may announce a version that Graph does not serve yet. One that was checked already is not checked
        again, nor one that asks for a version of its own. While one check of a call is due no other is made; it is
        repeated then.

        Args:
            key: of the call.
            requests: of this call, spared.
            now: monotonic seconds.
            wait: seconds until the check.
        """
        entry = self._entries.get(key)
        unchecked = [each for each in requests if each.known_version is None and each.min_version is None]
        if entry is None or not unchecked:
            return None
        if now < entry.check_due:
            entry.check_again = True
            return None
        entry.proposed = now + wait
        return unchecked[-1]

    def to_check_after_publication(
        self, key: bytes, requests: Sequence[PendingFetch], now: float, wait: float
    ) -> PendingFetch | None:
        """The one of the requests of a read that is published now for which Graph is to be asked once more, if any.

        Two notifications that share a read may announce two versions, of which Graph served the first alone. The same
        holds for the request that checks a version and a notification that came while it was due. For the arguments
        see `to_check_later`.
        """
        entry = self._entries.get(key)
        announcing = [each for each in requests if each.is_live and each.min_version is None]
        waiting = entry is not None and entry.check_again
        if len(announcing) + waiting < 2 or not announcing:  # noqa: PLR2004 - two announce more than one publication
            return None
        if entry is not None:
            entry.proposed = now + wait
        return announcing[-1]

    def must_check_again(self, key: bytes, now: float, wait: float) -> bool:
        """Whether a check that found nothing newer is to be made once more; see `to_check_later` for the arguments."""
        entry = self._entries.get(key)
        if entry is None or not entry.check_again:
            return False
        entry.proposed = now + wait
        return True

    def acked(self, outcomes: Sequence[Outcome]) -> None:
        """Note what all in-sync replicas have; the newest version of a call stays.

        A version counts with its open call, which is published last; the canary has none and is never a duplicate.
        """
        for outcome in outcomes:
            if not isinstance(outcome, Emit):
                continue
            for stage in outcome.stages:
                if stage and stage[0].topic == CALLS.name:
                    said = read_headers(stage[0].headers)
                    self._remember(stage[0].key, (said.version or 0, said.revision or 0))
            if outcome.reason is Reason.VERSION_UNCHANGED and outcome.stages and outcome.stages[-1]:
                self._check_is_due(outcome.stages[-1][0].key)  # its deferral comes behind what is published with it

    def _check_is_due(self, key: bytes) -> None:
        entry = self._entries.get(key)
        if entry is not None:
            entry.check_due, entry.check_again = entry.proposed, False

    def _remember(self, key: bytes, version: _Version) -> None:
        entry = self._entries.pop(key, None)
        if entry is None or version > entry.version:
            entry = _Entry(version, proposed=float("-inf") if entry is None else entry.proposed)
        self._entries[key] = entry
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
