"""What a whole record may still lack by Graph's own doing."""

from ringback_enricher.core.readings import Members, objects, text

__all__ = ["lacks_sessions"]


def lacks_sessions(graph: Members) -> bool:
    """Whether a peer-to-peer call has no session, although its two people had one.

    Graph has served such calls (msgraph-sdk-powershell 3598, 2026-04). Of other calls nothing says that there was one.
    """
    return text(graph.get("type")) == "peerToPeer" and not objects(graph.get("sessions"))
