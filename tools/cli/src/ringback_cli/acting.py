"""What every command that changes something has in common: the plan first, then `--yes`, then a report."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from ringback_common.settings import KafkaSettings
from ringback_stream.publish.producer import Producer

from ringback_cli.audit import AuditTrail, operator
from ringback_cli.carrying import Carried, Carrier, Deed
from ringback_cli.core.plans import COLUMNS, Plan
from ringback_cli.output import advancing, document, show, tell

__all__ = ["MaxRate", "Order", "Why", "Yes", "act", "lay_out", "report"]

Yes = Annotated[bool, typer.Option("--yes", help="Act; without it the plan is only shown.")]
Why = Annotated[str | None, typer.Option("--why", help="The reason for the audit trail, e.g. a ticket; no names.")]
MaxRate = Annotated[int, typer.Option("--max-rate", help="Records written a second at most.", min=1, max=5000)]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, once and for all decided.

    Attributes:
        action: as the audit trail names it.
        word: what one of them is when it is done, e.g. `released`.
        why: the operator's reason.
        run: id of the run.
        count: how many deeds there are.
        rate: deeds a second at most.
        tenant_id: the tenant it is done to, if it is one.
    """

    action: str
    word: str
    why: str
    run: str
    count: int
    rate: int
    tenant_id: str | None = None


def lay_out(title: str, plan: Plan, count: int, rate: int, *, as_json: bool) -> None:
    """Show the plan to a person, with what it would cost; a program gets it with the report."""
    if as_json:
        return
    show(title, COLUMNS, plan.rows(), as_json=False)
    cost = plan.estimate(count, rate)
    if cost.graph_requests:
        tell(
            f"{count} in {cost.write} s at {rate}/s. Graph is asked at least {cost.graph_requests} times: "
            f"{cost.fetch} s if nothing else is asked of the busiest tenant, {cost.fetch_busy} s while live requests "
            "go first."
        )
    elif count:
        tell(f"{count} in {cost.write} s at {rate}/s.")


async def act(
    kafka: KafkaSettings, order: Order, deeds: AsyncGenerator[Deed], noted: Callable[[Sequence[Deed]], None]
) -> Carried:
    """Carry out an order.

    Args:
        kafka: where.
        order: what.
        deeds: one by one, as they are read.
        noted: called with those that are acked and audited, as `Carrier` says.

    Raises:
        Transient: Kafka does not take it; what was acked of it is audited and noted.
    """
    producer = Producer(kafka)
    await producer.start()
    try:
        audit = AuditTrail(producer, operator(kafka), order.action, order.why, order.run, order.tenant_id)
        with advancing(order.count, order.word) as advance:

            def after(step: Sequence[Deed]) -> None:
                noted(step)
                advance(len(step))

            return await Carrier(producer, audit, order.rate, after).carry_out(deeds)
    finally:
        await producer.stop()


def report(order: Order, plan: Plan, carried: Carried | None, *, as_json: bool) -> None:
    """Say what was done, or that nothing was; exit 1 if not all of it was.

    Args:
        order: what was to be done.
        plan: its table.
        carried: how far it went; None for a dry run.
        as_json: one document for a program, plan included.
    """
    if as_json:
        cost = asdict(plan.estimate(order.count, order.rate))
        done = asdict(carried) if carried is not None else None
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in plan.rows()]
        what = {"action": order.action, "run": order.run, "count": order.count}
        document(what | {"plan": rows, "estimate": cost, "carried": done})
    elif carried is None:
        tell("Nothing was changed; add --yes to act." if order.count else "Nothing to do.")
    else:
        tell(f"{carried.done} of {order.count} {order.word}; run {order.run}.")
        _tell_rest(carried, order.count)
    if carried is not None and carried.done < order.count:
        raise typer.Exit(1)


def _tell_rest(carried: Carried, count: int) -> None:
    left = count - carried.done - len(carried.too_large)
    if left and carried.stopped:
        tell("Stopped as asked; the same command goes on from there.")
    if carried.too_large:
        tell(f"Kafka refuses {len(carried.too_large)} for their size: {', '.join(carried.too_large[:10])}")
    if left and not carried.stopped:
        tell(f"{left} were not found any more: the retention of their topic took them meanwhile.")
