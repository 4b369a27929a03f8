"""Graph's words about subscriptions, in the keeper's."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ringback_graph.subscriptions import Subscription
from ringback_graph.tenants import Credential, Tenant
from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.core.plan import ChangeReason, LifecycleHints, Renew, plan
from ringback_ingest.keeper.core.subscription import LIFETIME, DesiredSubscription

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ID = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07"
QUERY = NotificationQuery("callrecords", "k1", "prod")
URL = "https://hooks.example/secret/graph/notifications"
TENANT = Tenant(
    tenant_id="dc368399-474c-4d40-900c-6265431fd81f",
    client_id="app",
    graph_url="https://graph.example",
    authority_url="https://login.example",
    credential=Credential(secret_file=Path("secret")),
    notification_url=URL,
)


@dataclass
class Listing:
    """Graph's list, with a subscription's id in capitals."""

    listed: list[Subscription] = field(
        default_factory=lambda: [
            Subscription(
                ID.upper(), "communications/callRecords", "updated", QUERY.added_to(URL), None, NOW + LIFETIME, {}
            )
        ]
    )

    async def list(self, _tenant: Tenant) -> list[Subscription]:
        """What stands."""
        return self.listed


async def test_an_id_in_capitals_is_the_one_a_lifecycle_event_named() -> None:
    """The webhook writes GUIDs in lower case; the listed one must be found by it, whatever its case."""
    seen = await GraphSubscriptions(Listing()).seen(TENANT)  # type: ignore[arg-type]  # the fake stands at Graph's edge
    assert isinstance(seen, list)
    desired = DesiredSubscription(URL, URL, QUERY, "k1", frozenset({"k1"}))
    actions = plan(seen, desired, NOW, LifecycleHints(reauthorize=frozenset({ID})))
    assert actions == (Renew(ID, ChangeReason.REAUTHORIZATION_REQUIRED),)
    assert "secret" not in repr(seen) + repr(desired)
