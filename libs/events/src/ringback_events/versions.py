"""The order of a call's versions: the greater (version, revision) wins."""

from typing import Protocol

__all__ = ["Versioned", "newer"]


class Versioned(Protocol):
    """Anything that says which version of a call it is about."""

    @property
    def version(self) -> int:
        """Graph's version."""
        ...

    @property
    def revision(self) -> int:
        """Ringback's revision of the derivation."""
        ...


def newer(candidate: Versioned, held: Versioned | None) -> bool:
    """Whether the candidate replaces what is held: greater (version, revision); an equal one is a repeat."""
    if held is None:
        return True
    return (candidate.version, candidate.revision) > (held.version, held.revision)
