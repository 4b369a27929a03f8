"""Services that run twice, and installations with a prefix: who is who, by name, port and group."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ringback_faults.actions.absence import group_of, partitions_of
from ringback_faults.actions.chaos import drawn_target
from ringback_faults.ledgers import Sample
from ringback_faults.oracle.members import members_of
from ringback_faults.pairs import doubled, members_among, service_of, shared_tenants
from ringback_local.specs import ProcessSpec

SPECS = [
    ProcessSpec("store", ("s",), "http://h:11/readyz", {"RINGBACK_ADMIN__PORT": "11"}, 11),
    ProcessSpec("webhook", ("w",), "http://h:12/readyz", {"RINGBACK_WEBHOOK__PORT": "80"}, 12),
    ProcessSpec("keeper", ("k",), "http://h:13/readyz", {}, 13, ("simulator", "webhook")),
]


def test_a_second_process_differs_in_its_name_and_its_ports_alone() -> None:
    """It stands right behind the first, so that both are stopped in the same order."""
    made = {spec.name: spec for spec in doubled(SPECS, [81, 21, 22, 23])}
    assert list(made) == ["store", "store-2", "webhook", "webhook-2", "keeper"]
    second = made["webhook-2"]
    assert (second.command, second.admin_port, second.ready_url) == (("w",), 21, "http://h:21/readyz")
    assert second.env == {"RINGBACK_WEBHOOK__PORT": "81", "RINGBACK_ADMIN__PORT": "21"}
    assert made["store-2"].env == {"RINGBACK_ADMIN__PORT": "23"}


def test_who_waits_for_a_service_waits_for_both_of_it() -> None:
    """The keeper makes Graph ask the second webhook, too."""
    assert doubled(SPECS, [81, 21, 22, 23])[-1].after == ("simulator", "webhook", "webhook-2")


def test_every_second_tenant_is_the_second_webhook_s() -> None:
    """Graph has one URL for each; nothing else of an entry is changed."""
    entry = {"tenant_id": "t", "notification_url": "http://h:80/graph/n", "graph_url": "https://h:443", "budget": 80}
    first, second, third = shared_tenants([entry, entry, entry], 80, 81)
    assert first == third == entry
    assert second == {**entry, "notification_url": "http://h:81/graph/n"}


def test_the_members_of_a_service_are_found_by_name() -> None:
    """In a world without pairs there is the one."""
    assert members_among(["simulator", "store", "store-2", "webhook"], "store") == ["store", "store-2"]
    assert service_of("enricher-2") == service_of("enricher") == "enricher"


def test_a_member_counts_once_it_had_something_to_do() -> None:
    """A second process that never got a partition makes no pair."""
    samples = [
        Sample(1.0, "enricher", 1, 0, 0, {'ringback_stream_assigned_partitions{group="g"}': 6.0}),
        Sample(1.0, "enricher-2", 2, 0, 0, {'ringback_stream_assigned_partitions{group="g"}': 0.0}),
        Sample(1.0, "webhook", 3, 0, 0, {"ringback_webhook_connections": 2.0}),
        Sample(2.0, "webhook-2", 4, 0, 0, {"ringback_webhook_connections": 1.0}),
    ]
    assert members_of(samples) == {"members_webhook": 2, "members_enricher": 1, "members_store": 0}


def test_groups_and_topics_have_the_installation_s_prefix() -> None:
    """As the broker knows them; without a prefix they are the contract's."""
    for prefix in ("", "other."):
        scene = cast("Any", SimpleNamespace(stack=SimpleNamespace(addresses=SimpleNamespace(topic_prefix=prefix))))
        assert group_of(scene, "store") == f"{prefix}ringback-sink-store"
        assert {part.topic for part in partitions_of(scene, "store")} == {f"{prefix}callrecords.restricted.records.v1"}
        assert len(partitions_of(scene, "store")) == 24


@pytest.mark.parametrize("seed", range(20))
def test_chaos_strikes_each_target_once_before_one_again(seed: int) -> None:
    """So that a short row cannot pass by without a pair, whatever its seed is."""
    draw, waiting = random.Random(seed), ["webhook", "enricher", "store"]  # noqa: S311 - a seed that repeats is the point
    assert {drawn_target(draw, waiting, ()) for _ in range(3)} == {"webhook", "enricher", "store"}
    assert {"webhook", "enricher", "store", "keeper", "broker", "database", "graph", "delivery"} == set(waiting)
    assert drawn_target(draw, waiting, set(waiting) - {"graph"}) == "graph"
    assert drawn_target(draw, ["graph"], {"graph"}) != "graph"
