"""The package djangoops_pooling in a real Django; what needs servers is proven in the scenario django."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import companions_project  # noqa: F401  # sets Django up, before what needs it
import pytest
import yaml
from conftest import ROOT
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.transaction import TransactionManagementError
from django.test import Client, override_settings
from djangoops_pooling.checks import contradictions
from djangoops_pooling.connections import forget_inherited
from djangoops_pooling.middleware import measured
from djangoops_pooling.routers import direct, direct_alias

PACKAGE = ROOT / "roles/django_settings/files/djangoops_pooling"
SETTINGS = {
    "OPTIONS": {},
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "DISABLE_SERVER_SIDE_CURSORS": True,
}


def test_pip_installs_the_package(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE.parent, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path / "site"),
    ]
    subprocess.run([*install, str(tmp_path / "source")], check=True)
    program = "import djangoops_pooling.management.commands.reconnect; print(djangoops_pooling.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "site", check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(tmp_path / "site/djangoops_pooling/__init__.py")


def test_the_role_and_pip_take_every_file() -> None:
    files = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
    listed = yaml.safe_load((ROOT / "roles/django_settings/vars/main.yml").read_text(encoding="utf-8"))
    assert listed["__django_settings_companions"] == files
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    packages = sorted(
        ".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("__init__.py")
    )
    assert sorted(project["tool"]["setuptools"]["packages"]) == packages
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == galaxy["version"]


def ids(
    alias: str, lends: str, statements: int | None = None, past: bool = False, **change: Any
) -> list[str]:
    found = contradictions(alias, {**SETTINGS, **change}, lends, statements, past=past)
    assert all(message.hint and message.obj == alias for message in found)
    return [str(message.id).removeprefix("djangoops_pooling.") for message in found]


@pytest.mark.parametrize(
    ("lends", "statements", "change", "expected"),
    [
        ("transaction", None, {}, []),
        ("transaction", None, {"DISABLE_SERVER_SIDE_CURSORS": False}, ["W003"]),
        ("transaction", None, {"OPTIONS": {"prepare_threshold": 5}}, ["W004"]),
        ("transaction", 0, {"OPTIONS": {"prepare_threshold": 5}}, ["W004"]),
        ("transaction", 200, {"OPTIONS": {"prepare_threshold": 5}}, []),
        ("transaction", None, {"OPTIONS": {"prepare_threshold": None}}, []),
        ("transaction", None, {"OPTIONS": {"assume_role": "x"}}, ["W005"]),
        ("statement", None, {}, ["E001"]),
        ("statement", None, {"DISABLE_SERVER_SIDE_CURSORS": False}, ["E001", "W003"]),
        ("session", None, {}, ["W002"]),
        ("session", None, {"DISABLE_SERVER_SIDE_CURSORS": False, "OPTIONS": {"assume_role": "x"}}, []),
        ("", None, {}, ["W002"]),
        ("session", None, {"DISABLE_SERVER_SIDE_CURSORS": False, "CONN_MAX_AGE": None}, ["W006"]),
        ("", None, {"DISABLE_SERVER_SIDE_CURSORS": False, "CONN_MAX_AGE": None}, []),
        ("transaction", None, {"CONN_HEALTH_CHECKS": False}, ["W007"]),
        ("transaction", None, {"CONN_HEALTH_CHECKS": False, "CONN_MAX_AGE": 0}, []),
    ],
)
def test_what_does_not_fit_the_pooler(
    lends: str, statements: int | None, change: dict[str, Any], expected: list[str]
) -> None:
    assert ids("default", lends, statements, **change) == expected


def test_names_that_promise_something_else() -> None:
    assert ids("default_direct", "transaction") == ["W008"]
    assert ids("default_direct", "", DISABLE_SERVER_SIDE_CURSORS=False) == []
    assert ids("default", "", past=True, DISABLE_SERVER_SIDE_CURSORS=False) == ["W009"]
    assert ids("default", "transaction", past=True) == []


def test_the_check_is_there_and_only_with_a_database() -> None:
    assert run_checks() == []
    [message] = run_checks(databases=["default"])
    assert message.id == "djangoops_pooling.W001"
    assert "cannot be asked" in message.msg and "refused" in message.msg


def test_the_command_fails_when_nobody_answers() -> None:
    with pytest.raises(CommandError, match=r"^jobs: .*refused"):
        call_command("reconnect", "--database", "jobs", "--wait", "0.3")


def test_the_direct_alias() -> None:
    assert direct_alias() == "default_direct"
    assert direct_alias("jobs") == "jobs"
    assert direct_alias("same") == "same"


def test_the_router_inside_and_outside_of_direct() -> None:
    assert User.objects.all().db == "default"
    with direct() as alias:
        assert alias == User.objects.all().db == "default_direct"
        with direct("jobs"):
            assert User.objects.all().db == "jobs"
        assert User.objects.all().db == "default_direct"
        assert User.objects.using("default").db == "default"
    assert User.objects.all().db == "default"
    with pytest.raises(ZeroDivisionError), direct():
        raise ZeroDivisionError
    assert User.objects.all().db == "default"


@pytest.mark.parametrize("label", ["auth", "auth.User"])
def test_models_that_always_go_past_the_pooler(label: str) -> None:
    with override_settings(POOLING_DIRECT_MODELS=[label]):
        assert User.objects.all().db == "default_direct"
        assert ContentType.objects.all().db == "default"


def test_both_aliases_are_one_database_for_relations() -> None:
    past, other = Permission(), ContentType()
    past._state.db, other._state.db = "default_direct", "jobs"
    same = ContentType()
    same._state.db = "default"
    past.content_type = same
    with pytest.raises(ValueError, match="the current database router prevents this relation"):
        past.content_type = other


def test_direct_is_refused_inside_of_a_transaction() -> None:
    connection = connections["default"]
    connection.in_atomic_block = True
    try:
        with pytest.raises(TransactionManagementError, match="A transaction on 'default' is open"), direct():
            pass
    finally:
        connection.in_atomic_block = False
    connections["same"].in_atomic_block = True
    try:
        with direct("same") as alias:
            assert alias == "same"
    finally:
        connections["same"].in_atomic_block = False


def test_the_middleware_counts_and_measures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="djangoops_pooling")
    assert Client().get("/idle").status_code == 200
    assert caplog.messages == []
    assert Client().get("/query/a%0Ab").content == b"tried"
    [line] = caplog.messages
    assert line.startswith("GET '/query/a\\nb' opened 1 connection(s): default in ")
    assert 0 <= float(line.split()[-2]) < 5000


def test_measuring_leaves_nothing_behind() -> None:
    with measured():
        assert "get_new_connection" in vars(connections["default"])
    assert "get_new_connection" not in vars(connections["default"])


class Inherited:
    """What stands for a connection that a fork has copied: whoever closes it closes the parent's."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_a_fork_inherits_no_connection() -> None:
    """In a real child; the parent keeps its own."""
    connection = connections["default"]
    copied = connection.connection = Inherited()
    try:
        child = os.fork()
        if child == 0:
            os._exit(0 if connection.connection is None and not copied.closed else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert connection.connection is copied and not copied.closed
        forget_inherited()
        assert connection.connection is None and not copied.closed
    finally:
        connection.connection = None
