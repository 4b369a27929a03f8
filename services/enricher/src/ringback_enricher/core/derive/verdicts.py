"""Whether a stream was good or poor, and what that makes of a session, a party and a call."""

from collections.abc import Iterable

from ringback_enricher.core.derive.rules import Rules

__all__ = ["GOOD", "POOR", "UNCLASSIFIED", "Verdict", "audio_verdict", "media_kind", "video_verdict", "worst"]

GOOD, POOR, UNCLASSIFIED = "good", "poor", "unclassified"
Verdict = tuple[str, str | None]
"""The verdict and the metric that decided it."""

_UNCLASSIFIED: Verdict = (UNCLASSIFIED, None)
_GOOD: Verdict = (GOOD, None)


def media_kind(label: str | None) -> str:
    """Kind of a stream from Graph's media label; `applicationsharing-video` is sharing, so sharing is asked first."""
    media = (label or "").lower()
    if "audio" in media:
        return "audio"
    if "applicationsharing" in media:
        return "screenSharing"
    return "video" if "video" in media else "other"


def audio_verdict(
    rules: Rules, round_trip_ms: float | None, loss: float | None, jitter_ms: float | None, packets: int | None
) -> Verdict:
    """Poor if any of the three metrics is beyond its limit; unclassified without metrics or with too few packets."""
    if packets is None or packets <= rules.audio_packets:
        return _UNCLASSIFIED
    if round_trip_ms is not None and round_trip_ms > rules.audio_round_trip_ms:
        return POOR, "averageRoundTripMs"
    if loss is not None and loss > rules.audio_loss:
        return POOR, "averagePacketLossRate"
    if jitter_ms is not None and jitter_ms > rules.audio_jitter_ms:
        return POOR, "averageJitterMs"
    return _UNCLASSIFIED if round_trip_ms is None and loss is None and jitter_ms is None else _GOOD


def video_verdict(
    rules: Rules,
    lowest_frame_rate: float,
    frame_loss: float | None,
    frame_rate: float | None,
    post_fec_loss: float | None,
) -> Verdict:
    """The first available metric of the ladder decides, for good or for poor."""
    if frame_loss is not None:
        return POOR if frame_loss > rules.video_frame_loss else GOOD, "averageVideoFrameLoss"
    if frame_rate is not None:
        return POOR if frame_rate < lowest_frame_rate else GOOD, "averageVideoFrameRate"
    if post_fec_loss is not None:
        return POOR if post_fec_loss > rules.video_post_fec_loss else GOOD, "postFecPacketLossRate"
    return _UNCLASSIFIED


def worst(verdicts: Iterable[str]) -> str:
    """Poor if any is poor, else good if any is good."""
    found = set(verdicts)
    if POOR in found:
        return POOR
    return GOOD if GOOD in found else UNCLASSIFIED
