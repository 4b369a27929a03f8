"""What a re-derivation found and did, for a person or for a program."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ringback_common.outcomes import Reason, Received

from ringback_enricher.core.inventory import RederivationPlan

__all__ = ["RederivationReport"]

_NAMED_PLACES = 20


@dataclass
class RederivationReport:
    """Counts over all partitions; C0 only.

    Attributes:
        revision: what is published.
        acts: whether anything is to be published at all.
        max_rate: publications a second.
        calls: calls the topic holds, with their history versions of calls.
        planned: records to derive again.
        octets: of their values.
        by_revision: of the planned ones, by the revision they carry.
        ahead: calls with a greater revision, which are left alone.
        published: records whose every stage is acknowledged.
        too_old: planned, and fetched from Graph too long ago.
        gone: planned, and removed by retention before they were read.
        refused: what could not be derived or published, by reason.
        places: where the first of those lie, and what is the matter with each.
        complete: whether every partition was gone through.
    """

    revision: int
    acts: bool
    max_rate: float
    calls: int = 0
    planned: int = 0
    octets: int = 0
    by_revision: Counter[int] = field(default_factory=Counter[int])
    ahead: int = 0
    published: int = 0
    too_old: int = 0
    gone: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    places: list[str] = field(default_factory=list[str])
    complete: bool = False

    def add(self, plan: RederivationPlan) -> None:
        """Count what is planned of one partition."""
        self.calls += plan.calls
        self.planned += len(plan.offsets)
        self.octets += plan.octets
        self.by_revision += plan.by_revision
        self.ahead += plan.ahead

    def refuse(self, record: Received, reason: Reason, error_class: str) -> None:
        """Count a record that stays as it is; it is not taken off its topic, so its place is as good as its bytes."""
        self.refused[reason.value] += 1
        if len(self.places) < _NAMED_PLACES:
            cause = f" ({error_class})" if error_class else ""
            self.places.append(f"{record.topic}/{record.partition}/{record.offset}: {reason.value}{cause}")

    @property
    def is_clean(self) -> bool:
        """Whether all that could follow has followed, or in a dry run could."""
        return self.complete and not self.refused

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "revision": self.revision,
            "acted": self.acts,
            "complete": self.complete,
            "calls": self.calls,
            "planned": self.planned,
            "bytes": self.octets,
            "by_revision": {str(revision): count for revision, count in sorted(self.by_revision.items())},
            "seconds_at_rate": self._seconds(),
            "published": self.published,
            "too_old": self.too_old,
            "gone": self.gone,
            "ahead": self.ahead,
            "refused": dict(sorted(self.refused.items())),
            "refused_at": self.places,
        }

    def sentences(self) -> list[str]:
        """For a person."""
        plan = f"Revision {self.revision}: {self.planned} of {self.calls} calls to derive again, "
        plan += f"{self.octets / 1e6:.1f} MB of records, {self._seconds()} s at {self.max_rate:g} a second."
        of = [
            f"  {count} carry revision {revision}."
            if revision != self.revision
            else f"  {count} carry it already, but their open call is missing."
            for revision, count in sorted(self.by_revision.items())
        ]
        return [plan, *of, *self._remarks(), self._end()]

    def _seconds(self) -> int:
        return round(self.planned / self.max_rate)

    def _remarks(self) -> list[str]:
        remarks: list[str] = []
        if self.ahead:
            remarks.append(
                f"  {self.ahead} carry a greater revision and are left alone: does fetch run with a greater "
                "RINGBACK_RULES__REVISION_OFFSET?"
            )
        if self.too_old:
            remarks.append(f"  {self.too_old} were fetched from Graph too long ago and are left to end.")
        if self.gone:
            remarks.append(f"  {self.gone} were removed by retention during the run.")
        if self.refused:
            remarks.append(f"  {self.refused.total()} could not be derived again and stay as they are:")
            remarks += [f"    {place}" for place in self.places]
        return remarks

    def _end(self) -> str:
        if not self.complete:
            return f"Stopped before the end, {self.published} published; run it again to go on."
        if not self.acts:
            return "Nothing was published; add --yes to act."
        return f"{self.published} published."
