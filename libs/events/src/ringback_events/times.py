"""The form of a time on the wire."""

from datetime import UTC, datetime

__all__ = ["wire_time"]


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and microseconds, the one form of a time in values, headers and answers."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
