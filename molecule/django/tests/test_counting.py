"""A fleet under real HTTP load takes no more backends than planned, and every request is served; without a pooler not.

Ten groups of 8 gunicorn workers with 4 threads are 320 logical connections. They are counted, too: were there fewer,
the small number of backends would prove nothing. Requests think for a while between their queries, so that all threads
are at work at once on a machine of two cores.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import ENVIRONMENTS, HOSTS, VARIABLES, Environment, console, suite_of

WORKERS, THREADS = 8, 4
THINK_SECONDS, SECONDS = 5.0, 10.0
# the whole fleet on one Debian; on the others as many groups as still are too many without a pooler
GROUPS = {"trixie": 10}
FEWER_GROUPS = 4
POOL: dict[str, Any] = VARIABLES["shop_plan"]["instances"]["central"]["pools"]["shop"]
MAX_CONNECTIONS: int = VARIABLES["shop_plan"]["servers"]["primary"]["max_connections"]


def newest(host: str) -> Environment:
    """The newest environment of a host."""
    return max((each for each in ENVIRONMENTS if each.host == host), key=lambda each: each.name)


def groups_of(host: str) -> int:
    """How many groups a host runs."""
    return GROUPS.get(suite_of(host), FEWER_GROUPS)


def run(host: str, alias: str, **arguments: Any) -> dict[str, Any]:
    """Run the host's fleet by an alias; returns what was counted in each phase."""
    console(host, "RECONNECT")  # what other tests have left open in the other pools is none of the fleet's
    fleet = {"groups": groups_of(host), "workers": WORKERS, "threads": THREADS, "think": THINK_SECONDS}
    result: dict[str, Any] = newest(host).run(
        "shop.fleet", json.dumps({"alias": alias, **fleet, "seconds": SECONDS, **arguments}), seconds=500
    )
    for phase, counted in result.items():
        print(suite_of(host), alias, phase, counted)
    return result


def test_the_whole_fleet_runs_somewhere() -> None:
    """The plan's fleet is the one that is counted, and it is too large without a pooler."""
    web = WORKERS * THREADS * max(map(groups_of, HOSTS))
    assert web == VARIABLES["shop_plan"]["client_base"] == 320
    assert min(map(groups_of, HOSTS)) * WORKERS * THREADS > MAX_CONNECTIONS


@pytest.mark.parametrize("host", HOSTS, ids=suite_of)
def test_backends_stay_within_the_plan_also_during_a_deploy(host: str) -> None:
    """No request fails and no backend is more than planned, before, while and after old and new workers overlap."""
    clients = groups_of(host) * WORKERS * THREADS
    counted = run(host, "pgbouncer_transaction", deploy=True, warm_up=2 * THINK_SECONDS)
    for phase in counted.values():
        assert not phase["failures"], counted
        assert phase["requests"] >= clients, f"not every thread served a request: {counted}"
        assert 0 < phase["backends"] <= POOL["pool_size"] + POOL["reserve_pool_size"], counted
    assert counted["steady"]["clients"] == clients, counted
    assert counted["overlap"]["clients"] > 1.25 * clients, f"old and new hardly overlapped: {counted}"


@pytest.mark.parametrize("host", HOSTS, ids=suite_of)
def test_without_a_pooler_requests_fail(host: str) -> None:
    """The same fleet straight at PostgreSQL takes every connection there is, and what finds none is an error 500."""
    counted = run(host, "conn_max_age", warm_up=THINK_SECONDS)["steady"]
    assert counted["failures"]["500"] > 0, counted
    assert counted["backends"] > MAX_CONNECTIONS - 10, counted
