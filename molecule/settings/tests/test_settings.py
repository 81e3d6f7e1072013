"""What the role writes, refuses and leaves alone; the tests build on each other's state of the hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import HOSTS
from runs import Run, refused

Role = Callable[..., Run]
Everywhere = Callable[[str], list[str]]

DIRECTORY = "/etc/djangoops-pooling"
STATE = f"find {DIRECTORY} -printf '%p %m %u %g ' -type f -exec md5sum '{{}}' ';' | sort; cat /root/reloads"
# every printable character, and letters beyond ASCII
PASSWORD = "".join(chr(code) for code in range(32, 127)) + "äß€"
ALIAS: dict[str, Any] = {
    "strategy": "pgbouncer_transaction",
    "NAME": "app",
    "USER": "app",
    "HOST": "pooler",
    "PORT": 6432,
}
NAMED = {**ALIAS, "password_variable": "APP_DB_PASSWORD"}
# what Django makes of the settings, as JSON
DJANGO = f"""cd /tmp && APP_DB_PASSWORD="it's" PYTHONDONTWRITEBYTECODE=1 /opt/django/bin/python -c '
import sys; sys.path.insert(0, "{DIRECTORY}")
import json
from MODULE import DATABASES
from django.conf import settings
settings.configure(DATABASES=DATABASES, INSTALLED_APPS=["djangoops_pooling"])
import django; django.setup()
from django.db import connections
print(json.dumps([connections[alias].settings_dict["PASSWORD"] for alias in DATABASES]))
'"""


@pytest.fixture(autouse=True, scope="session")
def _written(role: Role, everywhere: Everywhere) -> None:
    """As after the first run, also when the tests are run again."""
    everywhere(f"rm -rf {DIRECTORY} /root/reloads")
    foreseen = role("--check", "--diff", django_settings_companions=True)
    assert foreseen.code == 0, foreseen.output
    everywhere(f"! [ -e {DIRECTORY} ]")
    first = role(django_settings_companions=True)
    assert first.code == 0, first.output


def test_django_imports_what_is_written(everywhere: Everywhere) -> None:
    """With the companions as an app; passwords from the environment and from a file that comes later."""
    everywhere("printf '%s\\n' 'from a file' >/root/app-password; chmod 600 /root/app-password")
    for said in everywhere(DJANGO.replace("MODULE", "pooling_databases")):
        assert json.loads(said) == ["it's", "from a file"]
    modes = everywhere(f"stat -c '%a %U' {DIRECTORY} {DIRECTORY}/pooling_databases.py")
    assert modes == ["755 root\n644 root"] * len(HOSTS)


def test_a_second_run_changes_nothing(role: Role) -> None:
    assert role(django_settings_companions=True).changed == dict.fromkeys(HOSTS, 0)


def test_the_application_is_reloaded_by_changes_alone(role: Role, everywhere: Everywhere) -> None:
    """Once by the first run and never by the second; by a change; and when the run of a change did not come so far."""
    assert everywhere("wc -l </root/reloads") == ["1"] * len(HOSTS)
    changed = role(django_settings_databases={"default": NAMED})
    assert changed.code == 0, changed.output
    assert changed.changed == dict.fromkeys(HOSTS, 3)
    assert everywhere("wc -l </root/reloads") == ["2"] * len(HOSTS)
    failed = role(
        django_settings_databases={"default": {**NAMED, "HOST": "other"}},
        django_settings_reload_command="false",
    )
    assert failed.code != 0 and "Reload the application" in failed.words
    again = role(django_settings_databases={"default": {**NAMED, "HOST": "other"}})
    assert again.changed == dict.fromkeys(HOSTS, 2), again.output
    assert everywhere("wc -l </root/reloads") == ["3"] * len(HOSTS)


def test_a_password_with_every_printable_character(role: Role, everywhere: Everywhere) -> None:
    """In the file on request, which nobody else may read; shown neither by --diff nor at -vvv; not run twice."""
    variables = {
        "django_settings_databases": {"default": ALIAS},
        "django_settings_users": {"app": {"password": PASSWORD}},
    }
    done = role("--diff", "-vvv", **variables)
    assert done.code == 0, done.output
    for shown in (PASSWORD, json.dumps(PASSWORD)[1:-1], repr(PASSWORD)[1:-1], "()*+,-./0123456789"):
        assert shown not in done.output.replace(json.dumps(variables), "")
    assert [json.loads(said) for said in everywhere(DJANGO.replace("MODULE", "pooling_databases"))] == [
        [PASSWORD]
    ] * len(HOSTS)
    assert everywhere(f"cd {DIRECTORY}; stat -c %a pooling_databases.py .pooling_databases.py.loaded") == [
        "640\n640"
    ] * len(HOSTS)
    assert role(**variables).changed == dict.fromkeys(HOSTS, 0)


def test_lines_with_urls(role: Role, everywhere: Everywhere) -> None:
    """Beside the module, as a file that systemd and Docker can read."""
    done = role(
        django_settings_databases={"default": {**ALIAS, "password": PASSWORD}},
        django_settings_form="dj-database-url",
        django_settings_path=f"{DIRECTORY}/django.env",
        django_settings_reload_command="",
    )
    assert done.code == 0, done.output
    program = "systemd-run -q --wait --pipe -p EnvironmentFile=FILE /usr/bin/python3 -c 'import os, urllib.parse as u; "
    program += 'print([u.unquote(u.urlsplit(os.environ["DATABASE_URL"]).password)])' + "'"
    assert everywhere(program.replace("FILE", f"{DIRECTORY}/django.env")) == [repr([PASSWORD])] * len(HOSTS)
    assert everywhere(f"stat -c %a {DIRECTORY}/django.env") == ["640"] * len(HOSTS)


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an unknown version": (
        {"django_settings_version": "3.2"},
        ("django_settings_version", "3.2", "4.2, 5.0"),
    ),
    "another version than the host's": (
        {"django_settings_version": "4.2"},
        ("django_settings_version is 4.2, and /opt/django/bin/python has Django", "django_settings_python"),
    ),
    "an unknown engine": (
        {"django_settings_databases": {"default": {**NAMED, "ENGINE": "django.db.backends.mysql"}}},
        ("django_settings_databases.default.ENGINE", "django.db.backends.postgresql"),
    ),
    "psycopg2 where Django takes 3": (
        {"django_settings_psycopg": 2},
        ("django_settings_psycopg is 2, and Django takes psycopg 3 here",),
    ),
    "a library that the host does not have": (
        {"django_settings_databases": {"default": {**NAMED, "strategy": "dj_db_conn_pool"}}},
        ("alias 'default'", "dj_db_conn_pool.backends.postgresql"),
    ),
    "psycopg without its pool": (
        {"django_settings_databases": {"default": {**NAMED, "strategy": "hybrid"}}},
        ("alias 'default'", "Did you install psycopg[pool]?", "/opt/django/bin/python"),
    ),
    "a combination that cannot work": (
        {"django_settings_databases": {"default": {**NAMED, "strategy": "hybrid", "CONN_MAX_AGE": 60}}},
        ("django_settings_databases.default.CONN_MAX_AGE: 60", "exclude each other", "set CONN_MAX_AGE to 0"),
    ),
    "a Python that is not there": (
        {"django_settings_python": "/opt/nothing/bin/python"},
        ("django_settings_python: /opt/nothing/bin/python does not run here",),
    ),
    "a directory that nobody can write to": (
        {"django_settings_path": "/proc/sys/pooling_databases.py"},
        ("django_settings_path", "/proc/sys", "cannot be written to"),
    ),
    "a path that is a directory": (
        {"django_settings_path": f"{DIRECTORY}/directory.py"},
        ("django_settings_path", "is there and is no file"),
    ),
    "a name that Python cannot import": (
        {"django_settings_path": f"{DIRECTORY}/my-databases.py"},
        ("django_settings_path", "cannot be imported"),
    ),
    "a file of somebody else": (
        {"django_settings_path": f"{DIRECTORY}/mine.py"},
        (f"{DIRECTORY}/mine.py is a file that this role has not written", "django_settings_take_over"),
    ),
}
# as they are where a case does not name them
OTHERWISE = {
    "django_settings_databases": {"default": NAMED},
    "django_settings_version": "",
    "django_settings_psycopg": 3,
    "django_settings_python": "/opt/django/bin/python",
    "django_settings_path": f"{DIRECTORY}/pooling_databases.py",
    "django_settings_companions": False,
}


def test_bad_input_is_refused_before_anything_changes(everywhere: Everywhere, tmp_path: Path) -> None:
    everywhere(f"mkdir -p {DIRECTORY}/directory.py; echo 'MINE = 1' >{DIRECTORY}/mine.py")
    before = everywhere(STATE)
    refused("djangoops.pooling.django_settings", REFUSED, OTHERWISE, HOSTS, tmp_path)
    assert everywhere(STATE) == before


def test_a_file_is_taken_over_when_told_to(role: Role, everywhere: Everywhere) -> None:
    """It was refused above; and the role knows its own file again."""
    variables = {
        "django_settings_databases": {"default": NAMED},
        "django_settings_path": f"{DIRECTORY}/mine.py",
        "django_settings_reload_command": "",
    }
    assert role(**variables, django_settings_take_over=True).changed == dict.fromkeys(HOSTS, 1)
    assert role(**variables).changed == dict.fromkeys(HOSTS, 0)
    assert everywhere(f"grep -c MINE {DIRECTORY}/mine.py || true") == ["0"] * len(HOSTS)


def test_what_check_mode_foresees(role: Role, everywhere: Everywhere) -> None:
    """With --diff, and without touching anything."""
    before = everywhere(STATE)
    foreseen = role(
        "--check", "--diff", django_settings_databases={"default": {**NAMED, "HOST": "elsewhere"}}
    )
    assert foreseen.code == 0, foreseen.output
    assert "elsewhere" in foreseen.output
    assert everywhere(STATE) == before


def test_on_the_controller(role: Role, tmp_path: Path) -> None:
    """Without another user's rights, in a directory that is not there yet."""
    path = tmp_path / "project" / "pooling_databases.py"
    variables: dict[str, Any] = {
        "django_settings_path": str(path),
        "django_settings_owner": path.parents[1].owner(),
        "django_settings_group": path.parents[1].group(),
        "django_settings_python": sys.executable,
        "django_settings_reload_command": "",
        "django_settings_databases": {"default": NAMED},
    }
    first = role(playbook="controller.yml", **variables)
    assert first.changed == {"localhost": 2}, first.output
    program = "from pooling_databases import DATABASES; print(DATABASES['default']['PORT'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=path.parent,
        env={**os.environ, "APP_DB_PASSWORD": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "6432"
    assert role(playbook="controller.yml", **variables).changed == {"localhost": 0}
