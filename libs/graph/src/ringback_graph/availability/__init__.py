"""Whether a tenant may be asked, and when: one governor, and the parts that it decides with."""

from ringback_graph.availability.bucket import Bucket, Quota
from ringback_graph.availability.fair_queue import FairQueue, Priority, QuotaRequest
from ringback_graph.availability.governor import GO, Availability, Go, Governor, NotBefore, Place
from ringback_graph.availability.limits import APP_LIMIT, LONGEST_WAIT_IN_PLACE, WINDOW_SECONDS, Role, Shares
from ringback_graph.availability.peer_probe import PeerProbe
from ringback_graph.availability.rate_limiter import RateLimiter
from ringback_graph.availability.registry import NullRegistry, ThrottleRegistry
from ringback_graph.availability.scope_inference import ThrottleScopeInference
from ringback_graph.availability.state import PauseReason, Signal

__all__ = [
    "APP_LIMIT",
    "GO",
    "LONGEST_WAIT_IN_PLACE",
    "WINDOW_SECONDS",
    "Availability",
    "Bucket",
    "FairQueue",
    "Go",
    "Governor",
    "NotBefore",
    "NullRegistry",
    "PauseReason",
    "PeerProbe",
    "Place",
    "Priority",
    "Quota",
    "QuotaRequest",
    "RateLimiter",
    "Role",
    "Shares",
    "Signal",
    "ThrottleRegistry",
    "ThrottleScopeInference",
]
