"""The working week of calls that the demo sends through, and that the command printed by `up` orders. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["order_of"]

_WORKING_DAYS = 5
_TROUBLE = 0.013
"""Share of the people with a bad connection in a call: some 5 % of the calls are poor, two in a hundred calls of two
and a third of the meetings of forty, for one of forty lines is often bad."""


def order_of(seed: int, tenants: Sequence[str], calls: int, seconds: float) -> Mapping[str, Any]:
    """The body of `POST /control/workday`.

    Args:
        seed: decides every call.
        tenants: ids of the tenants, which have the calls in turn.
        calls: how many.
        seconds: real seconds in which Graph notifies of them; they ended in the office hours of five working days.
    """
    return {
        "seed": seed, "tenants": list(tenants), "calls": calls, "durationSeconds": seconds, "days": _WORKING_DAYS,
        "troubleShare": _TROUBLE, "lateVersionShare": 0.35, "notFoundFirstShare": 0.02, "duplicates": 0.02,
        "plantedDrops": 5, "throttleStorm": True, "specials": True, "versionMark": True,
    }  # fmt: skip
