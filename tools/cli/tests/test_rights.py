"""Rights in Kafka: who reads and writes which topic, as the contract names producers and consumers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ringback_cli.__main__ import app
from ringback_cli.core.rights import GROUPS, User, rights
from ringback_events.topics import ALL_TOPICS, FETCH, FETCH_LANES, RECORDS, Topic
from typer.testing import CliRunner

SERVICES = Path(__file__).parents[3] / "services"
LANES = {topic.entity for topic in FETCH_LANES}
RUNS_WITH = {"internal.control", "internal.status"}
"""Every process that follows the stream."""
READS = {
    User.WEBHOOK: set[str](),
    User.KEEPER: {"internal.control", "internal.lifecycle"},
    User.ENRICHER: {"internal.control", *(f"internal.{lane}" for lane in LANES)},
    User.REDERIVE: {"restricted.records", "open.calls"},
    User.STORE: {
        *("internal.control", "internal.status", "internal.dead-letters"),
        *("restricted.dead-letters", "restricted.records", "restricted.audit"),
    },
    User.OPERATOR: {"internal.control", "internal.dead-letters", "restricted.dead-letters", "restricted.audit"},
    User.TOPICS: set[str](),
}
WRITES = {
    User.WEBHOOK: {"internal.fetch", "internal.lifecycle"},
    User.KEEPER: {*RUNS_WITH, "restricted.audit", "internal.dead-letters"},
    User.ENRICHER: {
        *RUNS_WITH,
        *(f"internal.{lane}" for lane in LANES - {"fetch"}),
        *("internal.dead-letters", "restricted.records", "open.calls", "open.sessions"),
    },
    User.REDERIVE: {"restricted.records", "open.calls", "open.sessions", "restricted.audit"},
    User.STORE: {*RUNS_WITH, "internal.dead-letters", "restricted.dead-letters"},
    User.OPERATOR: {
        *("internal.control", "restricted.audit", "internal.fetch-bulk"),
        *("internal.lifecycle", "internal.status", "restricted.records"),  # where dead letters are released to
    },
    User.TOPICS: set[str](),
}
"""What each process does, by its code."""


def allowed(user: User, operation: str, topics: tuple[Topic, ...] = ALL_TOPICS) -> set[str]:
    """Tier and entity of the topics with which a user may do this."""
    found = (right for right in rights(user, topics) if right.kind == "topic" and operation in right.operations)
    return {".".join(right.name.split(".")[1:3]) for right in found}


@pytest.mark.parametrize("user", User)
def test_a_user_may_read_and_write_what_its_process_does_and_nothing_else(user: User) -> None:
    """A webhook that is taken over can write two topics and read none."""
    assert allowed(user, "Read") == READS[user]
    assert allowed(user, "Write") == WRITES[user]


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_written_and_read_by_a_user_of_ours(topic: Topic) -> None:
    """The open ones apart, which are for other teams: a topic without rights would be one that nothing flows over."""
    name = f"{topic.tier}.{topic.entity}"
    assert any(name in allowed(user, "Write") for user in User)
    assert topic.tier == "open" or any(name in allowed(user, "Read") for user in User)


@pytest.mark.parametrize("words", [{"producers": ("exporter",)}, {"consumers": ("exporter",)}])
def test_a_new_topic_whose_processes_have_no_user_is_refused(words: dict[str, tuple[str, ...]]) -> None:
    """Named in a topic's file and unknown here: no rights are rendered that lack it."""
    new = replace(FETCH, name="callrecords.internal.exports.v1", **words)
    with pytest.raises(LookupError, match=r"callrecords\.internal\.exports\.v1 names 'exporter'"):
        rights(User.WEBHOOK, (*ALL_TOPICS, new))


def test_a_new_topic_brings_its_rights_along() -> None:
    """Its file names its processes; what is refused of it goes to its tier's dead letters."""
    new = replace(RECORDS, name="callrecords.restricted.more.v1", producers=("webhook",), consumers=("keeper",))
    assert "restricted.more" in allowed(User.WEBHOOK, "Write", (*ALL_TOPICS, new))
    assert "restricted.more" in allowed(User.KEEPER, "Read", (*ALL_TOPICS, new))
    assert "restricted.dead-letters" in allowed(User.KEEPER, "Write", (*ALL_TOPICS, new))


def test_the_groups_are_those_of_the_services() -> None:
    """Every consumer group that a service's code names, no other, and each at its own user."""
    named = {
        group
        for path in SERVICES.glob("*/src/**/app.py")
        for group in re.findall(r'(?:_GROUP = |Flow\(\s*)"(ringback-[a-z-]+)"', path.read_text("utf-8"))
    }
    assert named == {group for groups in GROUPS.values() for group in groups}
    for user in User:
        assert {right.name for right in rights(user, ALL_TOPICS) if right.kind == "group"} == {*GROUPS.get(user, ())}


def test_only_the_job_may_make_and_change_topics() -> None:
    """Not even the operator's everyday user; and no user may delete one or act for the whole cluster."""
    for user in User:
        assert bool(allowed(user, "Create") | allowed(user, "AlterConfigs")) == (user is User.TOPICS)
        assert all(right.kind in {"topic", "group"} for right in rights(user, ALL_TOPICS))
        assert not allowed(user, "Delete") | allowed(user, "All")


def run(*arguments: str) -> str:
    """What the command prints."""
    ended = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_the_script_holds_one_command_for_each_right_under_the_prefix() -> None:
    """Topics and groups of an installation with a prefix; users as the cluster names them."""
    script = run("acls", "render", "--prefix", "emea.", "--principal", "User:CN={user}")
    commands = [line for line in script.splitlines() if line.startswith("kafka-acls.sh ")]
    assert len(commands) == sum(len(rights(user, ALL_TOPICS)) for user in User)
    assert all(re.search(r" --(topic|group) emea\.", line) for line in commands)
    assert (
        'kafka-acls.sh --bootstrap-server "$BOOTSTRAP_SERVER" --command-config "$ADMIN_CONFIG" --add '
        "--allow-principal User:CN=webhook --operation Write --topic emea.callrecords.internal.fetch.v1"
    ) in commands


def test_strimzi_s_objects_hold_the_contract_under_the_prefix() -> None:
    """Names of objects are Kubernetes' names; a topic whose name is none says its own."""
    topics = list(yaml.safe_load_all(run("topics", "render", "--strimzi", "--prefix", "EMEA_", "--cluster", "events")))
    assert {one["spec"]["topicName"] for one in topics} == {f"EMEA_{topic.name}" for topic in ALL_TOPICS}
    assert {one["metadata"]["labels"]["strimzi.io/cluster"] for one in topics} == {"events"}
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", one["metadata"]["name"]) for one in topics)
    users = list(yaml.safe_load_all(run("acls", "render", "--strimzi", "--prefix", "EMEA_")))
    assert {one["metadata"]["name"] for one in users} == {f"emea-ringback-{user}" for user in User} - {
        "emea-ringback-topics"
    }
    names = {acl["resource"]["name"] for one in users for acl in one["spec"]["authorization"]["acls"]}
    assert all(name.startswith("EMEA_") for name in names)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["topics", "render"], "--strimzi"), (["acls", "render", "--principal", "User:x"], "{user}")],
)
def test_what_cannot_be_rendered_is_one_sentence(arguments: list[str], named: str) -> None:
    """Topics without Strimzi are `apply`'s; one user for all processes would be no least right."""
    ended = CliRunner().invoke(app, arguments)
    assert named in str(ended.exception)
