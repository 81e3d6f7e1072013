"""The fixtures that all scenarios share, on each Debian; the plan of this scenario, and programs on its hosts."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location(
    "shared_conftest", HERE.parents[1] / "shared" / "tests" / "conftest.py"
)
assert _spec
assert _spec.loader
shared = sys.modules["shared_conftest"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared)
console, playbook, sql, state = shared.console, shared.playbook, shared.sql, shared.state

Template = Callable[..., Any]
Program = Callable[[str, dict[str, Any]], Any]
Stats = Callable[[], list[dict[str, str]]]


@pytest.fixture(scope="session", params=["bookworm", "trixie", "forky"])
def suite(request: pytest.FixtureRequest) -> str:
    """The Debian, which is also the name of the only group of its host."""
    return str(request.param)


@pytest.fixture(scope="session")
def fleet_groups(suite: str) -> dict[str, str]:
    """The groups of this Debian's fleet, as the filters take them."""
    return {"app": suite, "pooler": suite, "database": suite}


@pytest.fixture(scope="session")
def app(suite: str) -> Host:
    """The host, which is everything at once here."""
    return testinfra.get_host(f"docker://{shared.RUNNER.get_hosts(suite)[0]}")


@pytest.fixture(scope="session")
def database(app: Host) -> Host:
    """The PostgreSQL host."""
    return app


@pytest.fixture(scope="session")
def pooler(app: Host) -> Host:
    """The PgBouncer host."""
    return app


@pytest.fixture(scope="session")
def template(suite: str) -> Template:
    """Let Ansible compute a template on this scenario's inventory; keywords are variables in it."""
    inventory = shared.RUNNER.inventory_file
    host = testinfra.get_host(f"ansible://{shared.RUNNER.get_hosts(suite)[0]}?ansible_inventory={inventory}")

    def compute(text: str, **variables: Any) -> Any:
        return host.ansible("debug", f'msg="{{{{ {text} }}}}"', check=False, extra_vars=variables)["msg"]

    return compute


@pytest.fixture(scope="session")
def fleet(template: Template, fleet_groups: dict[str, str]) -> dict[str, Any]:
    """The inputs of the plan, from the inventory as the playbook site reads it."""
    result: dict[str, Any] = template(
        "groups | djangoops.pooling.fleet(hostvars, **names)", names=fleet_groups
    )
    return result


@pytest.fixture(scope="session")
def plan(template: Template, fleet: dict[str, Any]) -> dict[str, Any]:
    """The plan that the host was set up by."""
    result: dict[str, Any] = template("fleet | djangoops.pooling.pool_plan", fleet=fleet)
    return result


@pytest.fixture(scope="session")
def pool(plan: dict[str, Any]) -> dict[str, Any]:
    """What is planned for the only pool."""
    result: dict[str, Any] = plan["instances"]["central"]["pools"]["app"]
    return result


@pytest.fixture(scope="session")
def program(app: Host) -> Program:
    """Run a program of this directory on the app host with Django's Python; its argument and its output are JSON."""

    def run(name: str, argument: dict[str, Any]) -> Any:
        source = (HERE / f"{name}.py").read_text(encoding="utf-8")
        result = app.run(
            "APP_DB_PASSWORD=%s /opt/django/bin/python -c %s %s",
            shared.PASSWORD,
            source,
            json.dumps(argument, separators=(",", ":")),
        )
        assert result.rc == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture(scope="session")
def show_stats(console: Callable[[str], str]) -> Stats:
    """Take a sample of SHOW STATS."""
    return lambda: list(csv.DictReader(io.StringIO(console("SHOW STATS"))))
