"""What a row took from topics reaches the judge: from the scene to the collection, and on into the ledgers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from ringback_events import topics
from ringback_faults import arena, load
from ringback_faults.collect import gather, store_dump
from ringback_faults.collect.baseline import run_folders
from ringback_faults.collect.gather import leaks_of
from ringback_faults.collect.kafka_ledger import KafkaLedger
from ringback_faults.collect.kept import Kept
from ringback_faults.collect.leaks import log_sizes, secrets_of
from ringback_faults.collect.people import People
from ringback_faults.ledgers import Act, Ledgers
from ringback_faults.row import Row

FETCH = topics.FETCH.name
KEPT = (
    Kept(10.0, FETCH, [], {0: 7}),
    Kept(20.0, FETCH, [], unread=frozenset({(FETCH, 0, 1)})),
)
"""A log of seven records was deleted; of the one after it the second record was removed."""


def planted(at: float, offset: int, reason: str = "") -> Act:
    """The harness wrote a record, and Kafka told where."""
    detail: dict[str, float | str] = {"partition": "0", "offset": str(offset)}
    return Act(at, at + 0.1, "poison" if reason else "plant", FETCH, {**detail, "reason": reason})


async def test_what_was_removed_and_what_was_planted_have_their_places_in_the_ledgers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The collection hands on what was kept, and counts both on after the log that was deleted."""
    given: list[Any] = []

    async def kafka_ledger(*arguments: Any, **more: Any) -> KafkaLedger:
        given.extend((*arguments, *more.values()))
        return KafkaLedger((), (), (), People())

    monkeypatch.setattr(gather, "kafka_ledger", kafka_ledger)
    monkeypatch.setattr(
        gather, "_graph", _answering(SimpleNamespace(posts=(), requests=(), expected={}, subscribed=(), odd=()))
    )
    monkeypatch.setattr(gather, "leaks_of", _constant(()))
    monkeypatch.setattr(gather, "_tenant_budget", _constant(1500))
    monkeypatch.setattr(store_dump, "connected", _opening(None))
    for name in ("stored_calls", "stored_versions", "writes_since"):
        monkeypatch.setattr(store_dump, name, _answering({} if name == "stored_calls" else ()))
    world: Any = SimpleNamespace(stack=SimpleNamespace(bootstrap_servers="", dsn="", events=[]), beside=None)
    baseline: Any = SimpleNamespace(ends={}, known=frozenset(), last_write=0, starts={}, events=0)
    acts = [planted(9.0, 3, "undecodable"), planted(12.0, 3)]
    ledgers = await gather.collect(world, baseline, acts, (), 0.0, 0.0, None, KEPT)
    assert KEPT in given
    assert ledgers.removed == {(FETCH, 0, 8)}
    assert ledgers.planted == {(FETCH, 0, 3): "undecodable", (FETCH, 0, 10): ""}


@pytest.mark.parametrize("folder", ["own", "beside"])
@pytest.mark.parametrize("printed", ["gone", "kept", "other", "Grace Hopper"])
def test_logs_of_all_installations_are_searched_for_all_secrets_and_people(
    tmp_path: Path, folder: str, printed: str
) -> None:
    """Those of a key that left the file while the row went on, too, and those of an installation beside it."""
    own, beside = tmp_path / "own", tmp_path / "beside"
    for run_folder, secret in ((own, "gone"), (beside, "other")):
        run_folder.mkdir()
        _put_key(run_folder, secret)
        (run_folder / "webhook.log").write_text(f"before {_long(secret)}\n")
    world: Any = SimpleNamespace(stack=SimpleNamespace(run_folder=own), beside=SimpleNamespace(run_folder=beside))
    folders = run_folders(world)
    baseline: Any = SimpleNamespace(logs=log_sizes(folders), secrets=secrets_of(folders))
    _put_key(own, "kept")
    people = People()
    people.canaries["displayName 0"] = "Grace Hopper"
    assert leaks_of(world, baseline, [People(), people]) == ()
    with (tmp_path / folder / "webhook.log").open("a") as log:
        log.write(f"now {_long(printed)}\n")
    (found,) = leaks_of(world, baseline, [People(), people])
    assert f"stands in {folder}/webhook.log" in found


def _long(word: str) -> str:
    return word if " " in word else word * 8


def _put_key(run_folder: Path, secret: str) -> None:
    key = {"kid": secret, "secret": _long(secret)}
    (run_folder / "client-state-keys.json").write_bytes(orjson.dumps({"active": secret, "keys": [key]}))


async def test_what_the_scene_kept_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, once the row is over."""
    given: list[Any] = []
    scene = SimpleNamespace(members={}, acts=[], started=0.0, kept=list(KEPT), row=SimpleNamespace(steps=()))

    async def collect(*arguments: Any, **more: Any) -> Ledgers:
        given.extend((*arguments, *more.values()))
        raise InterruptedError

    monkeypatch.setattr(arena, "mark", _answering(None))
    monkeypatch.setattr(arena, "open_scene", _opening(scene))
    monkeypatch.setattr(arena, "Sampler", _opening(SimpleNamespace(samples=[])))
    monkeypatch.setattr(load, "begin", _answering(None))
    monkeypatch.setattr(load, "over", _answering(value=False))
    monkeypatch.setattr(arena, "collect", collect)
    row = Row.model_validate({"row": "R1", "fault": "none", "judged": [], "expect": {"evidence": {"posts": 1}}})
    world: Any = None
    with pytest.raises(InterruptedError):
        await arena.run_row(world, row, 7)
    assert KEPT in given


def _constant(value: Any) -> Any:
    def answer(*_: Any) -> Any:
        return value

    return answer


def _answering(value: Any) -> Any:
    async def answer(*_: Any, **__: Any) -> Any:
        return value

    return answer


def _opening(value: Any) -> Any:
    @asynccontextmanager
    async def opened(*_: Any, **__: Any) -> AsyncGenerator[Any]:
        yield value

    return opened
