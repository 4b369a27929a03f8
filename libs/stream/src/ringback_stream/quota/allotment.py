"""How a quota is divided among its members, in proportion to what they ask for. Pure."""

from collections.abc import Mapping

__all__ = ["LEAST", "RESERVE", "allot"]

RESERVE = 0.03
"""Part of the quota that only a member without a share may claim: one that joins a busy group begins at once."""
LEAST = 0.004
"""Part of the quota that a member asks for at least and gets before the rest is divided: a keeper's few requests."""
_AT_EASE = 0.1
"""Part of the quota that a member has without asking while there is enough: of 15,000 a tenant's whole budget."""


def allot(quota: int, wants: Mapping[str, int]) -> dict[str, int]:
    """The share of each member by its name; together at most the quota without its reserve.

    Args:
        quota: requests in a window.
        wants: requests in a window that each member asks for, by its name.
    """
    most = round(quota * (1 - RESERVE))
    spare = most - sum(wants.values())
    if spare >= 0:
        at_ease = min(round(quota * _AT_EASE), spare // max(1, len(wants)))
        return {name: max(want, at_ease) for name, want in wants.items()}
    least = min(round(quota * LEAST), most // len(wants))
    first = {name: min(want, least) for name, want in wants.items()}
    rest, unmet = most - sum(first.values()), sum(wants.values()) - sum(first.values())
    return {name: first[name] + rest * (want - first[name]) // unmet for name, want in wants.items()}
