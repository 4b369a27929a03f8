"""What was published lately: spares a live request the re-publication of a version everybody has."""

from collections import OrderedDict
from collections.abc import Sequence

from ringback_common.outcomes import Emit, Outcome
from ringback_events.headers import read_headers
from ringback_events.topics import CALLS

from ringback_enricher.core.requests import Request

__all__ = ["Published"]

_Version = tuple[int, int]


class Published:
    """The newest (version, revision) of each of the last calls, bounded.

    It is told of acked publications only, and reads them off the messages themselves: a publication that was decided,
    then cancelled or refused, leaves no trace here.
    """

    def __init__(self, most: int) -> None:
        """Take the number of calls to remember; an entry takes some 300 bytes."""
        self._most = most
        self._versions: OrderedDict[bytes, _Version] = OrderedDict()

    def spares(self, key: bytes, requests: Sequence[Request], version: _Version) -> bool:
        """Whether these requests need no publication of this version of their call."""
        published = self._versions.get(key)
        return published is not None and published >= version and all(request.is_live for request in requests)

    def holds(self, key: bytes, version: _Version) -> bool:
        """Whether this very version was published before, so that it now is a re-publication."""
        return self._versions.get(key) == version

    def acked(self, outcomes: Sequence[Outcome]) -> None:
        """Note what all in-sync replicas have; the newest version of a call stays.

        A version counts with its open call, which is published last; the canary has none and spares nobody.
        """
        for outcome in outcomes:
            for stage in outcome.stages if isinstance(outcome, Emit) else ():
                if stage and stage[0].topic == CALLS.name:
                    told = read_headers(stage[0].headers)
                    self._remember(stage[0].key, (told.version or 0, told.revision or 0))

    def _remember(self, key: bytes, version: _Version) -> None:
        published = self._versions.pop(key, version)
        self._versions[key] = max(published, version)
        if len(self._versions) > self._most:
            self._versions.popitem(last=False)
