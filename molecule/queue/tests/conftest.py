"""The fixtures that all scenarios share, the plan of this one, and programs on its host."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
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
shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared)
app, database, pooler, console, sql = shared.app, shared.database, shared.pooler, shared.console, shared.sql

Template = Callable[..., Any]
Program = Callable[[str, dict[str, Any]], Any]
Stats = Callable[[], list[dict[str, str]]]


@pytest.fixture(scope="session")
def template() -> Template:
    """Let Ansible compute a template on this scenario's inventory; keywords are variables in it."""
    inventory = shared.RUNNER.inventory_file
    host = testinfra.get_host(
        f"ansible://{shared.RUNNER.get_hosts('database')[0]}?ansible_inventory={inventory}"
    )

    def compute(text: str, **variables: Any) -> Any:
        return host.ansible("debug", f'msg="{{{{ {text} }}}}"', check=False, extra_vars=variables)["msg"]

    return compute


@pytest.fixture(scope="session")
def fleet(template: Template) -> dict[str, Any]:
    """The inputs of the plan, from the inventory as the playbook site reads it."""
    result: dict[str, Any] = template("groups | djangoops.pooling.fleet(hostvars)")
    return result


@pytest.fixture(scope="session")
def plan(template: Template, fleet: dict[str, Any]) -> dict[str, Any]:
    """The plan that the host was set up by."""
    result: dict[str, Any] = template("fleet | djangoops.pooling.pool_plan", fleet=fleet)
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
