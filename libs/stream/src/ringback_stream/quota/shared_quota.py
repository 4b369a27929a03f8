"""The member of a quota that this process is: writes its leases, reads everybody's, and says what may be used."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.errors import ConfigError, Transient
from ringback_events.platform_events import ControlEntry, QuotaShare

from ringback_stream import telemetry
from ringback_stream.quota.lease import LEASE_SECONDS, Lease, LeaseHolder
from ringback_stream.shared.control import ControlTable
from ringback_stream.shared.status import StatusPart

__all__ = ["Limiter", "SharedQuota"]

_log = logs.logger(__name__)

_SHARE, _RENEWED, _LEFT = "share", "renewed", "left"
_EVERY = 1.0
"""Seconds between two checks whether there is something to write."""
_LEAVE_WITHIN = 5.0


class Limiter(Protocol):
    """What lets the requests of this process pass; requests are in any 20 s."""

    def demand(self) -> int:
        """How many requests it asks for."""
        ...

    def grant(self, limit: int, until: float) -> None:
        """Let at most so many pass, and none from that monotonic moment on."""
        ...


class SharedQuota:
    """This process' share of one quota, agreed with all other members in the control topic (ADR 0049).

    Args:
        name: this member, `<process>/<instance>`.
        quota: requests in any 20 s, of all members together.
        limiter: asks for a share and gets it.
        control: the topic of the leases.
        clock: the one of the limiter.
    """

    def __init__(self, name: str, quota: int, limiter: Limiter, control: ControlTable, clock: Clock) -> None:
        self._holder = LeaseHolder(name, quota)
        self._limiter = limiter
        self._control = control
        self._clock = clock
        self._want = 0

    async def run(self) -> None:
        """Hold a share for ever. While Kafka is away the lease ends, and nothing is granted until it is back.

        A write waits as long as Kafka is away; what may be used is looked at meanwhile.
        """
        self._control.follow(_SHARE, self._read)
        async with asyncio.TaskGroup() as tasks:
            writing: asyncio.Task[None] | None = None
            while True:
                self._want, now = self._limiter.demand(), self._clock.monotonic()
                if (writing is None or writing.done()) and self._holder.due(self._want, now):
                    writing = tasks.create_task(self._renew(self._holder.renew(self._want, now)))
                self._grant()
                await asyncio.sleep(_EVERY)

    async def leave(self) -> None:
        """Use nothing any more and say so, so that the others need not wait for the lease's end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_WITHIN):
                await self._write(self._holder.leave(self._clock.monotonic()), _LEFT)

    def facts(self) -> Iterable[StatusPart]:
        """For the status: what this process may use, asks for, and how many share the quota."""
        now = self._clock.monotonic()
        share, _ = self._holder.usable(now)
        detail = {"share": share, "demand": self._want, "members": self._holder.members(now)}
        return (StatusPart("ok" if share else "waiting", {**detail}),)

    async def _renew(self, lease: Lease) -> None:
        await self._write(lease, _RENEWED)
        await self._forget()

    async def _write(self, lease: Lease, reason: str) -> None:
        self._grant()
        try:
            await self._control.write(self._entry(lease, reason))
        except (Transient, ConfigError) as failure:
            _log.warning(
                "The share of Graph's limit was not renewed; trying again.", error_class=type(failure).__name__
            )

    def _read(self, entry: ControlEntry) -> None:
        if entry.share is None:
            return
        share = entry.share
        lease = Lease(entry.subject, share.ordinal, share.want, share.claim, share.held, left=entry.reason == _LEFT)
        self._holder.read(lease, self._clock.monotonic())
        self._grant()

    def _grant(self) -> None:
        now = self._clock.monotonic()
        limit, until = self._holder.usable(now)
        self._limiter.grant(limit, until)
        telemetry.QUOTA_SHARE.set(limit)
        telemetry.QUOTA_DEMAND.set(self._want)
        telemetry.QUOTA_MEMBERS.set(self._holder.members(now))

    async def _forget(self) -> None:
        """Remove the entries of members that are long gone: each process has a new name at each start."""
        for name in self._holder.forgettable(self._clock.monotonic()):
            with suppress(Transient, ConfigError):  # tried again at the next renewal
                if self._control.get(_SHARE, name) is not None:
                    await self._control.lift(_SHARE, name)
                self._holder.forget(name)

    def _entry(self, lease: Lease, reason: str) -> ControlEntry:
        since = self._clock.now()
        return ControlEntry(
            kind=_SHARE,
            subject=lease.member,
            reason=reason,
            since=since,
            by=lease.member,
            until=since + timedelta(seconds=LEASE_SECONDS),
            share=QuotaShare(ordinal=lease.number, want=lease.want, claim=lease.claim, held=lease.held),
        )
