"""SQL alone: a login that is no superuser and can read no verifier, over TCP, on the cluster of test_3_existing."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from conftest import HOSTS, SECOND_PORT, docker, login, play, ran, sql
from runs import Run

ADMIN = "the provider's"
WEB, JOBS = "web's own", "jobs' own"


def managed(**more: Any) -> dict[str, Any]:
    """Variables for a server of which there is only a login."""
    return {
        "postgresql_managed": True,
        "postgresql_login_host": "127.0.0.1",
        "postgresql_login_port": SECOND_PORT,
        "postgresql_login_user": "provider_admin",
        "postgresql_login_password": ADMIN,
        "postgresql_settings": {"max_connections": 200, "client_connection_check_interval": "3s"},
        "postgresql_users": {
            "m_web": {"password": WEB, "connection_limit": 12},
            "m_jobs": {"password": JOBS},
            "made_in_console": {"connection_limit": 4},
        },
        "postgresql_databases": {
            "managed 'db'": {"owner": "m_web", "writers": ["m_jobs"], "public_access": False}
        },
        "postgresql_auth_query": {},
        "postgresql_hba": [],
        "postgresql_expected_sessions": {"roles": {"m_web": 12}},
        **more,
    }


def second(name: str, statement: str) -> str:
    return sql(docker(name), statement, port=SECOND_PORT)


def verifier(name: str, role: str) -> str:
    return second(name, f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")


@pytest.fixture(scope="module")
def first() -> Run:
    """The first run, and that its login is what providers give."""
    for name in HOSTS:
        second(
            name,
            f"CREATE ROLE provider_admin LOGIN CREATEROLE CREATEDB PASSWORD '{ADMIN.replace(chr(39), chr(39) * 2)}'",
        )
        # made by the provider's admin, who therefore may change it (PostgreSQL 16 and newer)
        made = login(
            docker(name),
            "provider_admin",
            ADMIN,
            "CREATE ROLE made_in_console LOGIN",
            "postgres",
            SECOND_PORT,
        )
        assert made.rc == 0, made.stderr
    return play("-v", **managed())


def test_what_sql_can_do_is_done(first: Run) -> None:
    """Roles, limits, databases, grants, and settings that a user may set."""
    assert first.code == 0, first.output
    for name in HOSTS:
        host, database = docker(name), "managed 'db'"
        assert second(name, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'm_web'") == "12"
        assert second(name, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'made_in_console'") == "4"
        made = login(host, "m_web", WEB, "CREATE TABLE item (id int)", database, SECOND_PORT)
        assert made.rc == 0, made.stderr
        written = login(host, "m_jobs", JOBS, "INSERT INTO item VALUES (1)", database, SECOND_PORT)
        assert written.rc == 0, written.stderr
        shown = login(host, "m_web", WEB, "SHOW client_connection_check_interval", database, SECOND_PORT)
        assert shown.stdout.strip() == "3s"
        assert (
            "permission denied"
            in login(host, "app", "of the operator's", "SELECT 1", database, SECOND_PORT).stderr
        )


def test_the_rest_is_said_for_the_console(first: Run) -> None:
    assert "Set these parameters in the console of the provider" in first.words
    assert "max_connections = 200" in first.words
    assert re.search(r"postgresql_console_settings: ?\"?\{?.*max_connections", first.words)


def test_verifiers_are_known_without_being_read(first: Run) -> None:
    """A second run changes nothing, and what it hands on is what the server has."""
    before = {name: verifier(name, "m_web") for name in HOSTS}
    run = play("-v", **managed(postgresql_secure_logging=False))
    assert run.code == 0, run.output
    assert run.changed == dict.fromkeys(HOSTS, 0), run.output
    assert {name: verifier(name, "m_web") for name in HOSTS} == before
    assert all(value in run.words for value in before.values())
    assert before[HOSTS[0]].split("$")[1] != verifier(HOSTS[0], "m_jobs").split("$")[1]
    new = play(**managed(postgresql_users={"m_web": {"password": "new"}, "m_jobs": {}}))
    assert new.code == 0, new.output
    for name in HOSTS:
        assert login(docker(name), "m_web", "new", "SELECT 1", "managed 'db'", SECOND_PORT).rc == 0


def test_what_cannot_be_is_refused(first: Run) -> None:
    """A limit that the server does not have, and a function that nobody may make there."""
    run = play(**managed(postgresql_expected_sessions={"roles": {"m_web": 90}}))
    assert run.failed == set(HOSTS), run.output
    assert "> max_connections 80" in run.words
    run = play(**managed(postgresql_auth_query={"user": "a", "password": "b", "databases": ["app"]}))
    assert run.failed == set(HOSTS), run.output
    assert "a managed server has none" in run.words


SITE = """
all:
  vars:
    ansible_connection: community.docker.docker
    pooling_pools: [{{name: app, database: pooled, user: site_user}}]
    pooling_users: {{site_user: {{password: site}}}}
  children:
    app:
      hosts:
        {name}:
          pooling_services: {{web: {{processes: 2}}}}
    database:
      hosts:
        database.example.com:
          ansible_host: {name}
          pooling_address: 127.0.0.1
          pooling_managed: true
          pooling_provider_pooler: {{host: pooler.example.com, port: 6543}}
          pooling_postgres: {{max_connections: 80, cores: 2}}
          postgresql_login_host: 127.0.0.1
          postgresql_login_port: {port}
          postgresql_login_user: provider_admin
          postgresql_login_password: "{password}"
"""


def test_the_playbook_site_without_a_pooler(first: Run, tmp_path: Any) -> None:
    """Where the provider pools: the plan, the roles on the server and Django's settings, and no PgBouncer."""
    name = HOSTS[-1]
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(SITE.format(name=name, port=SECOND_PORT, password=ADMIN))
    done = subprocess.run(
        ["ansible-playbook", "-i", str(inventory), "djangoops.pooling.site"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    host = docker(name)
    assert int(second(name, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'site_user'")) > 0
    settings = ran(host, "cat /etc/djangoops-pooling/pooling_databases.py")
    for text in ("'pooler.example.com'", "6543", "'CONN_MAX_AGE': 60", "'DISABLE_SERVER_SIDE_CURSORS': True"):
        assert text in settings
    assert not host.package("pgbouncer").is_installed
