"""What must hold for every fleet (docs/sizing.md 7 and 17)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan
from hypothesis import assume, event, given
from hypothesis import strategies as st
from sizing_check import check, direct_hard
from sizing_fleets import CENTRAL_FLEETS, FLEETS


def outcome(inputs: dict[str, Any]) -> dict[str, Any] | SizingError:
    try:
        return plan(inputs)
    except SizingError as exc:
        return exc


def planned(inputs: dict[str, Any]) -> dict[str, Any]:
    """The plan; fleets that do not fit are left out."""
    result = outcome(inputs)
    assume(not isinstance(result, SizingError))
    assert isinstance(result, dict)
    return result


def fails_for_budget(inputs: dict[str, Any], server: str) -> bool:
    result = outcome(inputs)
    return isinstance(result, SizingError) and result.message.startswith(f"server {server}: ")


def changed(inputs: dict[str, Any], fix: dict[str, Any]) -> dict[str, Any]:
    """The inputs with one fix applied."""
    result = deepcopy(inputs)
    *parents, key = fix["path"].split(".")
    target = result
    for parent in parents:
        target = target[parent]
    if key == "direct":
        while direct_hard(target) > fix["to"]:
            before = direct_hard(target)
            for entry in target["direct"]:
                if entry["connections"]:
                    entry["connections"] -= 1
                    if direct_hard(target) < before:
                        break
                    entry["connections"] += 1
    else:
        assert target[key] == fix["from"]
        target[key] = fix["to"]
    return result


@given(FLEETS)
def test_invariants(inputs: dict[str, Any]) -> None:
    original = deepcopy(inputs)
    result = outcome(inputs)
    assert inputs == original, "the inputs were changed"
    if isinstance(result, SizingError):
        event(result.code)
        assert result.code == "E_BUDGET"
    else:
        event(f"{len(result['servers'])} servers, {len(result['instances'])} instance groups")
        check(inputs, result)
        assert plan(inputs) == result


@given(FLEETS)
def test_each_fix_is_one(inputs: dict[str, Any]) -> None:
    error = outcome(inputs)
    assume(isinstance(error, SizingError))
    assert isinstance(error, SizingError) and error.code == "E_BUDGET"
    server = error.message.split()[1].rstrip(":")
    assert [fix["rel"] for fix in error.fixes] == sorted(fix["rel"] for fix in error.fixes)
    assert any(fix["path"] == f"postgres.{server}.max_connections" for fix in error.fixes)
    for fix in error.fixes:
        event(fix["path"].replace(server, "<server>"))
        assert not fails_for_budget(changed(inputs, fix), server), fix
        if fix["path"].endswith("max_connections"):
            assert fails_for_budget(changed(inputs, {**fix, "to": fix["to"] - 1}), server)


@given(FLEETS, st.randoms(use_true_random=False))
def test_the_order_of_declaration_does_not_matter(inputs: dict[str, Any], random: Any) -> None:
    shuffled = deepcopy(inputs)
    random.shuffle(shuffled["pools"])
    shuffled["postgres"] = dict(reversed(shuffled["postgres"].items()))
    one, two = outcome(inputs), outcome(shuffled)
    assert str(one) == str(two) if isinstance(one, SizingError) else one == two


@given(CENTRAL_FLEETS, st.integers(20, 400), st.integers(1, 200))
def test_more_connections_never_plan_smaller_pools(inputs: dict[str, Any], limit: int, more: int) -> None:
    """Not for local placement: there the largest remainder may move a connection to another group."""
    name = inputs["pools"][0]["server"]
    server = inputs["postgres"][name]
    server["max_connections"] = limit
    before = planned(inputs)["servers"][name]["pool_total"]
    server["max_connections"] += more
    assert plan(inputs)["servers"][name]["pool_total"] >= before


@given(CENTRAL_FLEETS, st.integers(1, 16), st.integers(1, 16))
def test_more_cores_never_plan_smaller_pools(inputs: dict[str, Any], cores: int, more: int) -> None:
    name = inputs["pools"][0]["server"]
    server = inputs["postgres"][name]
    for key in ("vcpus", "target_connections", "usl"):
        server.pop(key, None)
    server["cores"] = cores
    before = planned(inputs)["servers"][name]["pool_total"]
    server["cores"] += more
    assert plan(inputs)["servers"][name]["pool_total"] >= before


@given(FLEETS, st.integers(0, 3))
def test_a_longer_deploy_never_lowers_the_clients(inputs: dict[str, Any], index: int) -> None:
    group = inputs["groups"][index % len(inputs["groups"])]
    before = planned(inputs)["client_peak"]
    group["deploy_overlap"] = 4
    for server in inputs["postgres"].values():
        server["max_connections"] = None
    assert plan(inputs)["client_peak"] >= before
