"""A partition as the runtime names it: by the contract's topic name, without the installation's prefix."""

from typing import NamedTuple

__all__ = ["Partition"]


class Partition(NamedTuple):
    """One partition of a contract topic."""

    topic: str
    number: int
