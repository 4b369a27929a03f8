"""What of a library's log arguments may stand in a line: values of an allow-list, so that a line says what it is about.

Numbers of up to nine digits, classes and errors' classes are code. Of texts only those of a known shape are written:
our topics and groups, GUIDs, names of protocol messages, and the values of a process' own configuration that it has
passed to `allow`.
Anything else is withheld: an argument may be a name, an address, a token or a payload.
"""

import errno
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, cast

__all__ = ["WITHHELD", "allow", "filled", "prefixed", "shown", "template_of"]

WITHHELD = "(withheld)"

_MOST_PARTS = 8
_SHAPES = re.compile(
    r"callrecords\.(?:open|restricted|internal)\.[a-z0-9-]{1,40}\.v\d{1,3}"  # a topic
    r"|ringback-(?:keeper|enricher|sink-store|sink-store-operations|ingest)"  # a group
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a call, a tenant, a subscription
    r"|[A-Z][A-Za-z]{2,40}(?:Request|Response|Error|Exception)(?:_v\d{1,3})?"  # a protocol message, a class
)
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0+]*\d*(?:\.\d+)?[a-zA-Z]")
_LARGEST = 10**9
"""Numbers from here on may be a person's: a telephone number has ten digits and more."""
_allowed: set[str] = set()
_prefixes: set[str] = {""}


class _Shown(str):
    """A text that may be written; `%r` gives it without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _ByName(dict[str, Any]):
    """Arguments by name; a template that writes all of them at once gets their class, for names may be people's."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "dict"


def allow(values: Iterable[str]) -> None:
    """Let these texts stand in lines: configuration of the process, such as the names of its brokers.

    Call it once, at the start; never with what came from outside.
    """
    _allowed.update(values)


def prefixed(prefix: str) -> None:
    """Let topics and groups stand in lines with the prefix that the process puts before them, and with no other."""
    _prefixes.add(prefix)


def template_of(message: object) -> str:
    """The first argument of a library's call; of an exception, or of whatever is no text, its class."""
    return message if isinstance(message, str) else str(shown(message))


def filled(template: str, arguments: object) -> str:
    """A library's template with its arguments, each as `shown` gives it; never a bare template.

    Whatever an argument does when it is written, nothing is raised: `logging` would print all of them as they came.

    Args:
        template: the first argument of the library's call.
        arguments: the rest, as `logging.LogRecord.args` has them: a tuple, a mapping, or nothing.
    """
    if not arguments:
        return _PLACEHOLDER.sub(WITHHELD, template)
    try:
        return template % _safe(template, arguments)
    except Exception:  # noqa: BLE001 - `%` runs __format__ and __str__ of any argument, which may raise anything
        return _PLACEHOLDER.sub(WITHHELD, template)


def _safe(template: str, arguments: object) -> Any:
    """What `%` may take: `logging` hands a lone mapping over as the arguments, be it meant by name or as a value."""
    if isinstance(arguments, tuple):
        return tuple(shown(value) for value in cast("tuple[object, ...]", arguments))
    if not (isinstance(arguments, Mapping) and "%(" in template):
        return (shown(cast("object", arguments)),)
    given = cast("Mapping[str, object]", arguments)
    return _ByName({name: shown(value) for name, value in given.items()})


def shown(value: object, *, deep: bool = False) -> Any:
    """A value as a line may have it; what is neither code nor known is withheld.

    Args:
        value: an argument of a library's.
        deep: it is a part of another one: a part that has parts itself is named by its class alone.
    """
    if value is None:
        return None
    if isinstance(value, bool | int | float) and type(value) in {bool, int, float}:  # others write what they like
        return value if -_LARGEST < value < _LARGEST else _Shown(WITHHELD)
    if isinstance(value, str):
        text = str.__str__(value)
        return _Shown(text if _is_known(text) else WITHHELD)
    if isinstance(value, bytes | bytearray):
        return _Shown(WITHHELD)
    if isinstance(value, tuple | list | set | frozenset) and not deep:
        return _parts(cast("Iterable[object]", value))
    return _Shown(_named(cast("object", value)))


def _is_known(text: str) -> bool:
    return text in _allowed or any(_SHAPES.fullmatch(text.removeprefix(prefix)) for prefix in _prefixes)


def _parts(values: Iterable[object]) -> _Shown:
    """The parts of a list, or of a pair such as topic and partition."""
    parts = list(values)
    more = [f"{len(parts) - _MOST_PARTS} more"] if len(parts) > _MOST_PARTS else []
    return _Shown(", ".join([*(str(shown(part, deep=True)) for part in parts[:_MOST_PARTS]), *more]))


def _named(value: object) -> str:
    """The name of an object's class, of a class or of an enumeration's member; with the errno of an OSError."""
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, OSError) and (code := errno.errorcode.get(value.errno or 0)):
        return f"{type(value).__name__} ({code})"
    return value.name if isinstance(value, Enum) else type(value).__name__
