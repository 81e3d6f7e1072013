"""Random fleets for the property tests of the sizing formula."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

POOL_NAMES = ("alpha", "beta", "gamma", "delta", "eta")

# The strategies are built once: to build them for each example would cost more than to plan it.
_COMMON: dict[str, st.SearchStrategy[Any]] = {
    "hosts": st.integers(0, 6),
    "processes": st.integers(1, 5),
    "pools": st.lists(st.sampled_from(POOL_NAMES), min_size=1, max_size=3),
    "deploy_overlap": st.sampled_from([1, 1.1, "1.25", "3/2", 2, 4]),
    "host_group": st.sampled_from(["north", "south", "west"]),
}
_THREADS: dict[str, st.SearchStrategy[Any]] = {
    "interface": st.sampled_from(["wsgi", "celery", "script"]),
    "threads": st.integers(1, 4),
    "conn_max_age": st.sampled_from([0, 30, 60, 300]),
    "burst_factor": st.sampled_from([1, 1.25, 2]),
}
_CONCURRENT: dict[str, st.SearchStrategy[Any]] = {
    "interface": st.sampled_from(["asgi", "gevent"]),
    "concurrency": st.integers(1, 20),
}
_NATIVE: dict[str, st.SearchStrategy[Any]] = {
    "interface": st.sampled_from(["wsgi", "asgi"]),
    "native_pool": st.sampled_from([True, {"min_size": 1, "max_size": 3}, {"min_size": 6, "max_size": 2}]),
}
_GROUPS = st.lists(
    st.one_of(*(st.fixed_dictionaries({**_COMMON, **kind}) for kind in (_THREADS, _CONCURRENT, _NATIVE))),
    min_size=2,
    max_size=5,
)
_POOL: dict[str, st.SearchStrategy[Any]] = {
    "database": st.sampled_from(["app", "jobs", "archive"]),
    "user": st.sampled_from(["web", "worker", "report"]),
    "server": st.sampled_from(["primary", "primary", "replica"]),
    "min": st.integers(1, 3),
    "nested": st.sampled_from([1, 1, 1, 2, 3]),
}
_WEIGHT = {"weight": st.sampled_from([0, 1, 2.5, 10])}
_LOAD = {"tps": st.integers(0, 400), "xact_ms": st.sampled_from([0, 2, 12.5, 50])}
_POOLS = st.one_of(
    *(
        st.lists(st.fixed_dictionaries({**_POOL, **extra}), min_size=1, max_size=len(POOL_NAMES))
        for extra in ({}, _WEIGHT, _LOAD, {**_WEIGHT, **_LOAD})
    )
)
_DIRECT = st.fixed_dictionaries(
    {"connections": st.integers(0, 6)},
    optional={
        "user": st.sampled_from(["web", "worker", "admin"]),
        "superuser": st.booleans(),
        "reserved": st.booleans(),
        "walsender": st.booleans(),
    },
)
_CPU = [{}, {"cores": 4}, {"vcpus": 7}, {"target_connections": 40}, {"usl": [0.02, 0.0005]}]
_SERVER = st.fixed_dictionaries(
    {
        "version": st.sampled_from([11, 13, 15, 16, 17]),
        "max_connections": st.one_of(st.none(), st.integers(10, 400)),
        "superuser_reserved_connections": st.integers(0, 5),
        "reserved_connections": st.integers(0, 5),
        "direct": st.lists(_DIRECT, max_size=3),
        "ram_mib": st.one_of(st.none(), st.integers(512, 65536)),
        "hold_ratio": st.sampled_from([1, 1.5, 3]),
        "cpu": st.sampled_from(_CPU),
    }
)
_POOLERS = st.fixed_dictionaries(
    {
        "placement": st.sampled_from(["central", "local"]),
        "hosts": st.integers(1, 5),
        "processes": st.integers(1, 3),
        "restart_extra": st.integers(0, 2),
        "distribution": st.sampled_from(["failover", "balanced"]),
        "skew": st.sampled_from([1, 1.25, 2]),
        "console_clients": st.integers(0, 20),
        "auth_query": st.booleans(),
        "auth_dbname": st.booleans(),
        "peering": st.booleans(),
    },
    optional={"serving_hosts": st.integers(1, 5), "tolerate_hosts_lost": st.integers(0, 4)},
)


def _with_names(inputs: dict[str, Any]) -> dict[str, Any]:
    """Give names to what is drawn, and make it keep the rules between its parts."""
    for index, group in enumerate(inputs["groups"]):
        known = POOL_NAMES[: len(inputs["pools"])]
        group["name"] = f"group{index}"
        group["pools"] = [known[POOL_NAMES.index(name) % len(known)] for name in group["pools"]]
    for name, pool in zip(POOL_NAMES, inputs["pools"], strict=False):
        pool["name"] = name
    for server in inputs["postgres"].values():
        server.update(server.pop("cpu"))
        if server["version"] < 16:
            server["reserved_connections"] = 0
    poolers = inputs["poolers"]
    if "serving_hosts" in poolers:
        poolers["serving_hosts"] = min(poolers["serving_hosts"], poolers["hosts"])
    if "tolerate_hosts_lost" in poolers:
        serving = poolers.get("serving_hosts", poolers["hosts"])
        poolers["tolerate_hosts_lost"] = min(poolers["tolerate_hosts_lost"], serving - 1)
    return inputs


# The inputs of a plan: they are within the ranges, but may ask for more than there is.
FLEETS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "groups": _GROUPS,
        "pools": _POOLS,
        "poolers": _POOLERS,
        "postgres": st.fixed_dictionaries({"primary": _SERVER, "replica": _SERVER}),
        "pool_mode": st.sampled_from(["transaction", "transaction", "session"]),
        "targets": st.fixed_dictionaries({"alert": st.sampled_from([0.5, 0.8, 1])}),
    }
).map(_with_names)


def _central(inputs: dict[str, Any]) -> dict[str, Any]:
    inputs["poolers"]["placement"] = "central"
    return inputs


CENTRAL_FLEETS = FLEETS.map(_central)
