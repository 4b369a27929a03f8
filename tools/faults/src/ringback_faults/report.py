"""The verdict on one row. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["INVARIANTS", "Verdict"]

INVARIANTS: Mapping[str, str] = {
    "I1": "durable ack",
    "I2": "conservation",
    "I3": "unique",
    "I4": "latest",
    "I5": "no regression",
    "I6": "poison exact",
    "I7": "bounded",
    "I8": "polite",
    "I9": "recovery",
    "I10": "ack latency",
    "I11": "secrecy",
    "I12": "offset safety",
    "I13": "whole",
    "I14": "read after notify",
    "I15": "neighbours",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the oracle says of one row.

    Attributes:
        anomalies: by invariant, how often it was broken; every invariant has an entry.
        findings: a sentence for each of the first few anomalies of each invariant.
        figures: what is reported: recovery_seconds, ack_p99_ms, repeats, rss_mib_<process>, ...
        evidence: what proves that the fault happened.
        missing: the evidence the row demands and did not get, as sentences.
        excess: figures above what the row allows, likewise.
    """

    anomalies: Mapping[str, int]
    findings: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict[str, float])
    evidence: Mapping[str, float] = field(default_factory=dict[str, float])
    missing: tuple[str, ...] = ()
    excess: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """No anomaly, every figure within its bounds, and the fault really happened."""
        return not any(self.anomalies.values()) and not self.missing and not self.excess

    @property
    def word(self) -> str:
        """`clean`, `failed`, or `no evidence` if nothing is wrong but that nothing is proven."""
        if self.clean:
            return "clean"
        return "failed" if any(self.anomalies.values()) or self.excess else "no evidence"

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything that is to be said of it."""
        return (*self.findings, *self.missing, *self.excess)
