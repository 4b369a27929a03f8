"""Whether a person or a secret stands in what was written for operators: logs, metrics, spans, headers, answers.

A search that finds nothing proves nothing unless the same search finds the canaries where they were put: `leaks_in`
is for outputs, `missing_from` for inputs, and both look for the same forms. Pure but for `files_under`.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

__all__ = ["SHORTEST", "TOKEN", "Leak", "files_under", "forms_of", "leaks_in", "missing_from"]

SHORTEST = 6
"""Characters of a canary; shorter texts occur by accident."""

TOKEN = re.compile(rb"[A-Za-z0-9_-]{200}")
"""An access token, not known beforehand. No id, name or hash of ours is as long; the simulator's have 1,200."""


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """Something that must not be there; safe to print, for it does not repeat what it found."""

    place: str
    """The key of the output."""
    what: str
    """The canary's name, or `access token`."""
    form: str
    """`plain`, `escaped`, `quoted`, `reversed`, `hex` or `base64`."""


def leaks_in(outputs: Mapping[str, bytes], canaries: Mapping[str, str]) -> list[Leak]:
    """Every canary in every output, in whatever form; and access tokens, which need not be named.

    Args:
        outputs: what was written, by where.
        canaries: what must not be there, by what it is, e.g. `{"DSN password": "..."}`.

    Raises:
        ValueError: a canary is too short to be distinguished from an accident.
    """
    forms = {what: forms_of(canary) for what, canary in canaries.items()}
    return sorted(leak for place, output in outputs.items() for leak in _found(place, output, forms))


def missing_from(inputs: Iterable[bytes], canaries: Mapping[str, str]) -> set[str]:
    """Names of the canaries that stand in none of the inputs: of these a search of the outputs says nothing."""
    found = leaks_in({"inputs": b"\n".join(inputs)}, canaries)
    return set(canaries) - {leak.what for leak in found}


def files_under(*folders: Path, suffixes: Iterable[str] = (".log",)) -> dict[str, bytes]:
    """The files of a run by their path, those with one of the suffixes; a folder that is a file is that file."""
    wanted = tuple(suffixes)
    files = [file for folder in folders for file in ([folder] if folder.is_file() else sorted(folder.rglob("*")))]
    return {str(file): file.read_bytes() for file in files if file.is_file() and file.name.endswith(wanted)}


def forms_of(text: str) -> dict[bytes, str]:
    """The text as it is, escaped, reversed, and as hex or base64 of it wherever in a longer content it stands.

    All but base64 are in lower case.

    Raises:
        ValueError: the text is too short to be distinguished from an accident.
    """
    if len(text) < SHORTEST:
        raise ValueError(f"a canary has at least {SHORTEST} characters")
    plain, small = text.encode(), text.lower()
    forms = dict.fromkeys(_base64_forms(plain), "base64")
    forms |= {
        plain.hex().encode(): "hex",
        small[::-1].encode(): "reversed",
        quote(text, safe="").lower().encode(): "quoted",
    }
    return forms | {json.dumps(small)[1:-1].encode(): "escaped", small.encode(): "plain"}


def _base64_forms(plain: bytes) -> Iterator[bytes]:
    """The characters of base64 that depend on this content alone, for each of the three places it may begin at."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain)
        first = (before * 8 + 5) // 6
        certain = encoded[first : (before + len(plain)) * 8 // 6]
        yield certain
        yield certain.translate(bytes.maketrans(b"+/", b"-_"))


def _found(place: str, output: bytes, canaries: Mapping[str, Mapping[bytes, str]]) -> Iterator[Leak]:
    small = output.decode(errors="replace").lower().encode()
    for what, forms in canaries.items():
        found = [name for form, name in forms.items() if form in (output if name == "base64" else small)]
        yield from (Leak(place, what, name) for name in dict.fromkeys(found))
    if TOKEN.search(output):
        yield Leak(place, "access token", "plain")
