"""The plan as text: nothing of it may be missing for the person who reads it."""

from __future__ import annotations

from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan
from ansible_collections.djangoops.pooling.plugins.module_utils._table import plan_table
from hypothesis import assume, given
from sizing_fleets import FLEETS

FLEET: dict[str, Any] = {
    "groups": [
        {"name": "web", "hosts": 10, "processes": 8, "threads": 4, "conn_max_age": 60, "pools": ["app"]},
        {"name": "worker", "interface": "celery", "conn_max_age": 600, "pools": ["jobs"]},
        {"name": "ws", "interface": "asgi", "concurrency": 25, "pools": ["app"]},
    ],
    "pools": [{"name": "app"}, {"name": "jobs", "server": "replica-of-the-east"}],
    "postgres": {"primary": {"cores": 8, "max_connections": 100}, "replica-of-the-east": {"cores": 2}},
    "poolers": {"hosts": 2},
}


def words(lines: list[str]) -> str:
    """The text without its line breaks and columns."""
    return " ".join(" ".join(lines).split())


def test_demand_pools_budgets_and_timeouts() -> None:
    made = plan(FLEET)
    text = words(plan_table(made, FLEET))
    assert "web 10 8 4 60 s app" in text
    assert "worker 1 1 1 600 s jobs" in text
    assert "ws 1 1 25 0 s app" in text
    assert f"= {made['client_base']} in steady state, {made['client_peak']} at most" in text
    central = made["instances"]["central"]
    for name, pool in central["pools"].items():
        row = (pool[key] for key in ("clients", "pool_size", "reserve_pool_size", "min_pool_size"))
        assert f"central.{name} {' '.join(map(str, row))}" in text
    assert f"central: 2 host(s) x 1 process(es), max_client_conn {central['max_client_conn']}" in text
    for name, server in made["servers"].items():
        assert f"{name} {server['worst_case']}/{server['max_connections']} {server['pool_total']}" in text
    for name, value in made["timeouts"].items():
        assert f"{name} {value}" in text


def test_warnings_are_shown_where_there_are_any() -> None:
    made = plan(FLEET)
    assert made["warnings"]
    assert all(warning in words(plan_table(made, FLEET)) for warning in made["warnings"])
    quiet = {**FLEET, "groups": FLEET["groups"][:1], "pools": FLEET["pools"][:1]}
    assert "Warnings" not in plan_table(plan(quiet), quiet)


def test_the_reasons_of_the_main_numbers_are_always_shown() -> None:
    made = plan(FLEET)
    text = words(plan_table(made, FLEET))
    for path in ("servers.primary.target_connections", "timeouts.query_wait_timeout"):
        assert f"{path.split('.', 1)[1]}: {made['why'][path]}" in text
    assert made["why"]["instances.central.pools.app"] in text


def test_a_group_that_leaves_out_what_has_a_default() -> None:
    fleet = {"groups": [{"name": "web"}], "pools": [{"name": "app"}]}
    assert "web 1 1 1 0 s" in words(plan_table(plan(fleet), fleet))


def test_lines_fit_and_columns_stand_under_each_other() -> None:
    lines = plan_table(plan(FLEET), FLEET, why=True)
    assert all(len(line) <= 120 and line == line.rstrip() and "\n" not in line for line in lines)
    start = next(index for index, line in enumerate(lines) if line.startswith("PostgreSQL"))
    ends = {line.index("/") for line in lines[start : start + 3]}
    assert len(ends) <= 2


def test_names_with_hyphens_are_not_broken() -> None:
    """A name that is copied from the table is whole, wherever its line ends."""
    users = [f"{'x' * length}-report-of-the-day" for length in range(1, 20)]
    pools = [{"name": f"pool{index:02}", "user": user} for index, user in enumerate(users)]
    fleet = {"groups": [{"name": "web"}], "pools": pools}
    text = words(plan_table(plan(fleet), fleet))
    assert all(f" {user} " in text for user in users)


@given(FLEETS)
def test_everything_is_mentioned(inputs: dict[str, Any]) -> None:
    """Every pool, server and warning, and with why every derivation, for any plan."""
    try:
        made = plan(inputs)
    except SizingError:
        assume(False)
    text = words(plan_table(made, inputs))
    for name, instance in made["instances"].items():
        assert all(f"{name}.{pool} " in text for pool in instance["pools"])
    for name, server in made["servers"].items():
        assert f"{name} {server['worst_case']}/{server['max_connections']} " in text
    assert all(" ".join(warning.split()) in text for warning in made["warnings"])
    derived = words(plan_table(made, inputs, why=True))
    assert all(f"{path}: {reason}" in derived for path, reason in made["why"].items())
