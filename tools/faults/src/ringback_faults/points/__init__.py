"""Points between two steps of a service at which it can be made to die or freeze, from outside the product."""

from ringback_faults.points.arming import Points, Reached, open_points
from ringback_faults.points.places import POINTS

__all__ = ["POINTS", "Points", "Reached", "open_points"]
