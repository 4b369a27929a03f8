"""docs/settings.md, from the settings classes of all processes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ringback_cli.settings import KafkaAccess, StoreAccess
from ringback_common.settings import PREFIX
from ringback_enricher.settings import FetchSettings, RederiveSettings
from ringback_ingest.keeper.app import KeeperSettings
from ringback_ingest.webhook.app import WebhookSettings
from ringback_sink.settings import MigrateProcess, StoreProcess

__all__ = ["PROCESSES", "Setting", "settings", "settings_page"]

PROCESSES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("webhook", WebhookSettings),
    ("keeper", KeeperSettings),
    ("fetch", FetchSettings),
    ("rederive", RederiveSettings),
    ("store", StoreProcess),
    ("migrate", MigrateProcess),
    ("ringback", KafkaAccess),
    ("ringback", StoreAccess),
)
"""Who reads which settings; `ringback` asks only for what a command needs."""

_HEAD = """# Settings

Generated from the settings classes of the processes by `make contracts`; do not edit. Settings are environment
variables; a secret is a file, and the variable names the file. A missing or unusable variable ends the process with
exit code 2 and one sentence that names it; so does a misspelt name below a section the process reads
(`RINGBACK_KAFKA__TYPO`). Any other variable that begins with `RINGBACK_` and that no process reads is named in a
warning at the start; those that other processes read are passed over.

| variable | read by | default | what it says |
|---|---|---|---|
"""


@dataclass(slots=True)
class Setting:
    """One variable: its default as text, what it may be, and who reads it."""

    variable: str
    default: str
    meaning: str
    readers: list[str] = field(default_factory=list[str])

    def row(self) -> str:
        """Its line of the page."""
        cells = (f"`{self.variable}`", ", ".join(self.readers), self.default, self.meaning)
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def settings() -> list[Setting]:
    """Every variable of every process, in the order in which the classes name them, common ones first."""
    found: dict[str, Setting] = {}
    for process, model in PROCESSES:
        for setting in _of(model, PREFIX):
            known = found.setdefault(setting.variable, setting)
            if process not in known.readers:
                known.readers.append(process)
    return sorted(found.values(), key=lambda each: -len(each.readers))


def settings_page() -> str:
    """The page as Markdown."""
    return _HEAD + "".join(setting.row() for setting in settings())


def _of(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _of(kind, f"{variable}__")
        else:
            yield Setting(variable, _default(info), _meaning(info))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    return "none" if info.default is None else f"`{info.default}`" if info.default != "" else "empty"


def _meaning(info: FieldInfo) -> str:
    words = [word for word in _words(info.annotation) if word is not None]
    choice = f" One of {', '.join(f'`{word}`' for word in words)}." if words else ""
    return f"{' '.join((info.description or '').split())}{choice}"


def _words(kind: Any) -> tuple[Any, ...]:
    """The members of a closed choice."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in {UnionType, Union}:
        return tuple(word for one in get_args(kind) for word in _words(one))
    members: dict[str, Any] = getattr(kind, "__members__", {})
    return tuple(member.value for member in members.values())
