"""One run: the servers it needs, the stages asked for, the report."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ringback_events.times import wire_time
from ringback_local.kafka import open_broker

from bench import end_to_end, enricher, machine, store, webhook
from bench.figures import Figures, with_ratios
from bench.report import Report
from bench.round import Round

__all__ = ["STAGES", "Options", "run"]

STAGES = ("webhook", "enricher", "store", "e2e")
_OUT = Path(__file__).with_name("out")


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, how long one measurement takes, and where the figures go."""

    stages: Sequence[str]
    seconds: float
    json: Path | None
    profile: bool


async def run(options: Options, say: Callable[[str], None]) -> tuple[Report, Path]:
    """Measure, and write the figures; the report and its file.

    Raises:
        ConfigError: Kafka or PostgreSQL cannot be run here.
    """
    started, clock, load = datetime.now(UTC), time.monotonic(), machine.load_average()
    file = options.json or _OUT / f"{started:%Y%m%dT%H%M%S}.json"
    with TemporaryDirectory(prefix="ringback-bench-") as folder:
        stacks = _made(file.with_suffix("")) if options.profile else None
        bench = Round(options.seconds, Path(folder), say, stacks)
        lines = with_ratios(await _stages(bench, options.stages))
    report = Report(
        started=wire_time(started),
        commit=machine.commit(),
        seconds=options.seconds,
        took=time.monotonic() - clock,
        profiled=options.profile,
        load_average=(load, machine.load_average()),
        machine=machine.machine(),
        versions=machine.versions(),
        lines=lines,
        costs=bench.costs,
    )
    report.write(file)
    return report, file


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _stages(bench: Round, stages: Sequence[str]) -> list[Figures]:
    """The first three share a Kafka; end to end brings its own of everything."""
    lines: list[Figures] = []
    alone = [stage for stage in stages if stage != "e2e"]
    if alone:
        bench.say("starting Kafka")
        with open_broker(lasting=True) as broker:
            measures = {"webhook": webhook.measure, "enricher": enricher.measure, "store": store.measure}
            for stage in alone:
                lines += await measures[stage](bench, broker.bootstrap_servers)
    if "e2e" in stages:
        lines += await end_to_end.measure(bench)
    return lines
