"""What a service counts and logs is held against what was done to it: exactly, from the moment it was listened to."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from ringback_faults.actions import witness
from ringback_faults.actions.witness import REMOVED, Fact, Witness, figure_in


def test_a_figure_of_a_group_is_read_over_all_its_topics() -> None:
    """Neither another group's nor another metric's."""
    text = (
        'removed_total{group="g",topic="a"} 2.0\nremoved_total{group="g",topic="b"} 3.0\n'
        'removed_total{group="g-operations",topic="a"} 5.0\nremoved_created{group="g",topic="a"} 7.0\n'
    )
    assert figure_in(text, "removed_total", "g") == 5
    assert figure_in("", "removed_total", "g") == 0


def line(fact: Fact, level: str = "ERROR", **fields: int) -> bytes:
    """As a service logs it."""
    return orjson.dumps({"level": level, "message": fact.sentence, **fields}) + b"\n"


@pytest.mark.parametrize(
    ("counted", "lines", "off"),
    [
        (5, [line(REMOVED, count=2), line(REMOVED, count=3)], 0),
        (6, [line(REMOVED, count=2), line(REMOVED, count=3)], 1),
        (4, [line(REMOVED, count=2), line(REMOVED, count=2)], 2),
        (5, [line(REMOVED, count=2)], 3),
        (5, [line(REMOVED, "WARNING", count=5)], 5),
        (5, [b"no JSON\n", line(REMOVED, count=2), line(REMOVED, count=3), line(REMOVED)], 1),
    ],
)
async def test_five_were_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: int, lines: list[bytes], off: int
) -> None:
    """By both, at ERROR; what stood in the log before is of another process."""

    async def metrics(*_: Any) -> str:
        return f'{REMOVED.metric}{{group="ringback-enricher",topic="a"}} {counted}.0\n'

    monkeypatch.setattr(witness, "metrics_of", metrics)
    monkeypatch.setattr(witness, "_TOLD_SECONDS", 0.0)
    monkeypatch.setattr(witness, "_TOO_MANY_SECONDS", 0.0)
    log, old = tmp_path / "enricher.log", line(REMOVED, count=9)
    log.write_bytes(old + b"".join(lines))
    scene: Any = None
    told = await Witness(scene, "enricher", REMOVED, log, len(old)).told(5)
    assert told["off"] == off
