"""The open examples of the contract, projected from its restricted ones with the keys of the golden vectors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ringback_events.project import project
from ringback_events.tokens import Pseudonymizer, TokenKeys, TokenPolicy

__all__ = ["projected_examples"]


def projected_examples(contracts: Path) -> Iterator[tuple[Path, str]]:
    """Path and text of each open example: `call/<case>`, `session/<case>-<ordinal>`, `sessions-completed/<case>`."""
    examples = contracts / "examples"
    for restricted in sorted((examples / "record").glob("*.json")):
        record = json.loads(restricted.read_text("utf-8"))
        opened = project(record, _tokens(contracts).for_parties_of(record))
        case = restricted.stem
        yield examples / "call" / f"{case}.json", _text(opened.call)
        yield examples / "sessions-completed" / f"{case}.json", _text(opened.completed)
        for session in opened.sessions:
            yield examples / "session" / f"{case}-{session['ordinal']}.json", _text(session)


def _tokens(contracts: Path) -> Pseudonymizer:
    masters = json.loads((contracts / "token-vectors.json").read_text("utf-8"))["masters"]
    keys = TokenKeys.model_validate({"active": "k1", "keys": {kid: {"key": key} for kid, key in masters.items()}})
    return Pseudonymizer(keys, TokenPolicy.MONTHLY)


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
