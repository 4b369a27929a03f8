"""One search for personal values, used where they must be found and where they must not be."""

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, cast
from urllib.parse import quote

PERSONAL = frozenset(
    {"displayName", "userPrincipalName", "name", "headerValue", "joinWebUrl", "text", "id", "phone"}
    | {"ipAddress", "reflexiveIPAddress", "relayIPAddress", "subnet", "macAddress", "basicServiceSetIdentifier"}
    | {"dnsSuffix", "captureDeviceName", "renderDeviceName"}
)  # fmt: skip
"""Members of Graph's record whose texts name a person, a machine or a place in a network."""
IDENTITIES = frozenset({"associatedIdentity", "identity", "user", "guest", "phone", "organizer_v2", "participants_v2"})
"""Members below which an `id` is a person's or a number."""
SHORTEST = 6
"""Shorter texts occur by accident."""

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every member with its value, by path; an empty object or list is a leaf, links of `@odata` are left out."""
    if isinstance(value, dict) and value:
        for name, inner in cast("dict[str, Any]", value).items():
            if not name.endswith(("@odata.context", "@odata.nextLink")):
                yield from leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(cast("list[Any]", value)):
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


def forms_of(text: str) -> set[bytes]:
    """The text as it is, escaped, reversed, and as hex or base64 of it wherever in a longer content it stands."""
    plain, small = text.encode(), text.lower()
    readable = (small, json.dumps(small)[1:-1], quote(text, safe="").lower(), small[::-1], plain.hex())
    return {form.encode() for form in readable} | set(_base64_forms(plain))


def _base64_forms(plain: bytes) -> Iterator[bytes]:
    """The characters of base64 that depend on this content alone, for each of the three places it may begin at."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain)
        first = (before * 8 + 5) // 6
        certain = encoded[first : (before + len(plain)) * 8 // 6]
        yield certain
        yield certain.translate(bytes.maketrans(b"+/", b"-_"))


def found_in(texts: Iterable[str], *contents: bytes) -> set[str]:
    """Those of the texts that stand in the contents in any form; letters in either case but for base64."""
    whole = b"\n".join(contents)
    searched = whole + b"\n" + whole.decode(errors="replace").lower().encode()
    return {text for text in texts if any(form in searched for form in forms_of(text))}
