"""The fixed population of a tenant, and the strangers who call it."""

import hashlib
import random
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ringback_graph_simulator import names
from ringback_graph_simulator.media import device_of, network_of

__all__ = ["Person", "Population", "guid"]

Json = dict[str, Any]
_TYPE = "#microsoft.graph.callRecords."


def guid(*parts: object) -> str:
    """The GUID that belongs to these parts; the same in every run."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


@dataclass(frozen=True)
class Person:
    """A possible party of a call: `kind` is user, external, guest, phone or application."""

    kind: str
    id: str
    display_name: str | None
    tenant_id: str | None
    upn: str | None
    seed: str

    @cached_property
    def identity(self) -> Json:
        """The single identity of `associatedIdentity`: its kind shows in the id and, sometimes, in `@odata.type`."""
        body: Json = {"id": self.id, "displayName": self.display_name, "tenantId": self.tenant_id}
        if self.upn is not None:
            body["userPrincipalName"] = self.upn
        if self.kind == "user" and self._chance("typed", 0.3):
            body["@odata.type"] = f"{_TYPE}userIdentity"
        return body

    @cached_property
    def identity_set(self) -> Json:
        """The communicationsIdentitySet of participants_v2: one member set, the undeclared ones null."""
        member = {"application": "applicationInstance", "external": "user", "guest": "guest"}.get(self.kind, self.kind)
        if self.kind == "guest" and self._chance("guest-as-user", 0.5):
            member = "user"
        value: Json = {"id": self.id, "displayName": self.display_name, "tenantId": self.tenant_id}
        if self._chance("bare", 0.25):
            return {member: value}
        empty = ("acsUser", "spoolUser", "acsApplicationInstance", "spoolApplicationInstance", "phone", "guest", "user")
        return dict.fromkeys(empty) | {"endpointType": None, member: value}

    @cached_property
    def old_identity_set(self) -> Json:
        """The identitySet that organizer, participants and endpoint.identity held until 2026."""
        member = {"application": "applicationInstance", "external": "user", "guest": "user"}.get(self.kind, self.kind)
        return {member: {"id": self.id, "displayName": self.display_name, "tenantId": self.tenant_id}}

    @cached_property
    def user_agent(self) -> Json:
        """The client a person uses."""
        rng = self._rng("agent")
        platform, header, _ = rng.choices(names.PLATFORMS, [weight for *_, weight in names.PLATFORMS])[0]
        family = "azureCommunicationServices" if self.kind == "guest" and rng.random() < 0.3 else "teams"
        agent: Json = {"@odata.type": f"{_TYPE}clientUserAgent", "platform": platform, "productFamily": family}
        agent["headerValue"] = None if rng.random() < 0.1 else header
        agent["applicationVersion"] = "27.1.4.26376" if rng.random() < 0.8 else None
        return agent

    @cached_property
    def hardware(self) -> Json:
        """Device name and processor, as far as the client tells."""
        rng = self._rng("hardware")
        if self.kind in {"phone", "application"} or rng.random() < 0.2:
            return {}
        cpu, cores, speed = rng.choice(names.CPUS)
        return {"name": f"PC-{self.id[:8]}", "cpuName": cpu, "cpuCoresCount": cores, "cpuProcessorSpeedInMhz": speed}

    @cached_property
    def network(self) -> Json:
        """The network this person is usually on."""
        return network_of(self._rng("network"))

    @cached_property
    def device(self) -> Json:
        """The headset or room this person usually has."""
        return device_of(self._rng("device"))

    def _rng(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.id}/{what}")

    def _chance(self, what: str, share: float) -> bool:
        return self._rng(what).random() < share


class Population:
    """People of one tenant by index; strangers are made from any index, so that a webinar never runs out."""

    def __init__(self, tenant_id: str, seed: int, size: int) -> None:
        self.tenant_id = tenant_id
        self.size = size
        self._seed = f"{seed}/{tenant_id}"
        self._users: dict[int, Person] = {}

    def user(self, index: int) -> Person:
        """One of the tenant's own people."""
        index %= self.size
        if index not in self._users:
            self._users[index] = self._named("user", index, self.tenant_id, "contoso.example")
        return self._users[index]

    def external(self, index: int) -> Person:
        """A user of another tenant; Graph withholds the name (graph.md 3.3)."""
        person = self._named("external", index, guid("partner", index % 7), "fabrikam.example")
        return Person(person.kind, person.id, None, person.tenant_id, None, self._seed)

    def guest(self, index: int) -> Person:
        """An anonymous visitor: no GUID, no name."""
        visitor = guid(self._seed, "guest", index).replace("-", "")
        return Person("guest", f"teamsvisitor:{visitor}", None, None, None, self._seed)

    def phone(self, index: int) -> Person:
        """A telephone; its id is the number."""
        digits = int(hashlib.sha256(f"{self._seed}/phone/{index}".encode()).hexdigest()[:8], 16) % 10_000_000
        prefix = ("+4989", "+1425", "+5564", "+4420")[index % 4]
        return Person("phone", f"{prefix}{digits:07d}", None, None, None, self._seed)

    def queue(self, index: int) -> Person:
        """An auto attendant or call queue."""
        index %= len(names.QUEUES)
        return Person(
            "application", guid(self._seed, "queue", index), names.QUEUES[index], self.tenant_id, None, self._seed
        )

    def _named(self, kind: str, index: int, tenant_id: str, domain: str) -> Person:
        rng = random.Random(f"{self._seed}/{kind}/{index}")
        name = f"{rng.choice(names.GIVEN_NAMES)} {rng.choice(names.FAMILY_NAMES)}"
        return Person(
            kind, guid(self._seed, kind, index), name, tenant_id, f"{kind}{index}.müller@{domain}", self._seed
        )
