"""The thresholds that judge a stream, as versioned data.

A published table never changes: a new one gets a new version and `RULES_NUMBER` grows, so that corrected events win
over those published before.
"""

from dataclasses import dataclass

__all__ = ["CQD_2026_1", "RULES_NUMBER", "Rules"]

RULES_NUMBER = 2
"""Raised with every change of what is derived or projected; part of the revision of every event.

`tests/contract/test_rules_number.py` compares what is derived of a corpus with `contracts/derivation.json`.
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """Microsoft's stream classification of the Call Quality Dashboard; a stream is poor beyond any of these."""

    version: str
    audio_round_trip_ms: float
    audio_loss: float
    audio_jitter_ms: float
    audio_packets: int
    """Fewer packets say nothing: the sender was muted or the stream was short."""
    video_frame_loss: float
    """Percent."""
    video_frame_rate: float
    sharing_frame_rate: float
    video_post_fec_loss: float


CQD_2026_1 = Rules(
    version="cqd-2026.1",
    audio_round_trip_ms=500,
    audio_loss=0.1,
    audio_jitter_ms=30,
    audio_packets=500,
    video_frame_loss=50,
    video_frame_rate=7,
    sharing_frame_rate=2,
    video_post_fec_loss=0.15,
)
"""The classification as documented in 2026; audio degradation and concealment left it after 2021."""
