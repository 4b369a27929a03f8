"""Faults of the store: locks, slow commits, transactions that PostgreSQL gives up, and full disks."""

import asyncio
import re
import time
from typing import Literal

from ringback_faults.actions.registry import action
from ringback_faults.actions.service_report import metrics_of
from ringback_faults.collect.store_dump import connected
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = [
    "fail_transactions",
    "fill_disk",
    "given_up",
    "lock_calls",
    "missing_partitions",
    "more_given_up",
    "slow_commits",
]

_COUNTER = "CREATE SEQUENCE fault_counter MINVALUE 0 START 0"
"""A sequence is not rolled back with the transaction that drew from it, so it counts those that failed, too."""

_FAILING = """
CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('fault_counter') % {every} = 0 THEN
        PERFORM nextval('fault_raised');
        RAISE EXCEPTION 'given up by the harness'
            USING ERRCODE = CASE random() < 0.5 WHEN true THEN '40P01' ELSE '40001' END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fault AFTER INSERT ON callrecords.call_version_row FOR EACH STATEMENT EXECUTE FUNCTION fault();
"""
_SLOW = """
CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('fault.slept', true) IS DISTINCT FROM txid_current()::text THEN
        PERFORM set_config('fault.slept', txid_current()::text, true), pg_sleep({seconds}), nextval('fault_raised');
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fault AFTER INSERT ON callrecords.call_version_row
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fault();
"""
_GIVEN_UP = re.compile(r'^ringback_store_unavailable_total\{sqlstate_class="([^"]*)"\} (\S+)$', re.MULTILINE)
_UNDO = "DROP FUNCTION IF EXISTS fault CASCADE; DROP SEQUENCE IF EXISTS fault_counter, fault_raised"


@action("fail transactions")
async def fail_transactions(scene: Scene, seconds: float, every: int = 3) -> None:
    """Every so many transactions that write calls end as PostgreSQL ends a deadlock or a failed serialization."""
    await _with_trigger(scene, _FAILING.replace("{every}", str(every)), "fail transactions", seconds)


@action("slow commits")
async def slow_commits(scene: Scene, seconds: float, each: float = 1.0) -> None:
    """Every transaction that writes calls takes this much longer to commit."""
    await _with_trigger(scene, _SLOW.replace("{seconds}", str(each)), "slow commits", seconds)


@action("missing partitions")
async def missing_partitions(scene: Scene, seconds: float = 20.0) -> None:
    """A call of a month that no partition is made for, when the partitions for everything else are gone, too.

    `made` is whether the month's partition stood within `seconds`.
    """
    at, month = time.time(), f"20{scene.random.randint(31, 89)}-0{scene.random.randint(1, 9)}"
    order = {"tenantId": scene.stack.tenants[0], "shape": "meeting", "startDateTime": f"{month}-11T09:00:00Z"}
    made = f"SELECT to_regclass('callrecords.session_row_{month.replace('-', '_')}') IS NOT NULL"
    async with connected(scene.stack.dsn) as connection:
        for parent in ("participant", "session", "stream"):
            await connection.execute(f"DROP TABLE IF EXISTS callrecords.{parent}_row_default")
        before = await connection.fetchval(made)
        await scene.ask("POST", "calls", {"versionMark": True, **order})
        while not await connection.fetchval(made) and time.time() < at + seconds:  # noqa: ASYNC110 - the database tells by asking
            await asyncio.sleep(0.1)
        stands = not before and await connection.fetchval(made)
    scene.note(Act(at, time.time(), "missing partitions", "database", {"made": float(stands)}))


@action("lock calls")
async def lock_calls(scene: Scene, seconds: float) -> None:
    """Another session holds the table of calls for itself; `waited` is how often the store was seen to wait for it."""
    at, waited = time.time(), 0
    async with connected(scene.stack.dsn) as holder, connected(scene.stack.dsn) as watcher, holder.transaction():
        await holder.execute("LOCK TABLE callrecords.call IN ACCESS EXCLUSIVE MODE")
        while time.time() < at + seconds:
            waited += bool(await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            await asyncio.sleep(0.2)
    scene.note(Act(at, time.time(), "lock calls", "database", {"waited": float(waited)}))


@action("fill disk")
async def fill_disk(scene: Scene, server: Literal["broker", "postgres"], seconds: float) -> None:
    """Nothing more fits on the server's disk; then it does again, and a server that ended for it is started.

    `given_up` is how many transactions the store gave up for now in that time.
    """
    disk, at, before = scene.needed(scene.world.disks, "limited disks")[server], time.time(), await given_up(scene)
    disk.fill()
    try:
        await asyncio.sleep(seconds)
        left, more = disk.free, more_given_up(before, await given_up(scene))
    finally:
        disk.empty()
    died = await (_revived_broker(scene) if server == "broker" else _revived_postgres(scene))
    detail = {"bytes_left": float(left), "given_up": more, "died": float(died)}
    scene.note(Act(at, time.time(), "fill disk", server, detail))


async def given_up(scene: Scene, sqlstate_class: str | None = None) -> float | None:
    """How many transactions the store gave up for now since it began, by its own count; None if it does not tell.

    With a class only those for an SQLSTATE of it.
    """
    text = await metrics_of(scene, "store")
    counts = (float(count) for name, count in _GIVEN_UP.findall(text) if sqlstate_class in {None, name})
    return sum(counts) if text else None


def more_given_up(before: float | None, now: float | None) -> float:
    """How many were given up in between; 0, which is no evidence, if it is not known or the store began anew."""
    return 0.0 if before is None or now is None else max(0.0, now - before)


async def _revived_broker(scene: Scene) -> bool:
    """A broker whose only log directory cannot be written ends by itself."""
    node = scene.stack.broker.nodes[0]
    if node.running:
        return False
    node.spawn()
    await asyncio.to_thread(node.wait_ready, 180.0)
    return True


async def _revived_postgres(scene: Scene) -> bool:
    """PostgreSQL ends when it cannot write its log ahead; it recovers as it starts."""
    postgres = scene.stack.postgres
    if postgres.running:
        return False
    postgres.start()
    return True


async def _with_trigger(scene: Scene, trigger: str, what: str, seconds: float) -> None:
    at = time.time()
    async with connected(scene.stack.dsn) as connection:
        await connection.execute(f"{_UNDO}; {_COUNTER}; {_COUNTER.replace('counter', 'raised')}; {trigger}")
        try:
            await asyncio.sleep(seconds)
        finally:
            raised = await connection.fetchval(
                "SELECT CASE WHEN is_called THEN last_value + 1 ELSE 0 END FROM fault_raised"
            )
            await connection.execute(_UNDO)
    scene.note(Act(at, time.time(), what, "database", {"raised": float(raised)}))
