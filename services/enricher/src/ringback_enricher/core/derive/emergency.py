"""Whether a number is one that calls for help; a suspicion for audit, never an alarm."""

from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata
from ringback_graph.parse import number_of

__all__ = ["is_emergency_number"]

_ANYWHERE = frozenset({"112", "911", "999", "000"})
"""For a tenant that names no countries. More, and an extension of a private exchange would be a call for help."""
_MASKS = frozenset({"***", "****"})
"""In eleven countries Graph masks the last three or four digits, which is all there is of an emergency number."""


@lru_cache(maxsize=16_384)
def is_emergency_number(number: str, countries: tuple[str, ...]) -> bool:
    """Whether a dialled number is, or may hide, an emergency number of one of these countries.

    The numbers are those of libphonenumber's short number metadata. Countries for which it has none count as no
    country: without any, the four numbers that are known all over the world are taken.
    """
    dialled = number_of(number.strip()).removeprefix("+")
    known = [country for country in countries if _lengths(country)]
    if dialled in _MASKS:
        return len(dialled) in ({length for country in known for length in _lengths(country)} or {3})
    if not known:
        return dialled in _ANYWHERE
    return any(phonenumbers.is_emergency_number(dialled, country) for country in known)


@lru_cache(maxsize=256)
def _lengths(country: str) -> frozenset[int]:
    """How many digits a country's emergency numbers have; none if nothing is known of it."""
    metadata = PhoneMetadata.short_metadata_for_region(country)
    lengths = metadata.emergency.possible_length if metadata and metadata.emergency else ()
    return frozenset(length for length in lengths if length > 0)
