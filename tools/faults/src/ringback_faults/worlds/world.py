"""A running installation and the means to break it."""

from dataclasses import dataclass

from ringback_local.stack import Stack

from ringback_faults.clocks import Clocks
from ringback_faults.disks import Disks
from ringback_faults.links import Links
from ringback_faults.memory import Memory
from ringback_faults.network import Network
from ringback_faults.points import Points
from ringback_faults.worlds.kind import WorldKind

__all__ = ["World"]


@dataclass(frozen=True, slots=True)
class World:
    """One installation; its processes can be killed and frozen in every kind, the rest is None if not asked for.

    `beside` is another one on the same broker, which has a topic prefix.
    """

    kind: WorldKind
    stack: Stack
    seed: int
    links: Links | None = None
    network: Network | None = None
    points: Points | None = None
    clocks: Clocks | None = None
    disks: Disks | None = None
    memory: Memory | None = None
    beside: Stack | None = None

    def heal(self) -> None:
        """Undo what still harms: links, cuts, clocks and full disks."""
        if self.links:
            self.links.heal()
        if self.network:
            self.network.heal()
        if self.clocks:
            self.clocks.reset()
        if self.disks:
            self.disks.empty()
