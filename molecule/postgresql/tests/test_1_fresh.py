"""A host without PostgreSQL: check mode, a run killed between installation and restart, and what the next one makes."""

from __future__ import annotations

import subprocess
import time

import pytest
from conftest import (
    HOSTS,
    LIMIT,
    PASSWORD,
    PLAYBOOK,
    docker,
    login,
    play,
    ran,
    sql,
    until,
    version_of,
)
from runs import Run, kill
from testinfra.host import Host

PGDG = "pooling-postgresql-trixie"
QUOTED = "a \"quoted\" 'name' %s"
# A repository signed by a key of its own, with the distribution's packages; postgresql-17 with another version number.
REPOSITORY = """
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qqy --no-install-recommends apt-utils gnupg >/dev/null
mkdir -p /srv/repository /srv/keys && cd /srv/repository && chmod 700 /srv/keys
apt-get download -qq postgresql-17 >/dev/null
dpkg-deb -R postgresql-17_*.deb /srv/repacked && rm postgresql-17_*.deb
sed -i 's/^Version: .*/&.lab/' /srv/repacked/DEBIAN/control
dpkg-deb -Znone -b /srv/repacked . >/dev/null && rm -r /srv/repacked
mkdir -p dists/lab/main/binary-$(dpkg --print-architecture)
apt-ftparchive packages . >dists/lab/main/binary-$(dpkg --print-architecture)/Packages
apt-ftparchive -o APT::FTPArchive::Release::Suite=lab -o APT::FTPArchive::Release::Components=main \
    -o APT::FTPArchive::Release::Architectures=$(dpkg --print-architecture) release dists/lab >Release
mv Release dists/lab/Release
gpg="gpg --homedir /srv/keys --batch --quiet"
$gpg --passphrase '' --quick-generate-key 'A lab <lab@example.com>' rsa2048 sign never
$gpg --armor --export >lab.asc
$gpg --clearsign --output dists/lab/InRelease dists/lab/Release
systemd-run -q --unit lab-repository python3 -m http.server -b 127.0.0.1 -d /srv/repository 8808
rm -rf /var/lib/apt/lists/* && mkdir -p /var/lib/apt/lists/partial && touch -d @0 /var/lib/apt/lists
"""


@pytest.fixture(scope="module")
def check_mode() -> Run:
    """The role in check mode, where nothing is installed."""
    ran(docker(PGDG), REPOSITORY)
    return play("--check", "--diff")


@pytest.fixture(scope="module")
def fresh(check_mode: Run) -> Run:
    """The role, killed after the installation and before the restart, and then once more."""
    assert check_mode.code == 0, check_mode.output
    kill(PLAYBOOK, "Restart the cluster")
    return play("-v")


def test_check_mode_installs_nothing(check_mode: Run, host: Host) -> None:
    assert check_mode.code == 0, check_mode.output
    assert not host.package("postgresql-common").is_installed
    assert not host.file("/var/lib/djangoops-pooling").exists


def test_the_killed_run_is_made_good(fresh: Run, host: Host, name: str) -> None:
    """The restart that it needs is allowed in the second run too, because the first one installed the server."""
    assert fresh.code == 0, fresh.output
    assert sql(host, "SHOW max_connections") == "30"
    assert sql(host, "SHOW server_version_num")[:2] == version_of(name)
    assert sql(host, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"
    identifier = sql(host, "SELECT system_identifier FROM pg_control_system()")
    assert host.file("/var/lib/djangoops-pooling/postgresql").content_string == identifier


def test_packages_come_from_the_repository(fresh: Run) -> None:
    """Of the version that is asked for, from the address, suite and key that are given."""
    assert fresh.code == 0, fresh.output
    assert ran(docker(PGDG), "dpkg-query -W -f '${Version}' postgresql-17").endswith(".lab")


def test_second_run_changes_nothing(fresh: Run) -> None:
    assert fresh.code == 0, fresh.output
    run = play()
    assert run.code == 0, run.output
    assert run.changed == dict.fromkeys(HOSTS, 0), run.output


def test_settings_and_memory(host: Host) -> None:
    """A server that the role has installed gets the memory settings too."""
    shown = "shared_buffers work_mem client_connection_check_interval idle_in_transaction_session_timeout"
    values = [sql(host, f"SHOW {name}") for name in shown.split()]
    assert values == ["64MB", "5MB", "1s", "1min"]


def test_values_are_read_as_the_server_reads_them(host: Host) -> None:
    """What the unit tests say of numbers, units and rounding, asked of the server."""
    for setting, text, stored in [
        ("work_mem", "30.1GB", "31561728"),
        ("work_mem", "1.5GB", "1572864"),
        ("work_mem", "0x100", "256"),
        ("work_mem", "0200", "128"),
        ("temp_buffers", "1000.9kB", "125"),
        ("statement_timeout", "1.5min", "90000"),
        ("statement_timeout", "500us", "0"),
        ("statement_timeout", "1e3", "1000"),
    ]:
        query = f"SET {setting} = '{text}'; SELECT setting FROM pg_settings WHERE name = '{setting}'"
        assert sql(host, query) == stored, text
    for text in ("08", "64mb", "1 000", "a lot", "1s"):
        with pytest.raises(AssertionError, match="invalid value"):
            sql(host, f"SET work_mem = '{text}'")


def test_logins_and_grants(host: Host) -> None:
    """The owner migrates, writers write and readers read what it makes later, and nobody else connects."""
    made = login(host, "web", PASSWORD, "CREATE TABLE item (id serial PRIMARY KEY, name text)")
    assert made.rc == 0, made.stderr
    assert (
        login(host, "jobs", "jobs", "INSERT INTO item (name) VALUES ('a') RETURNING id").stdout.strip() == "1"
    )
    assert login(host, "report", "report", "SELECT count(*) FROM item").stdout.strip() == "1"
    assert "permission denied" in login(host, "report", "report", "DELETE FROM item").stderr
    assert "permission denied" in login(host, "jobs", "jobs", "CREATE TABLE other (id int)").stderr
    assert "permission denied for database" in login(host, "monitor", "monitor", "SELECT 1").stderr
    assert login(host, "web", PASSWORD, "SELECT 1", QUOTED).stdout.strip() == "1"
    assert "authentication failed" in login(host, "web", "wrong", "SELECT 1").stderr


def test_monitoring(host: Host) -> None:
    """The monitoring role sees others' queries."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE query = '<insufficient privilege>'"
    assert login(host, "monitor", "monitor", query, "postgres").stdout.strip() == "0"
    assert login(host, "web", PASSWORD, query.replace("= '<", "<> '<"), QUOTED).rc == 0


def test_auth_query(host: Host) -> None:
    """The function gives a login role's verifier to its user over TLS, and nothing of anybody else's to anybody."""
    user, ask = ("pgbouncer_auth", "asks"), "SELECT usename, passwd FROM pgbouncer.get_auth('{}')"
    answer = login(host, *user, ask.format("web")).stdout.strip()
    assert answer == "web|" + sql(host, "SELECT rolpassword FROM pg_authid WHERE rolname = 'web'")
    for nobody in ("postgres", "pg_monitor", "unknown"):
        assert login(host, *user, ask.format(nobody)).stdout.strip() == ""
    assert "permission denied" in login(host, "web", PASSWORD, ask.format("web")).stderr
    sql(host, "ALTER ROLE jobs VALID UNTIL '2000-01-01'")
    assert login(host, *user, ask.format("jobs")).stdout.strip() == "jobs|"
    sql(host, "ALTER ROLE jobs VALID UNTIL 'infinity'")
    # hostssl, and hostnossl with reject, are what the rules say
    plain = host.run(
        "PGPASSWORD=asks PGSSLMODE=disable psql -h 127.0.0.1 -U pgbouncer_auth -d shop -c 'SELECT 1'"
    )
    assert "pg_hba.conf rejects connection" in plain.stderr


def test_clients_that_vanish_leave_no_more_backends_than_planned(host: Host, name: str) -> None:
    """Killed in mid-query, again and again: never more backends than the role's limit, and soon none."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'web'"
    most = 0
    for _ in range(3):
        psql = ["psql", "-Xqh", "127.0.0.1", "-U", "web", "-d", "shop", "-c", "SELECT pg_sleep(60)"]
        login_to = ["docker", "exec", "-e", f"PGPASSWORD={PASSWORD}", name]
        clients = [subprocess.Popen([*login_to, *psql], stderr=subprocess.DEVNULL) for _ in range(LIMIT + 3)]
        assert until(lambda: int(sql(host, count)) >= LIMIT), "the limit was never reached"
        most = max(most, int(sql(host, count)))
        # the program itself, not the docker client, has to vanish without a word
        host.run("pkill -KILL -x psql")
        most = max(most, int(sql(host, count)))
        for client in clients:
            client.wait()
    began = time.monotonic()
    assert most == LIMIT
    assert until(lambda: sql(host, count) == "0", 10), "backends of vanished clients are left"
    assert time.monotonic() - began < 10


def test_a_stale_auth_function_and_what_was_taken_away_are_repaired() -> None:
    """One run makes good what somebody changed on each host, and says it."""
    for name in HOSTS:
        sql(docker(name), "GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(text) TO PUBLIC", "shop")
        sql(docker(name), "REVOKE INSERT ON item FROM jobs", "shop")
        sql(docker(name), "ALTER ROLE web CONNECTION LIMIT 9")
    run = play()
    assert run.code == 0, run.output
    assert "function pgbouncer.get_auth replaced (grantees differed)" in run.words
    assert "role web: connection limit 9 -> 6" in run.words
    for name in HOSTS:
        ask = "SELECT * FROM pgbouncer.get_auth('web')"
        assert "permission denied" in login(docker(name), "web", PASSWORD, ask).stderr
        assert login(docker(name), "jobs", "jobs", "INSERT INTO item (name) VALUES ('b')").rc == 0
