"""Why a call was poor, or failed: from the rows of its streams and sessions to sentences a help desk can use."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["FAILURE", "FEEDBACK", "POOR", "failures", "feedback", "poor_streams"]

Row = Mapping[str, Any]

POOR = ("session", "label", "direction", "receiver", "metric", "value", "unit", "network", "device")
FAILURE = ("session", "stage", "caller", "callee", "caller_device", "callee_device")
FEEDBACK = ("session", "side", "party", "rating")

_SIDES = ("caller", "callee")
_RECEIVERS = {"callerToCallee": "callee", "calleeToCaller": "caller"}
_NETWORK = (
    "connection_type", "transport", "wifi_band", "wifi_radio_type", "wifi_signal_strength", "link_speed_bps",
    "network_prefix", "site",
)  # fmt: skip
_UNITS = {"average_round_trip_ms": "ms", "average_jitter_ms": "ms", "average_packet_loss_rate": "ratio 0..1",
          "average_video_frame_loss": "%", "average_video_frame_rate": "frames/s",
          "post_fec_packet_loss_rate": "ratio 0..1"}  # fmt: skip
_SATISFIED = frozenset({None, "notRated", "good", "excellent"})
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def poor_streams(streams: Sequence[Row], *, people: bool) -> list[dict[str, Any]]:
    """Each poor stream: the metric that decided with its value, and network and device of the side that received it.

    Args:
        streams: rows of `stream`, each with the platform of both sides of its session.
        people: also what may name a person: the names of microphones and loudspeakers.
    """
    return [_poor(stream, people=people) for stream in streams]


def _poor(stream: Row, *, people: bool) -> dict[str, Any]:
    metric = stream["verdict_metric"]
    column = _INNER_CAPITAL.sub("_", metric).lower() if metric else ""
    receiver = _RECEIVERS.get(stream["direction"] or "", "nobody")  # of whom nothing is known
    return {
        "session": stream["session_ordinal"],
        "label": stream["label"] or stream["kind"],
        "direction": stream["direction"],
        "receiver": stream["receiver_party"],
        "metric": metric,
        "value": stream.get(column),
        "unit": _UNITS.get(column),
        "network": _told(stream, receiver, _NETWORK),
        "device": _device(stream, receiver, people=people),
    }


def _told(row: Row, side: str, names: Sequence[str]) -> dict[str, Any]:
    """What is known of one side."""
    return {name: row[f"{side}_{name}"] for name in names if row.get(f"{side}_{name}") is not None}


def _device(row: Row, side: str, *, people: bool) -> dict[str, Any]:
    known = ("platform", "product_family", "application_version", "cpu_cores")
    names = ("device_capture_name", "device_capture_driver", "device_render_name", "device_render_driver")
    return _told(row, side, (*known, *names, "user_agent", "machine_name") if people else known)


def failures(sessions: Sequence[Row], *, people: bool) -> list[dict[str, Any]]:
    """Each session that failed: at what stage, between which parties, with which devices.

    Args:
        sessions: rows of `session`.
        people: also Graph's own reason, which may quote anything.
    """
    return [_failure(session, people=people) for session in sessions if session["failure_stage"] is not None]


def _failure(session: Row, *, people: bool) -> dict[str, Any]:
    reported = {"session": session["ordinal"], "stage": session["failure_stage"]}
    reported |= {side: _party(session, side) for side in _SIDES}
    reported |= {f"{side}_device": _device(session, side, people=people) for side in _SIDES}
    return reported | ({"reason": session["failure_reason"]} if people else {})


def _party(session: Row, side: str) -> Any:
    """Index of a party, or what stands there instead of one."""
    party = session[f"{side}_party"]
    return party if party is not None else session[f"{side}_role"] or session[f"{side}_kind"]


def feedback(sessions: Sequence[Row], *, people: bool) -> list[dict[str, Any]]:
    """What users rated worse than good, by session and side; with `people` also their own words."""
    return [
        {"session": session["ordinal"], "side": side, "party": _party(session, side), "rating": rating}
        | ({"text": session[f"{side}_feedback_text"]} if people else {})
        for session in sessions
        for side in _SIDES
        if (rating := session[f"{side}_feedback_rating"]) not in _SATISFIED
    ]
