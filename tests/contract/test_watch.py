"""The watch: rules, boards and their sections of the handbook fit what the processes measure, offline.

That each alert fires and stays silent is proved by `promtool test rules` in tests/containers/test_compose.py.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from ringback_cli.__main__ import app
from ringback_events.topics import ALL_TOPICS
from typer.testing import CliRunner

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
BOARDS = sorted((MONITORING / "grafana" / "boards").glob("*.json"))
KINDS = dict(re.findall(r"(?m)^\| `(ringback_\w+)` \| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text()))
SUFFIXES = {"counter": {"_total"}, "gauge": {""}, "histogram": {"_bucket", "_sum", "_count"}}
SERIES = {name + suffix for name, kind in KINDS.items() for suffix in SUFFIXES[kind]}


def alerts() -> list[dict[str, Any]]:
    """All alert rules."""
    loaded = yaml.safe_load((MONITORING / "rules.yml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"] if "alert" in rule]


def runbook() -> dict[str, str]:
    """The text of each section."""
    parts = re.split(r"(?m)^## (.+)\n", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def unknown(expression: str) -> set[str]:
    """The series of ours in a query that no process serves."""
    return set(re.findall(r"\bringback_\w+", expression)) - SERIES


def test_the_catalogue_is_read() -> None:
    """The checks below are alive."""
    assert len(SERIES) > 60
    assert unknown("rate(ringback_webhook_posts[5m])") == {"ringback_webhook_posts"}


def test_every_alert_asks_what_is_measured_and_has_a_section_of_the_runbook() -> None:
    """Severity, a summary, its own section; no query of a metric that was renamed."""
    assert len(alerts()) > 30
    for alert in alerts():
        assert unknown(alert["expr"]) == set(), alert["alert"]
        assert alert["labels"]["severity"] in {"page", "ticket"}, alert["alert"]
        assert alert["annotations"].keys() == {"summary", "runbook"}, alert["alert"]
        assert alert["annotations"]["runbook"] == alert["alert"].lower()
    *sections, watched = runbook()
    assert sorted(sections) == sorted(alert["alert"] for alert in alerts())
    assert all(alert["alert"] in runbook()[watched] for alert in alerts() if "Missing" not in alert["alert"])


def test_every_section_says_how_to_see_what_to_do_and_when_it_is_cured() -> None:
    """Its queries ask for series that are served; its commands have the options that the command knows."""
    *sections, _ = runbook().items()
    for name, text in sections:
        (commands,), (query,) = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("sh", "promql"))
        assert unknown(query) == set(), name
        assert "**Do**: " in text, name
        assert "**Cured**: " in text, name
        for line in commands.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "ringback", name
            ended = CliRunner().invoke(app, [*arguments, "--help"])
            assert ended.exit_code == 0, (name, line, ended.output)


def test_an_option_that_does_not_exist_is_seen() -> None:
    """The check of commands is alive."""
    assert CliRunner().invoke(app, ["dlq", "ls", "--oldest", "--help"]).exit_code == 2


def test_near_retention_is_half_of_what_the_topics_keep() -> None:
    """No topic that is consumed keeps less than twice the age of its alert."""
    (rule,) = (alert for alert in alerts() if alert["alert"] == "RingbackNearRetention")
    parts = re.findall(r'topic(=~|!~)"([^"]+)"\} > (\d+)', rule["expr"])
    assert len(parts) == 2
    for topic in ALL_TOPICS:
        limits = [int(age) for sign, named, age in parts if bool(re.fullmatch(named, topic.name)) == (sign == "=~")]
        if topic.retention_ms is not None:
            assert len(limits) == 1, topic.name
            assert limits[0] * 2000 <= topic.retention_ms, topic.name


def test_every_alert_is_fired_and_kept_silent_by_a_case() -> None:
    """One of each for each alert, in the file that promtool runs."""
    cases = yaml.safe_load((MONITORING / "rules_test.yml").read_text())["tests"]
    expected = {(check["alertname"], bool(check["exp_alerts"])) for case in cases for check in case["alert_rule_test"]}
    assert expected == {(alert["alert"], fires) for alert in alerts() for fires in (True, False)}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_panel_asks_what_is_measured_and_says_what_is_bad(board: Path) -> None:
    """By the provisioned source; each panel has a description."""
    loaded = json.loads(board.read_text())
    assert loaded["uid"] == f"ringback-{board.stem}"
    for panel in loaded["panels"]:
        assert panel["description"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, panel["title"]
        for target in panel["targets"]:
            assert unknown(target["expr"]) == set(), panel["title"]


def test_the_boards_and_sources_that_grafana_is_given_are_where_compose_mounts_them() -> None:
    """Grafana cannot be had everywhere: what it reads is checked here, its folders in the compose file."""
    assert {board.stem for board in BOARDS} == {"flow", "graph"}
    provisioning = MONITORING / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "ringback.yml").read_text())["datasources"]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert {re.split("[:/]+", source["url"])[1] for source in sources} <= services.keys()
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "ringback.yml").read_text())["providers"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert {target: (ROOT / source).is_dir() for source, target in mounted.items()} == {
        services["grafana"]["environment"]["GF_PATHS_PROVISIONING"]: True,
        provider["options"]["path"]: True,
    }
