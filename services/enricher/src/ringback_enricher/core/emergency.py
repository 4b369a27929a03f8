"""Whether a number is one that calls for help; a suspicion for audit, never an alarm."""

__all__ = ["is_emergency_number"]

_NUMBERS = frozenset(
    {
        *(
            "112",
            "911",
            "000",
            "999",
            "933",
            "995",
            "998",
        ),  # Europe and GSM, North America, Australia, Britain, Singapore
        *(
            "100",
            "101",
            "102",
            "103",
            "104",
            "108",
            "110",
            "111",
            "113",
            "114",
            "115",
            "117",
            "118",
            "119",
            "120",
            "122",
        ),
        *(
            "128",
            "133",
            "144",
            "190",
            "191",
            "192",
            "193",
            "194",
            "195",
            "197",
            "198",
            "199",
        ),  # police, fire, ambulance
    }
)
"""`933` is the test number of North America; a tenant may map it to 911 and back."""
_MASKED = frozenset({"*" * length for length in (3, 4)})
"""In eleven countries Graph masks the last three or four digits, which is all there is of an emergency number."""


def is_emergency_number(number: str) -> bool:
    """Whether a dialled number is, or may hide, an emergency number."""
    dialled = number.strip().removeprefix("tel:").removeprefix("+")
    return dialled in _NUMBERS or dialled in _MASKED
