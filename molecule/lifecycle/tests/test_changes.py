"""Changes: reload where a reload is enough, nothing half-applied after a kill, no secret in any output."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import HOST, INVENTORY, PASSWORD, ROOT, Run
from testinfra.host import Host

Playbook = Callable[..., Run]
Query = Callable[[str], str]
NEW_PASSWORD = "another %s 'pass\" Waldmeister # é"


def users(password: str) -> dict[str, dict[str, str]]:
    """The variable pooling_users."""
    return {"app": {"password": password}}


def main_pid(server: Host, unit: str) -> str:
    """Process of a service."""
    return str(server.run(f"systemctl show -p MainPID --value {unit}").stdout)


@pytest.fixture
def open_session(server: Host) -> Iterator[Callable[[], bool]]:
    """A client that is logged in straight at PostgreSQL; tells whether it still is."""
    psql = f"psql -XAtq -h {HOST} -p 5432 -U app -d app"
    process = subprocess.Popen(
        ["docker", "exec", "-i", "-e", f"PGPASSWORD={PASSWORD}", HOST, *shlex.split(psql)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin and process.stdout
    stdin, stdout = process.stdin, process.stdout

    def alive() -> bool:
        stdin.write("SELECT 'alive';\n")
        stdin.flush()
        return stdout.readline().strip() == "alive"

    assert alive()
    yield alive
    process.kill()
    process.wait()


def test_pool_size_changes_with_a_reload(playbook: Playbook, server: Host, console: Query) -> None:
    """A new pool size reaches the running process without a restart, and back again."""
    before = main_pid(server, "pgbouncer")
    run = playbook(pooling_postgres={"target_connections": 3})
    assert run.code == 0, run.output
    assert ",3,1,1," in console("SHOW DATABASES").replace(" ", "")
    assert main_pid(server, "pgbouncer") == before
    assert playbook().code == 0
    assert main_pid(server, "pgbouncer") == before


def test_socket_changes_with_a_restart(playbook: Playbook, server: Host) -> None:
    """A setting that PgBouncer takes over only at its start restarts it, and the run says why."""
    before = main_pid(server, "pgbouncer")
    run = playbook(pooling_pgbouncer_settings={"unix_socket_mode": "0770"})
    assert run.code == 0, run.output
    assert "unix_socket_mode: running" in run.words
    assert main_pid(server, "pgbouncer") != before
    assert playbook().code == 0


def test_stopped_pooler_is_started(playbook: Playbook, server: Host, login: Query) -> None:
    """A pooler that somebody stopped runs and serves after the next run."""
    assert server.run("systemctl stop pgbouncer").rc == 0
    run = playbook()
    assert run.code == 0, run.output
    assert "it is not running" in run.words
    assert login(PASSWORD) == ""


def test_plan_and_verify_see_what_somebody_changed(playbook: Playbook, console: Query) -> None:
    """The playbook plan names what it would change on the running pooler, the playbook verify fails over it."""
    console("SET query_wait_timeout = 99")
    plan = playbook(name="djangoops.pooling.plan")
    assert plan.code == 0, plan.output
    assert "query_wait_timeout: running 99, wanted 15" in plan.words
    verify = playbook(name="djangoops.pooling.verify")
    assert verify.code != 0
    assert "query_wait_timeout: running 99, wanted 15" in verify.words
    assert playbook().code == 0
    assert playbook(name="djangoops.pooling.verify").code == 0
    assert "is as planned" in playbook(name="djangoops.pooling.plan").words


def test_two_pools_of_two_users(playbook: Playbook, server: Host, console: Query, sql: Query) -> None:
    """Two databases with a user each get a pool and aliases each; when undeclared, the database stays."""
    pools = [{"name": "app"}, {"name": "jobs", "database": "app jobs", "user": "jobs-user"}]
    services = {
        "web": {"processes": 4, "databases": {"default": "app", "jobs": "jobs"}},
        "worker": {"interface": "celery", "processes": 2, "databases": {"jobs": "jobs"}},
    }
    passwords = {**users(PASSWORD), "jobs-user": {"password": NEW_PASSWORD}}
    run = playbook(pooling_pools=pools, pooling_services=services, pooling_users=passwords)
    assert run.code == 0, run.output
    # the entry has the pool's name, because PgBouncer reads none with a space
    assert "jobs-user logs in to jobs." in run.words
    assert ",app jobs," in console("SHOW DATABASES")
    assert "'jobs_direct'" in server.file("/etc/djangoops-pooling/pooling_databases.py").content_string
    assert playbook().code == 0
    assert sql("SELECT count(*) FROM pg_database WHERE datname = 'app jobs'") == "1"


def test_hand_made_change_of_the_running_process_is_undone(
    playbook: Playbook, server: Host, console: Query
) -> None:
    """A running value that is not the written one is noticed although no file changed."""
    console("SET query_wait_timeout = 99")
    run = playbook()
    assert run.code == 0, run.output
    assert "query_wait_timeout: running 99" in run.words
    assert "query_wait_timeout,15," in console("SHOW CONFIG")


def test_restart_of_postgresql_is_refused_while_clients_are_connected(
    playbook: Playbook, sql: Query, open_session: Callable[[], bool]
) -> None:
    """A new max_connections does not drop clients unless that is allowed, and then it takes effect."""
    before = sql("SHOW max_connections")
    run = playbook(pooling_postgres={"max_connections": 130})
    assert run.code != 0
    assert "max_connections" in run.words and "postgresql_restart_allowed" in run.words
    assert open_session()
    assert sql("SHOW max_connections") == before
    # as text, which is what -e postgresql_restart_allowed=true gives
    run = playbook(pooling_postgres={"max_connections": 130}, postgresql_restart_allowed="true")
    assert run.code == 0, run.output
    assert sql("SHOW max_connections") == "130"
    assert playbook(postgresql_restart_allowed=True).code == 0
    assert sql("SHOW max_connections") == before


def test_killed_before_the_pooler_is_reloaded(
    killed_playbook: Callable[..., None], playbook: Playbook, console: Query, login: Query, sql: Query
) -> None:
    """Files written and never applied: the next run applies them although it writes nothing."""
    changed = {"pooling_postgres": {"target_connections": 4}, "pooling_users": users(NEW_PASSWORD)}
    killed_playbook("Look when the files were written, and the service started", **changed)
    assert ",4,1,1," not in console("SHOW DATABASES")
    run = playbook(**changed)
    assert run.code == 0, run.output
    assert "its files are newer than what it has read" in run.words
    assert ",4,1,1," in console("SHOW DATABASES")
    assert login(NEW_PASSWORD) == ""
    assert "authentication failed" in login(PASSWORD)
    assert playbook().code == 0
    assert login(PASSWORD) == ""


def test_killed_before_postgresql_is_reloaded(
    killed_playbook: Callable[..., None], playbook: Playbook, sql: Query, server: Host
) -> None:
    """The same for the server: a rule and a setting that were written are in force after the next run."""
    extra = {"pooling_client_addresses": ["192.0.2.0/24", "172.16.0.0/12"]}
    killed_playbook("Look when the files were written", **extra)
    run = playbook(**extra)
    assert run.code == 0, run.output
    assert "because its files are newer" in run.words
    loaded = float(sql("SELECT extract(epoch FROM pg_conf_load_time())"))
    assert loaded > server.file("/etc/postgresql/17/main/pg_hba.conf").mtime.timestamp() - 1
    assert playbook().code == 0


def test_md5_where_asked(playbook: Playbook, login: Query, sql: Query) -> None:
    """A role that still has an md5 hash logs in through the pooler, which carries that very hash."""
    digest = "md5" + hashlib.md5(f"{NEW_PASSWORD}app".encode()).hexdigest()
    run = playbook(pooling_auth_type="md5", pooling_users={"app": {"verifier": digest}})
    assert run.code == 0, run.output
    assert "pgbouncer_users has md5 hashes" in run.words
    assert sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'") == digest
    assert login(NEW_PASSWORD) == ""
    assert login("wrong") != ""
    assert playbook().code == 0
    assert login(PASSWORD) == ""


def test_no_secret_in_the_output(playbook: Playbook, sql: Query, login: Query) -> None:
    """Neither password nor verifier shows up, with -vvv and --diff, while both change; in check mode neither."""
    old = sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
    checked = playbook("-vvv", "--diff", "--check", pooling_users=users(NEW_PASSWORD))
    run = playbook("-vvv", "--diff", pooling_users=users(NEW_PASSWORD))
    assert checked.code == 0 and run.code == 0, run.output
    new = sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
    assert new != old
    assert login(NEW_PASSWORD) == ""
    failing = playbook("-vvv", "--diff", pooling_postgresql_settings={"work_mem": "a lot"})
    assert failing.code != 0
    # but for the command line and the variables that this very test gave
    output = "\n".join(
        line
        for line in (checked.output + run.output + failing.output).splitlines()
        if "extra_vars" not in line
    )
    # a word of each password, because quotes and letters beyond ASCII are written in many ways
    for secret in ("Schluesselblume", "Waldmeister", old, new, old.split(":")[-1], new.split(":")[-1]):
        assert secret not in output, [line[:300] for line in output.splitlines() if secret in line][:5]
    assert playbook().code == 0


def test_installed_collection_runs_from_anywhere(tmp_path: Path, playbook: Playbook) -> None:
    """The artifact that Galaxy would carry installs, and its playbook finds nothing to do on this host."""
    subprocess.run(
        ["ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(tmp_path)],
        check=True,
        capture_output=True,
    )
    (artifact,) = tmp_path.glob("djangoops-pooling-*.tar.gz")
    collections = tmp_path / "collections"
    # forced, because the checkout counts as installed; what it depends on is there already
    install = [
        "ansible-galaxy",
        "collection",
        "install",
        "--force",
        "--no-deps",
        str(artifact),
        "-p",
        str(collections),
    ]
    subprocess.run(install, check=True, capture_output=True)
    installed = collections / "ansible_collections/djangoops/pooling"
    assert (installed / "MANIFEST.json").exists()
    assert not [name for name in ("tests", "molecule", "lab", "bench", ".ci") if (installed / name).exists()]
    done = subprocess.run(
        ["ansible-playbook", "-i", str(INVENTORY), "djangoops.pooling.site", "-v"],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": f"{collections}:{os.environ['ANSIBLE_HOME']}/collections",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"{HOST}\s+: ok=\d+\s+changed=0 ", done.stdout), done.stdout
