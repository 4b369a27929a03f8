"""Call records from their plans: header, sessions and participants of any version.

A higher version holds more (graph.md 3.5): sessions of a call queue and the media of late clients arrive later.
"""

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ringback_graph_simulator.clock import instant
from ringback_graph_simulator.endpoints import feedback_of, participant_endpoint, service_endpoint
from ringback_graph_simulator.media import StreamPools
from ringback_graph_simulator.people import Person, Population, guid
from ringback_graph_simulator.plans import SHAPES, Plan

__all__ = ["Records"]

Json = dict[str, Any]

_OLD_PARTICIPANTS = 130
_QUEUE_ROLES = ("skypeForBusinessAutoAttendant", "skypeForBusinessCallQueues")
_REASONS = ("Call timed out before it was answered.", "The client's network was lost.", "Declined: “busy” \u2028 486")


class Records:
    """Generates; holds people and figures, no record."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._mixed, self._good, self._poor = StreamPools(seed), StreamPools(seed, 0), StreamPools(seed, 1)
        self._populations: dict[str, Population] = {}
        self._people = lru_cache(maxsize=64)(self._cast)  # asked for once per session of a record

    def population(self, tenant_id: str, size: int = 200) -> Population:
        """The people of a tenant; the size counts when the tenant is first named."""
        if tenant_id not in self._populations:
            self._populations[tenant_id] = Population(tenant_id, self._seed, size)
        return self._populations[tenant_id]

    def header(self, plan: Plan, version: int, modified: float) -> Json:
        """The record's own members, as GET without $expand and LIST give them."""
        group, rng = SHAPES[plan.shape].group, random.Random(f"{plan.seed}/header")
        digits = rng.choice((7, 7, 3, 0))
        body: Json = {
            "id": plan.call_id,
            "version": version,
            "type": "unknown" if rng.random() < 0.01 else "groupCall" if group else "peerToPeer",
            "modalities": ["audio", "video"] if group and rng.random() < 0.6 else ["audio"],
            "lastModifiedDateTime": instant(modified, digits),
            "startDateTime": instant(plan.start, digits),
            "endDateTime": instant(plan.end, digits),
        }
        if group:
            body["joinWebUrl"] = f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{plan.call_id}%40thread.v2/0"
        elif rng.random() < 0.5:
            body["joinWebUrl"] = None
        return body | self._organizer(plan, rng)

    def _organizer(self, plan: Plan, rng: random.Random) -> Json:
        people = self._people(plan)
        if plan.old:
            old = [person.old_identity_set for person in people[:_OLD_PARTICIPANTS]]
            return {"organizer": people[0].old_identity_set, "participants": old}
        body: Json = {"organizer_v2": {"id": people[0].id, "identity": people[0].identity_set}}
        return body | ({"organizer": None, "participants": []} if rng.random() < 0.4 else {})

    def participants(self, plan: Plan, version: int) -> list[Json]:
        """participants_v2; now and then one is missing, as Graph admits (graph.md 3.4). Old records have none."""
        if plan.old:
            return []
        rng = random.Random(f"{plan.seed}/participants")
        people = self._people(plan)
        if len(people) > 2 and rng.random() < 0.03 and SHAPES[plan.shape].people != (len(people), len(people)):
            people = people[:-1]
        return [self._participant(person, plan, version) for person in people]

    @staticmethod
    def _participant(person: Person, plan: Plan, version: int) -> Json:
        units = [{"id": guid("unit", person.tenant_id)}] if person.kind == "user" else []
        if plan.mark:
            units.append({"id": f"mark-v{version}"})
        return {"id": person.id, "identity": person.identity_set, "administrativeUnitInfos": units}

    def sessions(self, plan: Plan, version: int) -> Iterator[Json]:
        """Every session of that version with its segments, in the order in which Graph's pages give them."""
        people, previous = self._people(plan), ""
        for index in range(plan.sessions):
            rng = random.Random(f"{plan.seed}/{index}")
            late = plan.shape == "queue" and index > 1 and rng.random() < 0.5
            if late and version == 1:
                continue
            session = self._session(plan, version, index, people[index % len(people)], rng)
            if plan.shape == "queue" and index == 2:
                session["id"] = previous  # one entry per service identity shares the id of its session (graph.md 3.1)
            previous = session["id"]
            yield session

    def _session(self, plan: Plan, version: int, index: int, person: Person, rng: random.Random) -> Json:
        caller, callee = self._ends(plan, index, person, rng)
        if version > 1:
            caller |= self._feedback(plan, index)
        begin, end = self._span(plan, index, rng)
        identifier = guid(plan.call_id, index) if SHAPES[plan.shape].group else plan.call_id
        leftover = plan.shape == "smallMeeting" and index == 1 and rng.random() < 0.1
        failure = self._failure(plan, rng)
        session: Json = {
            "id": plan.call_id if leftover else identifier,
            "caller": caller,
            "callee": callee,
            "modalities": ["audio", "video"] if rng.random() < 0.3 else ["audio"],
            "startDateTime": instant(begin),
            "endDateTime": instant(begin if leftover else end),
            "isTest": False,
            "segments": [],
        }
        if failure is not None or rng.random() < 0.5:
            session["failureInfo"] = failure
        if not leftover:
            has_media = version >= rng.choices((1, 2, 3), (75, 20, 5))[0]
            pools = self._figures(plan, person)
            session["segments"] = self._segments(session, person, rng, (begin, end), pools if has_media else None)
        return self._marked(session, version) if plan.mark else session

    def _figures(self, plan: Plan, person: Person) -> StreamPools:
        """Where the figures of a session come from; drawn apart, so that it shifts no other value."""
        if plan.trouble is None:
            return self._mixed
        people = [person] if SHAPES[plan.shape].group else self._people(plan)
        rolls = [random.Random(f"{plan.seed}/{one.id}/connection").random() for one in people]
        return self._poor if min(rolls) < plan.trouble else self._good

    @staticmethod
    def _feedback(plan: Plan, index: int) -> Json:
        """A rating comes late; drawn apart, so that it shifts no other value of the session."""
        rng = random.Random(f"{plan.seed}/{index}/feedback")
        return {"feedback": feedback_of(rng)} if rng.random() < 0.06 else {}

    @staticmethod
    def _marked(session: Json, version: int) -> Json:
        for body in (session, *session["segments"]):
            agent = body["caller"]["userAgent"] | {"applicationVersion": f"mark-v{version}"}
            body["caller"] = body["caller"] | {"userAgent": agent}
        return session

    def _ends(self, plan: Plan, index: int, person: Person, rng: random.Random) -> tuple[Json, Json]:
        people = self._people(plan)
        if not SHAPES[plan.shape].group:
            return participant_endpoint(people[0], old=plan.old), participant_endpoint(people[1], old=plan.old)
        if plan.shape == "queue":
            return self._queue_ends(plan, index, rng)
        role = "audioTeleconferencerController" if person.kind == "phone" else "skypeForBusinessAudioVideoMcu"
        return participant_endpoint(person, old=plan.old), service_endpoint(rng, role)

    def _queue_ends(self, plan: Plan, index: int, rng: random.Random) -> tuple[Json, Json]:
        phone, attendant, _, agent = self._people(plan)[:4]
        caller = participant_endpoint(phone, old=plan.old)
        if index < 2:
            return caller, service_endpoint(rng, _QUEUE_ROLES[index])
        return caller, participant_endpoint(attendant if index == 2 else agent, old=plan.old)

    @staticmethod
    def _span(plan: Plan, index: int, rng: random.Random) -> tuple[float, float]:
        length = plan.end - plan.start
        begin = plan.start if index == 0 else plan.start + length * 0.4 * rng.random()
        end = plan.end if index == plan.sessions - 1 else plan.end - length * 0.4 * rng.random()
        return begin, max(begin, end)

    @staticmethod
    def _failure(plan: Plan, rng: random.Random) -> Json | None:
        if plan.shape == "failed":
            stage = rng.choice(("callSetup", "midcall"))
            return None if rng.random() < 0.2 else {"stage": stage, "reason": rng.choice(_REASONS)}
        return {"stage": "midcall", "reason": None} if rng.random() < 0.01 else None

    def _segments(
        self, session: Json, person: Person, rng: random.Random, span: tuple[float, float], pools: StreamPools | None
    ) -> list[Json]:
        begin, end = span
        cuts = [begin, *sorted(rng.uniform(begin, end) for _ in range(rng.choices((0, 1, 2), (88, 9, 3))[0])), end]
        return [
            self._segment(session, person, rng, index, (cuts[index], cuts[index + 1]), pools)
            for index in range(len(cuts) - 1)
        ]

    def _segment(
        self,
        session: Json,
        person: Person,
        rng: random.Random,
        index: int,
        span: tuple[float, float],
        pools: StreamPools | None,
    ) -> Json:
        backwards = rng.random() < 0.003  # seen in the field: an end before its start
        return {
            "id": session["id"] if index == 0 else guid(session["id"], index),
            "caller": session["caller"],
            "callee": session["callee"],
            "startDateTime": instant(span[1] if backwards else span[0]),
            "endDateTime": instant(span[0] if backwards else span[1]),
            "failureInfo": session.get("failureInfo"),
            "media": [] if pools is None else self._media(person, rng, span, pools),
        }

    def _media(self, person: Person, rng: random.Random, span: tuple[float, float], pools: StreamPools) -> list[Json]:
        labels = ["main-audio"]
        if rng.random() < 0.3:
            labels.append("main-video")
        if rng.random() < 0.12:
            labels.append("applicationsharing-video")
        return [self._medium(person, rng, label, span, pools) for label in labels]

    @staticmethod
    def _medium(person: Person, rng: random.Random, label: str, span: tuple[float, float], pools: StreamPools) -> Json:
        times = {"startDateTime": instant(span[0]), "endDateTime": instant(span[1])}
        streams = [
            {
                **pools.draw(rng, label),
                **times,
                "streamId": str(rng.getrandbits(31)),
                "streamDirection": direction,
            }
            for direction in ("callerToCallee", "calleeToCaller")
        ]
        body: Json = {
            "label": label,
            "callerNetwork": person.network,
            "callerDevice": person.device,
            "streams": streams,
        }
        if rng.random() < 0.7:
            body["calleeNetwork"] = None
        return body

    def _cast(self, plan: Plan) -> list[Person]:
        rng, folk = random.Random(f"{plan.seed}/people"), self.population(plan.tenant_id)
        first, count = rng.randrange(folk.size), plan.participants
        if plan.shape == "queue":
            return [folk.phone(first), folk.queue(first), folk.queue(first + 1), folk.user(first)]
        if plan.shape == "pstn":
            pair = [folk.user(first), folk.phone(rng.randrange(10_000))]
            return pair if rng.random() < 0.5 else pair[::-1]
        people = [folk.user(first)]
        while len(people) < count:
            people.append(self._joiner(folk, rng, plan.shape, first, len(people)))
        return people

    @staticmethod
    def _joiner(folk: Population, rng: random.Random, shape: str, first: int, index: int) -> Person:
        guests = {"webinar": 0.4, "guest": 0.4}.get(shape, 0.02)
        roll, stranger = rng.random(), first * 1000 + index
        if roll < guests or (shape == "guest" and index == 1):
            return folk.guest(stranger)
        if roll < guests + 0.08 or index >= folk.size:
            return folk.external(stranger)
        return folk.phone(stranger) if roll > 0.97 else folk.user(first + index)
