"""docs/performance.md: what is measured and how, and a run's own figures. No number here that a run did not give."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.goals import PEER_GOALS, Verdict, verdicts
from bench.report import Report
from bench.table import HEADINGS, cells

__all__ = ["page"]

_HEAD = Path(__file__).with_name("performance.md.in")


def page(reports: Sequence[Report]) -> str:
    """The page of the first report; top costs come from whichever has them."""
    first = reports[0]
    costs = next((report for report in reports if report.costs), None)
    parts = [
        _HEAD.read_text(encoding="utf-8"),
        "## The last run",
        "",
        *_facts(first),
        "",
        *_table(first),
        "",
        *_also(first),
        "",
        *_judgement(first),
        "",
        *_repeated(reports),
    ]
    parts += ["", "## Where the time goes", "", *(_costs(costs) if costs else ["No run was profiled."])]
    return "\n".join(parts) + "\n"


def _facts(report: Report) -> list[str]:
    facts, (before, after) = report.machine, report.load_average
    where = f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}"
    sentences = [
        f"{report.started}, commit `{report.commit}`, {report.seconds:g} s a measurement, {report.took:.0f} s in all.",
        f"{where}, Python {facts['python']}.",
        f"Load average {before} before (near 0: nothing else ran), {after} at the end.",
        "Stacks were sampled during this run, which slows it down." if report.profiled else "",
    ]
    libraries = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return [" ".join(sentences).strip(), "", f"Libraries: {libraries}."]


def _table(report: Report) -> list[str]:
    rows = [_row(HEADINGS), _row("---" for _ in HEADINGS)]
    return rows + [_row(row) for row in cells(report.lines)]


def _repeated(reports: Sequence[Report]) -> list[str]:
    """Every goal's figure in each of the runs given: how far a single verdict may be trusted."""
    runs = [verdicts(report.lines) for report in reports]
    heads = [f"{one.started[:16]}, load {one.load_average[0]}{', profiled' * one.profiled}" for one in reports]
    rows = [
        _row([one[0].goal.stage, one[0].goal.load, one[0].goal.words, *map(_value, one)])
        for one in zip(*runs, strict=True)
    ]
    heading = ("stage", "load", "goal", *heads)
    words = (
        "A verdict that changes from run to run is not settled. A load above 1 means that others used the machine too."
    )
    return ["## The goals over several runs", "", words, "", _row(heading), _row("---" for _ in heading), *rows]


def _value(verdict: Verdict) -> str:
    return "" if verdict.value is None else f"{verdict.value:.3g} ({verdict.said})"


def _also(report: Report) -> list[str]:
    """What the table has no column for."""
    return [
        f"{line.stage}, {line.load}, further: " + ", ".join(f"{name} {value:.1f}" for name, value in line.also.items())
        for line in report.lines
        if line.also.keys() - {"postgres_cpu_ms"}
    ]


def _row(values: Iterable[str]) -> str:
    return "| " + " | ".join(values) + " |"


def _judgement(report: Report) -> list[str]:
    missed = [one for one in verdicts(report.lines) if one.said != "met"]
    said = [_sentence(one) for one in missed] or ["- Every goal that can be measured without peers is met."]
    peers = [f"- {stage}: {words}." for stage, words in PEER_GOALS]
    intro = (
        "Goals beside other systems (Bento: stream processing out of ready-made parts, in Go; Quix Streams: a Python "
        "library), not measured until those are contestants of a run (`bench/contestant.py`):"
    )
    return ["## Not met, or not measured", "", *said, "", intro, "", *peers]


def _sentence(verdict: Verdict) -> str:
    goal = verdict.goal
    value = "" if verdict.value is None else f": {verdict.value:.4g}"
    return f"- {goal.stage}, {goal.load}: {goal.words} {verdict.said}{value}."


def _costs(report: Report) -> list[str]:
    """One line a load."""
    how = "py-spy, Python frames; C code counts for its caller"
    intro = f"The functions with most samples ({how}), commit `{report.commit}`:"
    caution = "A thread that waits for a core counts as busy, so a write that wakes a receiver on its core seems dear."
    return [intro, caution, "", *(f"- **{cost.stage}, {cost.load}**: {cost.line}." for cost in report.costs)]
