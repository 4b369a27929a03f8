"""Why a call was poor or failed: metric with value, network, device, failure, feedback; no person unless asked for."""

import json
from typing import Any

import pytest
from ringback_cli.core.causes import FAILURE, FEEDBACK, POOR, failures, feedback, poor_streams

PEOPLE = ("Abbie's AirPods", "lost Abbie", "Abbie said so", "ABBIE-PC", "agent of Abbie")


def stream(**members: Any) -> dict[str, Any]:
    """A poor stream to the callee, with the platforms of its session."""
    return {
        "session_ordinal": 3, "label": "main-audio", "kind": "audio", "direction": "callerToCallee",
        "receiver_party": 1, "verdict_metric": "averageJitterMs", "average_jitter_ms": 44.5,
        "callee_connection_type": "wifi", "callee_wifi_signal_strength": 31, "callee_site": "Köln",
        "callee_link_speed_bps": None, "caller_connection_type": "wired", "caller_platform": "macOS",
        "callee_platform": "windows", "callee_application_version": "1.2",
        "callee_device_render_name": "Abbie's AirPods", "callee_machine_name": "ABBIE-PC",
        "callee_user_agent": "agent of Abbie", **members,
    }  # fmt: skip


def session(**members: Any) -> dict[str, Any]:
    """A session that failed and was rated."""
    return {
        "ordinal": 3, "failure_stage": "midcall", "failure_reason": "lost Abbie", "caller_party": 0,
        "caller_kind": "user", "caller_role": None, "callee_party": None, "callee_kind": "service",
        "callee_role": "voicemail", "caller_platform": "android", "caller_feedback_rating": "poor",
        "callee_feedback_rating": None, "caller_feedback_text": "Abbie said so", "callee_feedback_text": None,
        **members,
    }  # fmt: skip


def test_a_poor_stream_says_metric_value_network_and_device_of_the_receiver() -> None:
    """The side it went to is the one that heard it."""
    (cause,) = poor_streams([stream()], people=False)
    assert cause == {
        "session": 3, "label": "main-audio", "direction": "callerToCallee", "receiver": 1,
        "metric": "averageJitterMs", "value": 44.5, "unit": "ms",
        "network": {"connection_type": "wifi", "wifi_signal_strength": 31, "site": "Köln"},
        "device": {"platform": "windows", "application_version": "1.2"},
    }  # fmt: skip
    assert tuple(cause) == POOR


@pytest.mark.parametrize(
    ("metric", "column", "unit"),
    [
        ("averageRoundTripMs", "average_round_trip_ms", "ms"),
        ("averagePacketLossRate", "average_packet_loss_rate", "ratio 0..1"),
        ("averageVideoFrameLoss", "average_video_frame_loss", "%"),
        ("averageVideoFrameRate", "average_video_frame_rate", "frames/s"),
        ("postFecPacketLossRate", "post_fec_packet_loss_rate", "ratio 0..1"),
    ],
)
def test_every_metric_that_decides_has_its_value(metric: str, column: str, unit: str) -> None:
    """By the contract's name of the metric, from the store's column."""
    (cause,) = poor_streams([stream(verdict_metric=metric, **{column: 0.25})], people=False)
    assert (cause["value"], cause["unit"]) == (0.25, unit)


def test_the_other_direction_is_the_caller_s() -> None:
    """Its network, its device."""
    (cause,) = poor_streams([stream(direction="calleeToCaller")], people=False)
    assert (cause["network"], cause["device"]) == ({"connection_type": "wired"}, {"platform": "macOS"})


def test_of_a_stream_without_direction_nobody_is_the_receiver() -> None:
    """It is not made up."""
    (cause,) = poor_streams([stream(direction=None)], people=False)
    assert (cause["network"], cause["device"], cause["value"]) == ({}, {}, 44.5)


def test_a_failure_says_stage_and_both_sides() -> None:
    """A service has no party: its role stands there."""
    (cause,) = failures([session(), session(failure_stage=None)], people=False)
    assert (cause["session"], cause["stage"], cause["caller"], cause["callee"]) == (3, "midcall", 0, "voicemail")
    assert cause["caller_device"] == {"platform": "android"}
    assert tuple(cause) == FAILURE


@pytest.mark.parametrize("rating", ["poor", "bad", "fair", "unknownFutureValue"])
def test_a_rating_below_good_is_feedback(rating: str) -> None:
    """An enumeration of Graph's is open: what is not known to be good is shown."""
    (reported,) = feedback([session(caller_feedback_rating=rating)], people=False)
    assert (reported["session"], reported["side"], reported["party"], reported["rating"]) == (3, "caller", 0, rating)
    assert tuple(reported) == FEEDBACK


@pytest.mark.parametrize("rating", [None, "notRated", "good", "excellent"])
def test_a_good_rating_explains_nothing(rating: str | None) -> None:
    """Nor does none."""
    assert feedback([session(caller_feedback_rating=rating)], people=False) == []


def test_what_may_name_a_person_is_there_only_when_it_is_asked_for() -> None:
    """Devices bear names of people, Graph's reasons and users' words quote anything."""
    for people in (False, True):
        reported = json.dumps(
            [
                poor_streams([stream()], people=people),
                failures([session()], people=people),
                feedback([session()], people=people),
            ]
        )
        assert [canary in reported for canary in PEOPLE] == [people] * len(PEOPLE)
