"""The guard of next links: an address from a response gets our token only if it is Graph's own.

A next link is opaque, yet it is data from outside. It is followed only if it is https, on the very host and port the
tenant is configured for, under `/v1.0/` or `/beta/`, and free of every trick by which two parsers see two addresses.
That of a record must lead to that record: the token reads all of the tenant's, and pages of another would mix in.

One form leads nowhere and is known all the same: Microsoft's own sample prints next links whose path is the metadata's
(Get callRecord, example 2). Of such a link only the skip token is used, at the record's own address.
"""

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes, urlsplit

__all__ = ["HostileLink", "checked_link", "checked_page", "sample_token"]

_ALLOWED = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]+\Z", re.ASCII)
"""RFC 3986 without the fragment's `#` and the literals' brackets; no space, control, quote, backslash or non-ASCII."""
_PATH = re.compile(r"/(?:v1\.0|beta)(?:/[A-Za-z0-9\-._~!$&'()*+,=:@%]+)+\Z", re.ASCII)
_DOTS = re.compile(r"/\.*(?:/|\Z)")
"""A segment of dots alone, or of nothing."""
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_FORBIDDEN_IN_PATH = frozenset("/\\%.;?#") | {chr(code) for code in (*range(0x20), 0x7F)}
"""Escapes of these in a path change its segments for one reader and not for another.

Of `:` and `@` they do not, for the origin before the path is ours letter by letter; ids may hold both.
"""
_LONGEST = 8192
_RECORD = re.compile(
    r"/(?:v1\.0|beta)/communications/callRecords(?:\((?:id=)?'(?P<key>(?:[^'/]|'')+)'\)|/(?P<name>[^/]+))(?:/.*)?",
    re.IGNORECASE,
)
"""Graph's two forms of a record's address; the names of its path are the same in any case (OData's URL conventions)."""
_SAMPLE = re.compile(
    r"/v1\.0/\$metadata#communications/callRecords\('(?P<key>[^'/?#\s]+)'\)/(?P<member>sessions|participants_v2)\?(?P<query>[^?#\s]+)",
    re.ASCII,
)
_TOKEN = re.compile(r"\$skiptoken=(?P<token>[A-Za-z0-9\-._~!'()*+,;:@/%=]+)", re.ASCII)
"""As opaque as a next link: whatever a query may hold but another option."""
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class HostileLink(ValueError):  # noqa: N818 - what it is, in the words of the threat model
    """A next link that must not be followed; `why` is a fixed word, the link itself is never repeated."""

    def __init__(self, why: str) -> None:
        super().__init__(f"next link refused: {why}")
        self.why = why


def checked_link(link: object, graph_url: str) -> str:
    """The link itself, if the tenant's token may be sent there.

    Args:
        link: the value of an `@odata.nextLink` member, whatever it is.
        graph_url: the tenant's Graph root, e.g. `https://graph.microsoft.com`.

    Raises:
        HostileLink: it may not be followed.
    """
    if not isinstance(link, str) or not 0 < len(link) <= _LONGEST:
        raise HostileLink("not_a_text")
    if _ALLOWED.match(link) is None:
        raise HostileLink("character")
    _check_origin(link, graph_url)
    path = link.partition("?")[0][len(_origin(graph_url)) :]
    _check_path(path)
    return link


def checked_page(link: object, graph_url: str, call_id: str) -> str:
    """As `checked_link`, if it also leads to that record and nowhere else.

    Raises:
        HostileLink: it may not be followed.
    """
    checked = checked_link(link, graph_url)
    # Unescaped only now: what passed holds no escape that changes the path's segments.
    found = _RECORD.fullmatch(_plain(checked.partition("?")[0][len(_origin(graph_url)) :]))
    if found is None or _canonical(found["name"] or found["key"].replace("''", "'")) != _canonical(call_id):
        raise HostileLink("record")
    return checked


def sample_token(link: object, graph_url: str, call_id: str, member: str) -> str | None:
    """The skip token of a next link as Microsoft's sample prints it, of this list of this record; else None.

    Args:
        link: the value of an `@odata.nextLink` member, whatever it is.
        graph_url: the tenant's Graph root; a sample's link to any other host is none.
        call_id: the record that is read.
        member: the list that goes on, `sessions` or `participants_v2`.
    """
    if not isinstance(link, str) or len(link) > _LONGEST or not link.startswith(f"{_origin(graph_url)}/"):
        return None
    found = _SAMPLE.fullmatch(link[len(_origin(graph_url)) :])
    if found is None or found["member"] != member or _canonical(found["key"]) != _canonical(call_id):
        return None
    tokens = [option for option in found["query"].split("&") if option.startswith("$skiptoken")]
    token = _TOKEN.fullmatch(tokens[0]) if len(tokens) == 1 else None
    return None if token is None else token["token"]


def _canonical(call_id: str) -> str:
    return call_id.lower() if _GUID.fullmatch(call_id) else call_id


@lru_cache
def _origin(graph_url: str) -> str:
    split = urlsplit(graph_url)
    return f"https://{split.netloc.lower()}"


def _check_origin(link: str, graph_url: str) -> None:
    """Up to the path it must be the configured origin letter for letter: nothing is left for a parser to decide."""
    origin = _origin(graph_url)
    if link[: len(origin)].lower() != origin or not link[len(origin) :].startswith("/"):
        raise HostileLink("origin")


def _check_path(path: str) -> None:
    if _PATH.match(path) is None:
        raise HostileLink("path")
    if _DOTS.search(path) is not None:
        raise HostileLink("dot_segment")
    if "$metadata" in path.lower():
        raise HostileLink("metadata")
    if "%" in path:
        _check_escapes(path)


def _check_escapes(path: str) -> None:
    escapes = _ESCAPED.findall(path)
    if len(escapes) != path.count("%") or any(chr(int(code, 16)) in _FORBIDDEN_IN_PATH for code in escapes):
        raise HostileLink("escape")
    if "$metadata" in _plain(path).lower():
        raise HostileLink("metadata")


def _plain(path: str) -> str:
    """The path without escapes; overlong UTF-8 spells a dot or slash to the readers that accept it."""
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise HostileLink("escape") from None
