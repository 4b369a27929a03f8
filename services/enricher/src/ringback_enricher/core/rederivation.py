"""From a record of the records topic to the publication of its next revision; Graph is not asked."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from ringback_common.outcomes import Drop, Reason, Received, Reject
from ringback_events.headers import read_headers
from ringback_events.keys import call_key
from ringback_events.times import wire_time

from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.publishing import Stages, Tokenizer, publication

__all__ = ["Countries", "rederive"]

Countries = Callable[[str], tuple[str, ...]]
"""Gives the countries of a tenant, ISO 3166-1 alpha-2."""


class _Source(BaseModel):
    """What a derivation takes over from the record; everything else is derived again."""

    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)

    tenant_id: str
    call_id: str
    received_at: AwareDatetime | None = None
    fetched_at: AwareDatetime
    graph: dict[str, Any]


def rederive(
    received: Received, tables: RuleSet, tokens: Tokenizer, countries: Countries, since: datetime, largest: int
) -> Stages | Drop | Reject:
    """Derive again what a record was derived from, and plan its publication, marked as a re-publication.

    Both times are the record's own: Graph's data is as old as before.

    Args:
        received: a record of the records topic.
        tables: what this release judges by.
        tokens: names the parties in the open tier.
        countries: where the people of a tenant dial from.
        since: what was fetched from Graph before that is dropped (too_old). A re-publication is kept as long as any
            record, so that one after the other could keep a call for ever.
        largest: bytes of the record, before compression, that its readers take.

    Returns:
        Rejects what is no JSON (undecodable), no record, under another call's key or of another version than its
        headers tell (schema_invalid), and what a topic or a reader would refuse (too_large).
    """
    source = _source(received)
    if isinstance(source, Reject):
        return source
    if source.fetched_at < since:
        return Drop(Reason.TOO_OLD)
    received_at = None if source.received_at is None else wire_time(source.received_at)
    context = RecordContext(
        source.tenant_id, source.call_id, received_at, wire_time(source.fetched_at), countries(source.tenant_id)
    )
    record = derive(source.graph, context, tables)
    if record["version"] != read_headers(received.headers).version:
        return Reject(Reason.SCHEMA_INVALID, "version")
    return publication(record, tokens, replay=True, canary=False, largest=largest)


def _source(received: Received) -> _Source | Reject:
    try:
        source = _Source.model_validate(orjson.loads(received.value or b""))
    except orjson.JSONDecodeError:
        return Reject(Reason.UNDECODABLE, "JSONDecodeError")
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False, include_context=False)[0]
        return Reject(Reason.SCHEMA_INVALID, f"{'.'.join(str(part) for part in first['loc'][:1])}:{first['type']}")
    if received.key != call_key(source.tenant_id, source.call_id):
        return Reject(Reason.SCHEMA_INVALID, "key")
    return source
