"""What the derivation and the projection make of the corpus, as digests beside the rules number they belong to.

`contracts/derivation.json` holds them, so that a changed outcome under an unchanged `RULES_NUMBER` is seen. The outcome
decides, not the source: a refactoring changes nothing, other metadata of phone numbers may. Each case has a digest of
its records too, for another corpus says nothing about the derivation.

`python -m ringback_testing.derivation.outcome <file>` writes the file, unless the rules number is to be raised first.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path

import orjson
from ringback_common.outcomes import Reject
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1, RULES_NUMBER
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_events.wire import CallRecordWire

from ringback_testing.derivation.corpus import corpus
from ringback_testing.derivation.shapes import Json
from ringback_testing.graph_records import CALL, TENANT

__all__ = ["Case", "Outcome", "case_of", "current", "objection", "read", "write"]

_SUBNETS = (
    *(("10.20.0.0/16", "Berlin"), ("10.20.30.7/24", "3rd floor")),
    *(("2001:db8::/32", "Lab"), ("198.51.100.128/25", "DMZ")),
)
_TABLES = RuleSet(CQD_2026_1, SiteMap(_SUBNETS), revision=1)
"""The revision is the same for every rules number: it is no outcome of the derivation."""
_CONTEXT = RecordContext(TENANT, CALL, "2026-11-02T09:55:00.000000Z", "2026-11-02T09:55:01.000000Z")
_ABROAD = replace(_CONTEXT, countries=("DE", "US"))


@dataclass(frozen=True, slots=True)
class Case:
    """Digests of a case: of its records, and of all that is published of them."""

    records: str
    published: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rules number makes of every case."""

    rules_number: int
    cases: Mapping[str, Case]


def current() -> Outcome:
    """The outcome of this source."""
    return Outcome(RULES_NUMBER, {name: case_of(records) for name, records in corpus().items()})


def read(file: Path) -> Outcome:
    """The outcome that is committed."""
    found = json.loads(file.read_text("utf-8"))
    return Outcome(found["rules_number"], {name: Case(**case) for name, case in found["cases"].items()})


def write(file: Path, now: Outcome) -> str | None:
    """Replace the committed outcome, or say why not."""
    refused = objection(read(file), now) if file.exists() else None
    if refused is None:
        file.write_text(json.dumps(asdict(now), indent=2) + "\n", "utf-8")
    return refused


def objection(committed: Outcome, now: Outcome) -> str | None:
    """Why this outcome may not replace the committed one, as a sentence that says what to do; None if it may."""
    if now.rules_number < committed.rules_number:
        return f"RULES_NUMBER was {committed.rules_number}: it never goes back, or corrected events lose to older ones."
    raised = now.rules_number > committed.rules_number
    changed = [name for name, case in now.cases.items() if _differs(committed.cases.get(name, case), case)]
    if changed and not raised:
        return (
            f"What is derived or projected has changed ({', '.join(changed)}): raise RULES_NUMBER in "
            "ringback_enricher/core/derive/rules.py, then run `make contracts`; if nothing was to, it is a fault."
        )
    if raised and now.cases == committed.cases:
        return (
            "RULES_NUMBER was raised and no case shows why: add one to tests/support/ringback_testing/derivation, "
            "then run `make contracts`; for another site map or token policy raise RINGBACK_RULES__REVISION_OFFSET."
        )
    return None


def case_of(records: list[Json]) -> Case:
    """Digest the records of a case and what is published of them."""
    published = (value for record in records for value in _published(record))
    return Case(_digest(orjson.dumps(record) for record in records), _digest(published))


def _differs(committed: Case, now: Case) -> bool:
    return committed.records == now.records and committed.published != now.published


def _published(graph: Json) -> list[bytes]:
    """What is published of a record, of a tenant that names no countries and of one that does where that differs."""
    record, abroad = derive(graph, _CONTEXT, _TABLES), derive(graph, _ABROAD, _TABLES)
    values = _values(record)
    return values if abroad["emergencySuspected"] is record["emergencySuspected"] else [*values, *_values(abroad)]


def _values(record: CallRecordWire) -> list[bytes]:
    stages = publication(record, lambda _: lambda party: f"token-{party['index']}", replay=False, canary=False)
    assert not isinstance(stages, Reject)
    return [message.value or b"" for stage in stages for message in stage]


def _digest(values: Iterable[bytes]) -> str:
    digest = blake2b(digest_size=12)
    for value in values:
        digest.update(b"%d:%b" % (len(value), value))
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(write(Path(sys.argv[1]), current()))
