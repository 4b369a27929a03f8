"""One search for personal values, used where they must be found and where they must not be."""

from collections.abc import Iterable, Iterator
from typing import Any

from ringback_local.secrecy import SHORTEST, missing_from

from ringback_testing.json_values import is_list, is_object

PERSONAL = frozenset(
    {"displayName", "userPrincipalName", "name", "headerValue", "joinWebUrl", "text", "id", "phone"}
    | {"ipAddress", "reflexiveIPAddress", "relayIPAddress", "subnet", "macAddress", "basicServiceSetIdentifier"}
    | {"dnsSuffix", "captureDeviceName", "renderDeviceName"}
)  # fmt: skip
"""Members of Graph's record whose texts name a person, a machine or a place in a network."""
IDENTITIES = frozenset({"associatedIdentity", "identity", "user", "guest", "phone", "organizer_v2", "participants_v2"})
"""Members below which an `id` is a person's or a number."""

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every member with its value, by path; an empty object or list is a leaf, links of `@odata` are left out."""
    if is_object(value) and value:
        for name, inner in value.items():
            if not name.endswith(("@odata.context", "@odata.nextLink")):
                yield from leaves(inner, (*path, name))
    elif is_list(value) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def personal_values(document: Any) -> set[str]:
    """Every name, UPN, address, number and machine of a call record."""
    return {
        value
        for path, value in leaves(document)
        if isinstance(value, str) and len(value) >= SHORTEST and path[-1] in PERSONAL and _is_personal(path)
    }


def _is_personal(path: Path) -> bool:
    """An `id` is a person's only within an identity; those of calls, sessions and segments are technical."""
    return path[-1] != "id" or bool(IDENTITIES.intersection(path))


def found_in(texts: Iterable[str], *contents: bytes) -> set[str]:
    """Those of the texts that stand in the contents in any form; letters in either case but for base64."""
    named = {text: text for text in texts}
    return set(named) - missing_from(contents, named)
