"""What a version of a call says, read four times by the judge's own rules: Graph's JSON, record, open events, rows."""

from ringback_faults.contents.children import Children, children_of
from ringback_faults.contents.events import contents_of_call, contents_of_record, contents_of_session
from ringback_faults.contents.graph import contents_of_graph
from ringback_faults.contents.rows import contents_of_rows
from ringback_faults.contents.values import Contents

__all__ = [
    "Children",
    "Contents",
    "children_of",
    "contents_of_call",
    "contents_of_graph",
    "contents_of_record",
    "contents_of_rows",
    "contents_of_session",
]
