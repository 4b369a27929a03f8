r"""Rows as lines that `COPY ... (FORMAT csv, NULL 'null', ESCAPE '\')` reads.

A JSON array without its brackets is such a line: numbers and booleans bare, strings quoted, `null` bare; so one call
in C writes a whole row. The two forms differ in JSON's escapes of control characters only: those rare rows are written
the slow way.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import orjson

__all__ = ["array", "document", "line"]

_PIECE = 1024 * 1024
_NUL = "\x00"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_WORD = re.compile(r"[A-Za-z0-9._:/-]+")
_NUL_IN_JSON = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""An escaped U+0000; after an odd number of backslashes it is just text."""


def line(values: Sequence[object]) -> tuple[bytes, int]:
    """One row, and how many U+0000 became U+FFFD in it, for PostgreSQL's text has no U+0000.

    Args:
        values: strings, integers of 64 bits, floats, booleans and None.
    """
    written = orjson.dumps(values)
    if b"\\" not in written or not _has_control_escape(written):
        return written[1:-1] + b"\n", 0
    replaced = sum(value.count(_NUL) for value in values if isinstance(value, str))
    return b",".join(_field(value) for value in values) + b"\n", replaced


def _has_control_escape(written: bytes) -> bool:
    return b"\\" in written.replace(b"\\\\", b"").replace(b'\\"', b"")


def _field(value: object) -> bytes:
    if not isinstance(value, str):
        return orjson.dumps(value)
    return _quoted(value.replace(_NUL, _REPLACEMENT).encode())


def _quoted(text: bytes) -> bytes:
    """In pieces: one call for 40 MiB would keep the interpreter for itself."""
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return b"".join((b'"', *(piece.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for piece in pieces), b'"'))


def document(graph: bytes) -> tuple[bytes, int]:
    """Graph's JSON as one quoted field, untouched but for U+0000, which jsonb refuses; and how many there were."""
    if b"\\u0000" not in graph:
        return _quoted(graph), 0
    clean, replaced = _NUL_IN_JSON.subn(rb"\1\\ufffd", graph)
    return _quoted(clean), replaced


def array(values: Iterable[str]) -> str:
    """A list of strings as PostgreSQL's array literal; plain words stay bare, so that their row keeps the fast way."""
    return "{" + ",".join(map(_element, values)) + "}"


@lru_cache(maxsize=4096)
def _element(value: str) -> str:
    if _WORD.fullmatch(value) and value.lower() != "null":
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
