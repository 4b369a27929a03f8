"""How many records of a tenant its budget of requests serves."""

__all__ = ["records_a_second"]

_REQUESTS_A_RECORD = 2
"""Of a group call of ordinary size (ADR 0041). A peer-to-peer call costs one, but a tenant of nothing but those is
served as fast: this bounds what is in hand of it, not how fast that is asked for."""


def records_a_second(requests: float) -> float:
    """Records that so many requests a second serve: more of them in hand would only wait for the budget."""
    return requests / _REQUESTS_A_RECORD
