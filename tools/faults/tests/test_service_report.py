"""What a service counts and logs is compared with what was done to it, from the moment before its restart."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from ringback_faults.actions import service_report
from ringback_faults.actions.service_report import REMOVED, Fact, ServiceReport, metric_sum


def test_a_figure_of_a_group_is_read_over_all_its_topics() -> None:
    """Neither another group's nor another metric's."""
    text = (
        'removed_total{group="g",topic="a"} 2.0\nremoved_total{group="g",topic="b"} 3.0\n'
        'removed_total{group="g-operations",topic="a"} 5.0\nremoved_created{group="g",topic="a"} 7.0\n'
    )
    assert metric_sum(text, "removed_total", "g") == 5
    assert metric_sum(text, "removed_total") == 10
    assert metric_sum("", "removed_total", "g") == 0


def line(fact: Fact, level: str = "ERROR", **fields: int) -> bytes:
    """As a service logs it."""
    return orjson.dumps({"level": level, "message": fact.sentence, **fields}) + b"\n"


@pytest.mark.parametrize(
    ("counted", "lines", "error"),
    [
        (5, [line(REMOVED, count=2), line(REMOVED, count=3)], 0),
        (6, [line(REMOVED, count=2), line(REMOVED, count=3)], 1),
        (4, [line(REMOVED, count=2), line(REMOVED, count=2)], 2),
        (5, [line(REMOVED, count=2)], 3),
        (5, [line(REMOVED, "WARNING", count=5)], 5),
        (5, [line(REMOVED, count=5), line(REMOVED, count=2)[:-1]], 0),
        (5, [line(REMOVED, count=5), line(REMOVED, count=2)[:-9]], 0),
        (5, [b"no JSON\n", line(REMOVED, count=2), line(REMOVED, count=3), line(REMOVED)], 1),
    ],
)
async def test_five_were_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: int, lines: list[bytes], error: int
) -> None:
    """By both, at ERROR; what stood in the log before is of another process, and a half-written line does not count."""

    async def metrics(*_: Any) -> str:
        return f'{REMOVED.metric}{{group="ringback-enricher",topic="a"}} {counted}.0\n'

    monkeypatch.setattr(service_report, "metrics_of", metrics)
    monkeypatch.setattr(service_report, "_REPORT_SECONDS", 0.0)
    monkeypatch.setattr(service_report, "_SURPLUS_SECONDS", 0.0)
    log, old = tmp_path / "enricher.log", line(REMOVED, count=9)
    log.write_bytes(old + b"".join(lines))
    scene: Any = None
    reported = await ServiceReport(scene, "enricher", REMOVED, log, len(old)).compared(5)
    assert reported["error"] == error
    assert reported["counted"] == counted
