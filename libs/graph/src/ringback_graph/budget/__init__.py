"""How many requests Graph may be asked, by whom and when."""

from ringback_graph.budget.allotment import WINDOW_SECONDS, Allotment, Priority, Shares, Ticket
from ringback_graph.budget.bucket import Bucket, Quota
from ringback_graph.budget.gate import Budget, Role

__all__ = ["WINDOW_SECONDS", "Allotment", "Bucket", "Budget", "Priority", "Quota", "Role", "Shares", "Ticket"]
