"""The country of a phone number."""

from functools import lru_cache

import phonenumbers

__all__ = ["country_of"]

_NO_COUNTRY = {None, "001", "ZZ"}
"""What the numbering plan's metadata says for satellite, freephone and unknown ranges."""


@lru_cache(maxsize=16_384)
def country_of(number: str) -> str | None:
    """ISO 3166-1 alpha-2 country of an international number; None for anything without a `+`, or of no country.

    A masked number (`+4930123***`) keeps its country as long as its calling code has only one.
    """
    digits = number.strip().rstrip("*")
    if not digits.startswith("+"):
        return None
    try:
        parsed = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    if region in _NO_COUNTRY:
        regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
        region = regions[0] if len(regions) == 1 else None
    return None if region in _NO_COUNTRY else region
