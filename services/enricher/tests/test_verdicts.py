"""Stream classification: the documented thresholds, at and beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_enricher.core.derive.rules import CQD_2026_1 as RULES
from ringback_enricher.core.derive.verdicts import (
    GOOD,
    POOR,
    UNCLASSIFIED,
    audio_verdict,
    media_kind,
    video_verdict,
    worst,
)


@pytest.mark.parametrize(
    ("round_trip", "loss", "jitter", "packets", "verdict"),
    [
        (500, 0.1, 30, 501, (GOOD, None)),
        (500.001, 0, 0, 501, (POOR, "averageRoundTripMs")),
        (0, 0.1001, 0, 501, (POOR, "averagePacketLossRate")),
        (None, None, 30.001, 501, (POOR, "averageJitterMs")),
        (9999, 1, 999, 500, (UNCLASSIFIED, None)),
        (9999, 1, 999, None, (UNCLASSIFIED, None)),
        (None, None, None, 9000, (UNCLASSIFIED, None)),
        (None, 0.0, None, 9000, (GOOD, None)),
    ],
)
def test_audio(
    round_trip: float | None, loss: float | None, jitter: float | None, packets: int | None, verdict: object
) -> None:
    """Beyond a limit is poor, at it is good; too few packets or no metric at all say nothing."""
    assert audio_verdict(RULES, round_trip, loss, jitter, packets) == verdict


@pytest.mark.parametrize(
    ("frame_loss", "frame_rate", "fec", "verdict"),
    [
        (50, 1, 1, (GOOD, "averageVideoFrameLoss")),
        (50.1, 30, 0, (POOR, "averageVideoFrameLoss")),
        (None, 7, 1, (GOOD, "averageVideoFrameRate")),
        (None, 6.9, 0, (POOR, "averageVideoFrameRate")),
        (None, None, 0.15, (GOOD, "postFecPacketLossRate")),
        (None, None, 0.151, (POOR, "postFecPacketLossRate")),
        (None, None, None, (UNCLASSIFIED, None)),
    ],
)
def test_the_first_metric_of_the_video_ladder_decides(
    frame_loss: float | None, frame_rate: float | None, fec: float | None, verdict: object
) -> None:
    """A metric further down never overrules one above it."""
    assert video_verdict(RULES, RULES.video_frame_rate, frame_loss, frame_rate, fec) == verdict


def test_sharing_tolerates_a_lower_frame_rate() -> None:
    """A slide needs two frames a second, a face seven."""
    assert video_verdict(RULES, RULES.sharing_frame_rate, None, 2, None)[0] == GOOD
    assert video_verdict(RULES, RULES.sharing_frame_rate, None, 1.9, None)[0] == POOR


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("main-audio", "audio"),
        ("applicationsharing-video", "screenSharing"),
        ("main-video", "video"),
        ("MAIN-AUDIO", "audio"),
        ("data", "other"),
        (None, "other"),
    ],
)
def test_the_label_tells_the_kind(label: str | None, kind: str) -> None:
    """Audio is asked first, sharing before video, whatever the case."""
    assert media_kind(label) == kind


@given(st.lists(st.sampled_from([GOOD, POOR, UNCLASSIFIED])))
def test_the_worst_verdict_ignores_order_and_silence(verdicts: list[str]) -> None:
    """One poor stream makes a poor call; unclassified streams neither help nor harm."""
    assert worst(verdicts) == worst(sorted(verdicts))
    assert (worst(verdicts) == POOR) == (POOR in verdicts)
    assert worst([*verdicts, UNCLASSIFIED]) == worst(verdicts)
