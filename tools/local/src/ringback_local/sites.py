"""The sites of the simulated installations: where the buildings are whose networks the simulator's people are on."""

from collections.abc import Sequence
from pathlib import Path

import yaml

__all__ = ["SITES", "Site", "write_sites"]

Site = tuple[str, tuple[str, ...]]
"""A name and its subnets."""

SITES: tuple[Site, ...] = (
    ("Munich", ("10.150.0.0/24", "10.150.16.0/24")),
    ("Redmond", ("10.151.4.0/24",)),
    ("London", ("172.20.8.0/24",)),
    ("Zurich, lab", ("2001:db8:1:2::/64",)),
)
"""Of the networks that the simulator's people are on one is missing on purpose: 192.168.178.0/24 is at home."""


def write_sites(folder: Path, sites: Sequence[Site]) -> Path:
    """Write the file that RINGBACK_SITES_FILE names into a folder; its path."""
    path = folder / "sites.yaml"
    path.write_text(yaml.safe_dump([{"site": site, "subnets": list(subnets)} for site, subnets in sites]))
    path.chmod(0o600)
    return path
