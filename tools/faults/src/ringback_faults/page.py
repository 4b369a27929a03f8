"""docs/reliability.md: how the promises are put to the test, and what the last runs found; no figure but theirs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from ringback_faults.mutants.report import MutantsRun
from ringback_faults.report import INVARIANTS
from ringback_faults.result import Result, Run
from ringback_faults.row import Row

__all__ = ["commit_of_planted_bugs", "page"]

_FIGURES = (("recovery_seconds", "recovery s"), ("repeats", "repeats"), ("ack_p99_ms", "ack p99 ms"))


def page(head: str, rows: Sequence[Row], runs: Sequence[tuple[str, Run]], mutants: MutantsRun | None) -> str:
    """The page.

    Args:
        head: what stands above the figures.
        rows: the regular suite.
        runs: the last ones, each with its heading.
        mutants: the last run with planted bugs, if there is one.
    """
    parts = [head.rstrip("\n"), "", "## The rows", "", *_rows(rows), "", "## The figures", "", _commits(runs, mutants)]
    for heading, run in runs:
        parts += ["", f"## {heading}", "", *_run(run)]
    parts += ["", "## Planted bugs", "", *(_mutants(mutants) if mutants else ["No run on record."])]
    return "\n".join(parts) + "\n"


def commit_of_planted_bugs(written: str) -> str | None:
    """The commit at which a page says that all bugs were planted; None if it names none, or one with changes on top."""
    section = written.partition("\n## Planted bugs\n")[2]
    named = re.search(r"commit `([0-9a-f]+)`", section)
    return named[1] if named else None


def _commits(runs: Sequence[tuple[str, Run]], mutants: MutantsRun | None) -> str:
    """Whether one tree was put to all tests."""
    of = {heading: run.commit for heading, run in runs} | ({"Planted bugs": mutants.commit} if mutants else {})
    if not of:
        return "No run on record."
    if len(set(of.values())) == 1:
        return f"All of one commit, `{next(iter(of.values()))}`: {', '.join(of)}."
    reported = ", ".join(f"{heading} `{commit}`" for heading, commit in of.items())
    return f"**Not of one commit**: {reported}. No one tree was put to everything below."


def _rows(rows: Sequence[Row]) -> list[str]:
    lines = [_line(("row", "fault", "installation", "there for")), _line(["---"] * 4)]
    return lines + [_line((row.row, row.fault, row.world, " ".join(row.judged))) for row in rows]


def _run(run: Run) -> list[str]:
    seeds = ", ".join(map(str, dict.fromkeys(seed for _, seed in run.plan)))
    failed = [result for result in run.results if not result.clean]
    verdict = f"{len(failed)} of {len(run.results)} not clean" if failed else f"all {len(run.results)} clean"
    lacking = f", {len(run.left)} not run" if run.left else ""
    return [
        f"{run.started}, commit `{run.commit}`, {run.took / 60:.1f} min: {verdict}{lacking}. Seeds {seeds}.",
        _where(run.machine),
        "",
        *_totals(run),
        "",
        *_scorecard(run),
        *chain.from_iterable(map(_failure, failed)),
    ]


def _where(facts: Mapping[str, str]) -> str:
    reported = {name: facts.get(name, "?") for name in ("processor", "cores", "memory_gib", "kernel", "python")}
    machine = "{processor}, {cores} cores, {memory_gib} GiB, Linux {kernel}, Python {python}".format_map(reported)
    return f"{machine}, load average {facts.get('load_average', '?')} before."


def _totals(run: Run) -> list[str]:
    """Each class over all rows."""
    verdicts = [result.verdict for result in run.results if result.verdict is not None]
    counts = {name: sum(verdict.anomalies.get(name, 0) for verdict in verdicts) for name in INVARIANTS}
    posts = sum(verdict.evidence.get("items_accepted", 0) for verdict in verdicts)
    reported = ", ".join(f"{words} {counts[name]:,}" for name, words in INVARIANTS.items())
    return [f"Accepted items over all rows: {posts:,.0f}. Anomalies: {reported}."]


def _scorecard(run: Run) -> list[str]:
    heads = ["row", "seed", "verdict", "anomalies", *(words for _, words in _FIGURES), "peak RSS MiB", "evidence", "s"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    order = {name: place for place, (name, _) in enumerate(run.plan)}
    return lines + [
        _line(_result(result)) for result in sorted(run.results, key=lambda one: (order[one.row], one.seed))
    ]


def _result(result: Result) -> list[str]:
    verdict = result.verdict
    if verdict is None:
        return [result.row, str(result.seed), "**not judged**", *[""] * 6, f"{result.seconds:.0f}"]
    said = "clean" if result.clean else f"**{result.word}**"
    figures = [result.figure(name, ",.3g") for name, _ in _FIGURES]
    memory = max((value for name, value in verdict.figures.items() if name.startswith("rss_mib_")), default=None)
    peak, seconds = "" if memory is None else f"{memory:,.3g}", f"{result.seconds:.0f}"
    return [result.row, str(result.seed), said, result.broken, *figures, peak, result.evidence, seconds]


def _failure(result: Result) -> list[str]:
    sentences = [] if result.verdict is None else [*result.verdict.sentences]
    error = result.error.strip().splitlines()[-1:] if result.error else []
    return ["", f"**{result.row}**, seed {result.seed}:", "", *(f"- {words}" for words in (*sentences, *error))]


def _mutants(run: MutantsRun) -> list[str]:
    caught = sum(outcome.caught for outcome in run.outcomes)
    heads = ("bug", "what it does", "row", "seen by", "s")
    lines = [_line(heads), _line(["---"] * len(heads))]
    for outcome in run.outcomes:
        by = " ".join(outcome.by) if outcome.caught else f"**not caught** {outcome.result.error.strip()[-80:]}"
        lines.append(_line((outcome.mutant, outcome.bug, outcome.result.row, by, f"{outcome.seconds:.0f}")))
    green = ", ".join(f"{control.row} {'clean' if control.clean else '**not clean**'}" for control in run.controls)
    return [
        "Each bug is patched into a copy of the tree and has to be seen by a class of the regular rows.",
        "The same rows without it have to be clean.",
        "",
        f"{run.started}, commit `{run.commit}`, seed {run.seed}, {run.took / 60:.1f} min.",
        f"{caught} of {len(run.outcomes)} caught.",
        "",
        *lines,
        "",
        f"Without a bug: {green}." if green else "Their rows without a bug were not run beside them.",
    ]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
