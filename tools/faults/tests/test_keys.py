"""The files that operators change: a rotation as documented, and a mistyped address; both as the product reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import yaml
from ringback_faults.actions.addresses import mistyped
from ringback_faults.actions.keys import changed_file
from ringback_faults.actions.own_posts import client_state, forged
from ringback_faults.collect.simulator_ledger import kid_of
from ringback_ingest.client_state import NotificationQuery, keys_of, new_keys_file
from ringback_ingest.client_state import client_state as signed

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HELD: Any = orjson.loads(new_keys_file("old", bytes(32)))


def test_a_rotation_is_one_that_the_product_takes() -> None:
    """Both keys prove, the old one signs for five minutes, then the new one; the old one ends five hours later."""
    ring = keys_of(changed_file(HELD, "new", NOW), "KEYS")
    assert ring.valid_kids(NOW) == {"old", "new"}
    assert ring.signing(NOW + timedelta(minutes=4)).kid == "old"
    assert ring.signing(NOW + timedelta(minutes=5)).kid == "new"
    assert ring.valid_kids(NOW + timedelta(hours=6)) == {"new"}


def test_a_rotation_follows_a_rotation() -> None:
    """The key that is older still is left out; another row of the same world has its turn."""
    once: Any = orjson.loads(changed_file(HELD, "new", NOW))
    ring = keys_of(changed_file(once, "newer", NOW), "KEYS")
    assert (ring.active.kid, ring.valid_kids(NOW)) == ("newer", {"new", "newer"})


def test_a_mistyped_file_differs_in_the_notification_urls_alone() -> None:
    """Nothing listens there; lifecycle events, app and secret are as they were."""
    right = [{"tenant_id": name, "notification_url": "http://w/n", "lifecycle_url": "http://w/l"} for name in "ab"]
    wrong: Any = yaml.safe_load(mistyped(yaml.safe_dump({"version": 1, "tenants": right}).encode()))
    assert wrong["version"] == 1
    for one, before in zip(wrong["tenants"], right, strict=True):
        assert {**one, "notification_url": "http://w/n"} == before
        assert one["notification_url"].startswith("http://127.0.0.1:9/")


def test_a_forger_who_knows_the_key_signs_as_the_product_does() -> None:
    """Else the webhook would refuse what is sent with a withdrawn key for another reason."""
    (key,) = HELD["keys"]
    ring = keys_of(orjson.dumps(HELD), "KEYS")
    assert client_state(key, "T", "callrecords") == signed(ring.active, "T", "callrecords")
    url = NotificationQuery("callrecords", "old", "local").added_to("http://w/n")
    (item,) = orjson.loads(forged({"id": "s", "tenantId": "T", "notificationUrl": url}, key))["value"]
    assert (item["clientState"], item["tenantId"]) == (client_state(key, "T", "callrecords"), "T")


def test_the_key_is_read_off_the_url_as_the_product_writes_it() -> None:
    """Beside whatever the address itself carries; none is none."""
    url = NotificationQuery("callrecords", "k7", "local").added_to("http://w/n?code=a%26kid%3Dx")
    assert kid_of(url) == "k7"
    assert kid_of("http://w/n") == ""
