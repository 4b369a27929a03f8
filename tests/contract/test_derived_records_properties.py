"""What the enricher derives of any record, the store can read: two services that share nothing but the contract."""

import orjson
import pytest
from hypothesis import given
from ringback_common.outcomes import Received, Reject
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_sink.store.core.record import decode
from ringback_sink.store.model.version import CHILDREN, Version
from ringback_testing.graph_payloads import Json, records
from ringback_testing.graph_records import CALL, TENANT
from ringback_testing.properties import examples

pytestmark = [pytest.mark.contract, pytest.mark.timeout(400)]  # a failure is shrunk for up to 5 min

CONTEXT = RecordContext(TENANT, CALL, "2026-11-02T09:55:00Z", "2026-11-02T09:55:01Z")
TABLES = RuleSet(CQD_2026_1, SiteMap((("10.0.0.0/8", 'Köln, "Dom"\\'),)), revision=1)


@examples(80)
@given(records())
def test_whatever_the_enricher_derives_the_store_can_read(drawn: Json) -> None:
    """No record of Graph's types is rejected by the store for its form; every party, session and stream is a row."""
    wire = derive(orjson.loads(orjson.dumps(drawn)), CONTEXT, TABLES)
    stages = publication(wire, lambda _: lambda _: None, replay=False, canary=False)
    assert not isinstance(stages, Reject)
    message = stages[0][0]
    record = decode(Received(message.topic, 0, 0, 0, message.key, message.value, message.headers))
    assert not isinstance(record, Reject), record
    rows = {table: len(list(each)) for table, each in Version(record).children()}
    streams = sum(len(session["streams"]) for session in wire["sessions"])
    assert tuple(rows) == tuple(CHILDREN)
    assert tuple(rows.values()) == (len(wire["parties"]), len(wire["sessions"]), streams)
