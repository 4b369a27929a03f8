"""Installations to break: what each kind has, and one that runs."""

from ringback_faults.worlds.kind import WorldKind, read_world
from ringback_faults.worlds.opening import open_world
from ringback_faults.worlds.world import World

__all__ = ["World", "WorldKind", "open_world", "read_world"]
