"""workday.py TENANTS: orders a workday of calls from the simulator as soon as every tenant is subscribed; ends with it.

TENANTS is the file that the simulator was started with. WORKDAY_CALLS, WORKDAY_SECONDS and WORKDAY_SEED change how many
calls end, in how many seconds, and which. Runs in the simulator's network and needs nothing but Python.
"""

import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

SUBSCRIBED_SECONDS = 120
DAY = {"CALLS": 1000, "SECONDS": 120, "SEED": int(time.time())}  # each day has other calls


def control(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request to the control API, a POST if there is a body; its answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:8444/control/{path}", data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        answered: dict[str, Any] = json.load(answer)
    return answered


def subscribed(tenants: list[str]) -> None:
    """Wait until each tenant has a subscription, for Graph announces a call to those alone that it has then."""
    deadline = time.monotonic() + SUBSCRIBED_SECONDS
    while missing := set(tenants) - {one["tenantId"] for one in control("subscriptions")["subscriptions"]}:
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(missing)} of {len(tenants)} tenants have no subscription; see the keeper's log.")
        time.sleep(0.5)


def main() -> None:
    """Order the day and say every ten seconds how far it is; 0 when Graph has nothing more to announce."""
    tenants = [one["tenantId"] for one in json.loads(Path(sys.argv[1]).read_text())["tenants"]]
    subscribed(tenants)
    number = {name: int(os.environ.get(f"WORKDAY_{name}") or given) for name, given in DAY.items()}
    order = {"seed": number["SEED"], "calls": number["CALLS"], "durationSeconds": number["SECONDS"]}
    day = control("workday", order | {"tenants": tenants})
    while not day["done"]:
        print(line(day), flush=True)
        time.sleep(10)
        day = control("workday")
    print(f"The day is over: {line(day)}", flush=True)


def line(day: dict[str, Any]) -> str:
    """How far the day is."""
    return f"{day['startedCalls']} of {day['plannedCalls']} calls ended, {day['accepted']} notifications accepted"


if __name__ == "__main__":
    main()
