"""The number of backends stays within the plan, also when clients vanish; and it is the guards that see to it.

PgBouncer closes the server connection of a client that vanished in mid-query and opens another in its place, while
PostgreSQL goes on with a query that nobody waits for. So the pool's size alone does not bound the backends. The plan
adds two guards in PostgreSQL: client_connection_check_interval ends such backends, and the role's CONNECTION LIMIT
bounds their number until then.

In this inventory every slot of the server is planned, so that the role's limit is exactly pool and reserve and the
bound on the role is as tight as it can be. All but one of the pool's connections vanish at a time: the last one serves
those that come and go.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Program = Callable[[str, dict[str, Any]], Any]
Query = Callable[[str], str]

MARGIN_SECONDS = 3.0
INTERVAL = "client_connection_check_interval"


@pytest.fixture(scope="module")
def interval(plan: dict[str, Any]) -> float:
    """Planned client_connection_check_interval, seconds."""
    match = re.fullmatch(r"(\d+)s", plan["servers"]["primary"][INTERVAL])
    assert match
    return float(match[1])


@contextlib.contextmanager
def without_guards(sql: Query, plan: dict[str, Any]) -> Iterator[None]:
    """Switch both guards off, and in the end on again, without the backends that were left meanwhile."""
    planned = plan["servers"]["primary"]

    def interval_is(shown: str) -> None:
        sql("SELECT pg_reload_conf()")
        end = time.monotonic() + 10
        while sql(f"SHOW {INTERVAL}") != shown:
            assert time.monotonic() < end, f"{INTERVAL} did not become {shown}"

    try:
        sql("ALTER ROLE app CONNECTION LIMIT -1")
        sql(f"ALTER SYSTEM SET {INTERVAL} = 0")
        interval_is("0")
        yield
    finally:
        sql(f"ALTER ROLE app CONNECTION LIMIT {planned['role_connection_limit']['app']}")
        sql(f"ALTER SYSTEM RESET {INTERVAL}")
        sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'app'")
        interval_is(planned[INTERVAL])


def test_limits_are_the_tightest(plan: dict[str, Any], pool: dict[str, Any], sql: Query) -> None:
    """The inventory leaves no slot unplanned, so the role's limit on the server is exactly pool and reserve."""
    server = plan["servers"]["primary"]
    limit = int(sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app'"))
    assert limit == server["role_connection_limit"]["app"] == pool["pool_size"] + pool["reserve_pool_size"]
    assert server["worst_case"] == server["max_connections"] == int(sql("SHOW max_connections"))


def test_backends_stay_within_the_plan(
    plan: dict[str, Any], pool: dict[str, Any], interval: float, program: Program
) -> None:
    """Never more backends than planned while clients vanish and churn; soon none is left of the vanished."""
    server = plan["servers"]["primary"]
    seen = program(
        "vanish", {"rounds": 3, "clients": pool["pool_size"] - 1, "settle": interval + MARGIN_SECONDS}
    )
    print(seen)
    assert seen["samples"] >= 4 * seen["seconds"], "the sampler hardly came to run"
    assert pool["pool_size"] <= seen["role"] <= server["role_connection_limit"]["app"], seen
    # whoever uses the server here takes of the planned direct and superuser slots
    assert seen["total"] <= server["worst_case"], seen
    assert seen["gone"] is not None, f"queries of vanished clients still run: {seen}"
    assert seen["served"] > 0, f"nobody was served after the last kill: {seen}"


def test_without_the_guards_backends_exceed_the_plan(
    plan: dict[str, Any], pool: dict[str, Any], interval: float, program: Program, sql: Query
) -> None:
    """The same clients leave more backends than pool and reserve where both guards are off, and they stay."""
    with without_guards(sql, plan):
        seen = program(
            "vanish", {"rounds": 3, "clients": pool["pool_size"] - 1, "settle": interval + MARGIN_SECONDS}
        )
    print(seen)
    assert seen["role"] > pool["pool_size"] + pool["reserve_pool_size"], seen
    assert seen["gone"] is None, (
        f"something else than the guard ended the queries of vanished clients: {seen}"
    )
