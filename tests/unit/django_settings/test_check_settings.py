"""The program that the application's Python runs before settings are installed."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._django_text import settings_file
from conftest import ROOT

CHECK = (ROOT / "roles/django_settings/files/check_settings.py").read_text(encoding="utf-8")
ALIAS = {
    "strategy": "conn_max_age",
    "NAME": "a",
    "USER": "b",
    "HOST": "c",
    "PORT": 1,
    "password_variable": "NOT_SET",
}
SECRET = "Schluesselblume"


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python without Django."""
    path = tmp_path_factory.mktemp("bare")
    venv.create(path)
    return str(path / "bin/python")


def said(alias: dict[str, Any], python: str = sys.executable, **given: Any) -> tuple[int, str]:
    databases = {"default": {**ALIAS, **alias}}
    asked = {"source": settings_file(databases), "version": "", "psycopg": 3, "aliases": ["default"], **given}
    done = subprocess.run(
        [python, "-c", CHECK], input=json.dumps(asked), capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert SECRET not in done.stdout
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize(
    "alias", [{}, {"strategy": "native_pool"}, {"strategy": "hybrid", "pool": {"min_size": 0, "max_size": 2}}]
)
def test_good_settings(alias: dict[str, Any]) -> None:
    """Passwords are not there when the role runs, and not needed."""
    assert said(alias) == (0, "")
    secret = {key: value for key, value in ALIAS.items() if key != "password_variable"}
    text = settings_file({"default": {**secret, **alias, "password_file": "/does/not/exist"}})
    assert said({}, source=text) == (0, "")
    assert said({}, version="5.2") == (0, "")


def test_without_django_the_file_is_compiled_and_imported(bare: str) -> None:
    assert said({}, python=bare) == (0, "")
    assert said({}, python=bare, source="DATABASES = {")[0] == 1
    code, text = said({}, python=bare, version="5.2")
    assert code == 1 and text.startswith(
        f"django_settings_version is 5.2, and {bare} has no Django; install it"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": f"PASSWORD = '{SECRET}"}, "the settings are not Python: SyntaxError in line 1"),
        ({"source": f"raise ValueError('{SECRET}')"}, "the settings cannot be imported: ValueError"),
        ({"source": "x = 1"}, "the settings define more or less than DATABASES with the aliases default"),
        ({"source": "DATABASES = {'default': {}}\nx = 1"}, "the settings define more or less than DATABASES"),
        (
            {"aliases": ["default", "jobs"]},
            "the settings define more or less than DATABASES with the aliases default, jobs",
        ),
        ({"version": "4.2"}, f"django_settings_version is 4.2, and {sys.executable} has Django 5.2"),
        ({"psycopg": 2}, "django_settings_psycopg is 2, and Django takes psycopg 3 here"),
    ],
)
def test_bad_settings(given: dict[str, Any], message: str) -> None:
    code, text = said({}, **given)
    assert code == 1 and text.startswith(message), text


def test_a_library_that_is_missing() -> None:
    code, text = said({"strategy": "dj_db_conn_pool"})
    assert code == 1
    assert text.startswith(
        "alias 'default': 'dj_db_conn_pool.backends.postgresql' isn't an available database backend"
    )


def test_psycopg_without_its_pool(tmp_path: Path) -> None:
    """A package of that name in front of it that cannot be imported, as if it were not there."""
    (tmp_path / "psycopg_pool.py").write_text("raise ImportError('hidden')", encoding="utf-8")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + CHECK
    asked = {
        "source": settings_file({"default": {**ALIAS, "strategy": "native_pool"}}),
        "version": "",
        "psycopg": 3,
        "aliases": ["default"],
    }
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(asked), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "Did you install psycopg[pool]?" in done.stdout
