"""Documents that are generated or that name files: they tell the truth."""

import re
from pathlib import Path

import pytest
from ringback_common.outcomes import Reason
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_graph.tenants import read_tenants
from ringback_local.pages import pages
from ringback_local.settings_page import settings

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("contracts/*.md"), *ROOT.glob("*/*/README.md")]
)


def test_generated_pages_are_up_to_date() -> None:
    """`make contracts` was run after a metric or a setting changed."""
    written = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in pages()}
    assert written == pages()


def test_every_metric_in_the_sources_is_on_its_page() -> None:
    """Whichever package declares a metric: an operator finds it."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    sources = [path for room in ("libs", "services", "tools") for path in (ROOT / room).glob("*/src/**/*.py")]
    declaration = re.compile(r'catalogue\.(?:counter|gauge|histogram)\(\s*"(\w+)"')
    declared = {name for path in sources for name in declaration.findall(path.read_text(encoding="utf-8"))}
    assert len(declared) > 50
    assert [name for name in sorted(declared) if f"`{name}`" not in page] == []


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    """An operator who reads a reason in `ringback dlq ls` finds what to do."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/*/src/**/*.py"))
    used = [reason for reason in Reason if f"Reason.{reason.name}" in sources]
    assert len(used) > 15
    assert [reason.value for reason in used if f"`{reason.value}`" not in page] == []


def test_the_documented_tenants_file_is_one(tmp_path: Path) -> None:
    """The example of docs/operating.md is read as it stands."""
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "operating.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "tenants.yaml").write_text(example, encoding="utf-8")
    tenants = read_tenants(tmp_path / "tenants.yaml").values()
    assert [tenant.budget for tenant in tenants] == [1500, 750]


def test_every_setting_is_explained() -> None:
    """No variable without a sentence: an operator does not read the code."""
    assert [setting.variable for setting in settings() if not setting.meaning] == []


def test_the_verdicts_page_has_the_limits_in_force_and_the_rules_left_out() -> None:
    """An analyst who compares with Microsoft's own dashboard finds each limit, and why the two may differ."""
    (page,) = re.findall(r"## Verdicts\n(.*?)\n## ", (ROOT / "docs" / "store.md").read_text("utf-8"), re.DOTALL)
    rules = CQD_2026_1
    for limit in (
        f"`{rules.version}`",
        f"more than {rules.audio_packets} packets",
        f"round trip above {rules.audio_round_trip_ms} ms",
        f"loss above {rules.audio_loss:.0%}".replace("%", " %"),
        f"jitter above {rules.audio_jitter_ms} ms",
        f"frame loss above {rules.video_frame_loss} %",
        f"frame rate below {rules.video_frame_rate}",
        f"frame rate below {rules.sharing_frame_rate}",
        f"error correction above {rules.video_post_fec_loss:.0%}".replace("%", " %"),
    ):
        assert limit in page, limit
    for left_out in ("freeze", "spoiled tiles", "degradation", "concealed", "1,000 packets", "ICE", "classifiers"):
        assert left_out in page, left_out


def test_a_request_that_names_a_version_is_said_to_be_nobodys_yet() -> None:
    """The look at a lower version is built and tested; a reader must not wait for it."""
    writers = [path for room in ("libs", "services", "tools") for path in (ROOT / room).glob("*/src/**/*.py")]
    asks = [path.name for path in writers if re.search(r"min_?[vV]ersion\"?[:=] ?[a-z0-9(]", path.read_text("utf-8"))]
    assert set(asks) <= {"pending_fetch.py", "fetch.py"}  # what reads such a request and what declares it
    (row,) = re.findall(r"^\| lower version .*$", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE)
    assert "no request names one yet" in row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    """A newcomer who clicks arrives."""
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    local = [(page.parent / link if link else page, heading) for link, heading in links if "://" not in link]
    assert [str(file) for file, _ in local if not file.exists()] == []
    assert [heading for file, heading in local if heading and heading not in _headings(file)] == []


def _headings(page: Path) -> set[str]:
    """The anchors of a page, as they are made of its headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_decision_has_a_number_of_its_own_and_a_line_in_the_index() -> None:
    """Two people who decide on one day do not take the same number unnoticed; one of them may land later."""
    decisions = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    assert len({page.name[:4] for page in decisions}) == len(decisions)
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    titles = [page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in decisions]
    expected = [f"- [{title}]({page.name})" for title, page in zip(titles, decisions, strict=True)]
    assert [line for line in index.splitlines() if line.startswith("- ")] == expected


def test_the_promise_in_the_readme_is_explained_line_by_line() -> None:
    """docs/promises.md has a row for each of the nine promises, and names tests that exist."""
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    promised = re.findall(r"^(\d)\. \*\*(.+?)\.?\*\*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(promised) == 9
    assert [name for number, name in promised if f"| {number} | **{name}** |" not in text] == []
    named = re.findall(r"`((?:tests|libs|services|tools)/[^`]+\.py)(?:::(\w+))?`", text)
    assert len(named) >= 9
    missing = [f"{path}::{test}" for path, test in named if not _holds(ROOT / path, test)]
    assert missing == []


def test_every_row_of_the_edge_names_tests_that_exist() -> None:
    """docs/security-tests.md has S1 to S17, each with a test, and every file of tests/edge stands in it."""
    text = (ROOT / "docs" / "security-tests.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| S(\d+) \|.*\| (`.*`) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 18))
    named = re.findall(r"`((?:tests|libs|services)/[^`]+?\.py)(?:::(\w+))?`", "".join(tests for _, tests in rows))
    assert [f"{path}::{test}" for path, test in named if not _holds(ROOT / path, test)] == []
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "edge").glob("test_*.py")}
    assert files <= {path for path, _ in named}


def _holds(path: Path, test: str) -> bool:
    return path.is_file() and (not test or f"def {test}(" in path.read_text(encoding="utf-8"))
