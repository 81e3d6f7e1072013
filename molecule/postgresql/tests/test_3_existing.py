"""A server that somebody else has set up, with configuration, data and clients of its own, and later a standby."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import HOSTS, SECOND_PORT, STANDBY_PORT, Sessions, docker, play, ran, sql, until, version_of

PASSWORD = "of the operator's"
# What an operator may have: a file beside ours, rules, a role with a limit, data, an extension's setting.
SETUP = """
set -eu
pg_createcluster --port {port} {version} second >/dev/null
etc=/etc/postgresql/{version}/second
echo "log_line_prefix = '%m operator '" >$etc/conf.d/10-operator.conf
echo "shared_buffers = 32MB" >>$etc/postgresql.conf
echo "host all elder 127.0.0.1/32 scram-sha-256 # the operator's" >>$etc/pg_hba.conf
printf '# a stra\\337e in Latin-1\n' >>$etc/pg_hba.conf
systemctl start postgresql@{version}-second
cd / && runuser -u postgres -- psql -XqAt -p {port} <<SQL
CREATE ROLE elder LOGIN PASSWORD 'old' CONNECTION LIMIT 50;
CREATE DATABASE archive OWNER elder;
\\c archive
CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id;
GRANT SELECT ON kept TO elder;
SQL
"""
STANDBY = """
set -eu
cd / && pg_createcluster --port {port} {version} standby >/dev/null
data=/var/lib/postgresql/{version}/standby
rm -r $data
runuser -u postgres -- pg_basebackup -p {primary} -D $data -R -X stream -c fast
runuser -u postgres -- sed -i "s/^primary_conninfo = '/&application_name=replica /" $data/postgresql.auto.conf
echo "max_connections = 60" >/etc/postgresql/{version}/standby/conf.d/10-operator.conf
systemctl start postgresql@{version}-standby
"""
STREAMING = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
MEMORY = {"shared_buffers": "48MB"}


def existing(max_connections: int = 40, port: int = SECOND_PORT, **more: Any) -> dict[str, Any]:
    """Variables for the second cluster."""
    return {
        "postgresql_login_port": port,
        "postgresql_settings": {"max_connections": max_connections, "work_mem": "6MB"},
        "postgresql_memory_settings": MEMORY,
        "postgresql_users": {"app": {"password": PASSWORD, "connection_limit": 20}},
        "postgresql_databases": {"app": {"owner": "app"}},
        "postgresql_auth_query": {},
        "postgresql_hba": [
            {
                "type": "host",
                "databases": ["app"],
                "users": ["app"],
                "address": "127.0.0.1/32",
                "method": "scram-sha-256",
            }
        ],
        "postgresql_expected_sessions": {"roles": {"app": 20}},
        **more,
    }


def operators_files(name: str) -> str:
    """The operator's files, without the block of the role."""
    etc = f"/etc/postgresql/{version_of(name)}/second"
    without = "sed '/^# BEGIN djangoops/,/^# END djangoops/d'"
    files = f"{etc}/postgresql.conf {etc}/conf.d/10-operator.conf {etc}/pg_ident.conf"
    return ran(docker(name), f"cat {files} | sha256sum; {without} {etc}/pg_hba.conf | sha256sum")


def ours(name: str) -> str:
    """The file of the role."""
    return f"/etc/postgresql/{version_of(name)}/second/conf.d/90-djangoops-pooling.conf"


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The operator's files before the role's first run, and the cluster itself."""
    for name in HOSTS:
        ran(docker(name), SETUP.format(port=SECOND_PORT, version=version_of(name)))
    return {name: operators_files(name) for name in HOSTS}


def second(name: str, statement: str, database: str = "postgres") -> str:
    return sql(docker(name), statement, database, SECOND_PORT)


def test_no_restart_unasked(before: dict[str, str], sessions: Sessions) -> None:
    """All that needs no restart is applied, the rest is pending and said; clients, data and files are kept."""
    clients = [sessions.open(name, "elder", "old", "archive", SECOND_PORT) for name in HOSTS]
    run = play(**existing())
    assert run.failed == set(HOSTS), run.output
    assert "max_connections only change(s) with a restart of postgresql@" in run.words
    assert "would drop 1 session(s)" in run.words and "postgresql_restart_allowed=true" in run.words
    assert "its memory settings are left alone" in run.words
    assert all(sessions.alive(client) for client in clients)
    for name in HOSTS:
        assert second(name, "SHOW max_connections") == "100"
        assert second(name, "SHOW work_mem") == "6MB"
        assert second(name, "SELECT name FROM pg_settings WHERE pending_restart") == "max_connections"
        assert second(name, "SELECT datdba::regrole FROM pg_database WHERE datname = 'app'") == "app"
        assert operators_files(name) == before[name]


def test_restart_where_allowed(before: dict[str, str]) -> None:
    """max_connections is lowered then, and raised; memory is the operator's, and so are data, roles and rights."""
    for value in (40, 60):
        # as text, which is what -e postgresql_restart_allowed=true gives
        run = play(**existing(value, postgresql_restart_allowed="true"))
        assert run.code == 0, run.output
        for name in HOSTS:
            assert second(name, "SHOW max_connections") == str(value)
    for name in HOSTS:
        assert second(name, "SHOW shared_buffers") == "32MB"
        assert second(name, "SELECT count(*) FROM kept", "archive") == "1000"
        assert second(name, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'elder'") == "50"
        assert second(name, "SELECT has_database_privilege('elder', 'app', 'CONNECT')") == "t"
        assert operators_files(name) == before[name]


def test_check_mode_foresees_what_is_not_there_yet() -> None:
    """A new role that is granted something, and a role that goes with its database: nothing of it is tried on the server."""
    more = existing(
        60,
        postgresql_users={
            "app": {"password": PASSWORD, "connection_limit": 20},
            "more": {"password": "more"},
        },
        postgresql_databases={"app": {"owner": "app", "readers": ["more"]}},
        postgresql_auth_query={"user": "asker", "password": "asks", "databases": ["app"]},
    )
    gone = existing(
        60, postgresql_users={"app": {"state": "absent"}}, postgresql_databases={"app": {"state": "absent"}}
    )
    for variables, said in ((more, "role more: created"), (gone, "role app: removed")):
        run = play("--check", "--diff", **variables)
        assert run.code == 0 and all(run.changed[name] for name in HOSTS), run.output
        assert said in run.words, run.output
    for name in HOSTS:
        roles = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE oid >= 16384"
        assert second(name, roles) == "app elder"
        assert second(name, "SELECT count(*) FROM pg_database WHERE datname = 'app'") == "1"


def test_server_that_lets_nobody_in_is_told() -> None:
    """Although the question itself is hidden."""
    run = play(**existing(60, postgresql_login_user="stranger"))
    assert run.failed == set(HOSTS), run.output
    assert "The server cannot be asked as stranger (postgresql_login_*)" in run.words, run.output
    assert 'Peer authentication failed for user "stranger"' in run.words.replace('\\"', '"'), run.output


def test_alter_system_counts_more_and_is_named() -> None:
    """A value that the file of the role cannot set is refused before it is applied."""
    for name in HOSTS:
        second(name, "ALTER SYSTEM SET work_mem = '7MB'")
    run = play(**existing(60))
    assert run.failed == set(HOSTS), run.output
    assert "postgresql.auto.conf" in run.words and "ALTER SYSTEM RESET work_mem" in run.words
    for name in HOSTS:
        second(name, "ALTER SYSTEM RESET work_mem")


def test_server_that_does_not_start_gets_its_old_file_back() -> None:
    """Only a start shows that there is not so much memory; the previous files are put back and the server runs."""
    big = {"shared_buffers": "7TB", "work_mem": "6MB"}
    contents = [docker(name).file(ours(name)).content_string for name in HOSTS]
    run = play(**existing(postgresql_settings=big, postgresql_restart_allowed=True))
    assert run.failed == set(HOSTS), run.output
    assert "previous files are back" in run.words
    assert [docker(name).file(ours(name)).content_string for name in HOSTS] == contents
    assert [second(name, "SHOW max_connections") for name in HOSTS] == ["60"] * len(HOSTS)


def test_server_that_is_down_is_not_started() -> None:
    """The run says how to start it and what its log says."""
    for name in HOSTS:
        ran(docker(name), f"systemctl stop postgresql@{version_of(name)}-second")
    run = play(**existing(60))
    assert run.failed == set(HOSTS), run.output
    assert "/second is down" in run.words and "systemctl start postgresql@" in run.words
    assert "database system is shut down" in run.words
    for name in HOSTS:
        ran(docker(name), f"systemctl start postgresql@{version_of(name)}-second")


def test_standbys_are_raised_first() -> None:
    """Refused on the primary until the standby has it; the standby takes settings, and neither roles nor databases."""
    for name in HOSTS:
        ran(docker(name), STANDBY.format(port=STANDBY_PORT, primary=SECOND_PORT, version=version_of(name)))
        assert until(lambda name=name: second(name, STREAMING) == "1")  # type: ignore[misc]

    run = play(**existing(80, postgresql_restart_allowed=True))
    assert run.failed == set(HOSTS), run.output
    assert "Raise it first on replica" in run.words and "postgresql_standby_order_kept=true" in run.words

    run = play(**existing(80, STANDBY_PORT, postgresql_restart_allowed=True))
    assert run.failed == set(HOSTS), run.output
    assert "This server is a standby: roles and databases come from its primary" in run.words

    nothing: dict[str, Any] = {
        "postgresql_users": {},
        "postgresql_databases": {},
        "postgresql_expected_sessions": {},
    }
    run = play(**existing(80, STANDBY_PORT, postgresql_restart_allowed=True, **nothing))
    assert run.code == 0, run.output
    run = play(**existing(80, postgresql_restart_allowed=True, postgresql_standby_order_kept=True))
    assert run.code == 0, run.output
    for name in HOSTS:
        for port in (SECOND_PORT, STANDBY_PORT):
            assert sql(docker(name), "SHOW max_connections", port=port) == "80"
        second(name, "CREATE TABLE later AS SELECT 1 AS id", "app")
        assert until(
            lambda name=name: sql(docker(name), "SELECT to_regclass('later')", "app", STANDBY_PORT) == "later"  # type: ignore[misc]
        )
