"""Runs that change something: nothing half-applied after a kill, no secret in any output, and the installed artifact.

No test puts things back for the next one: each says with its variables what it starts from, and the last run of this file
brings back what the inventory declares.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PASSWORD, SITE
from runs import Run, run
from testinfra.host import Host

Playbook = Callable[..., Run]
Query = Callable[[str], str]
ROOT = Path(__file__).resolve().parents[3]
NEW_PASSWORD = "another %s 'pass\" Waldmeister # é"


def users(password: str) -> dict[str, dict[str, str]]:
    """The variable pooling_users."""
    return {"app": {"password": password}}


def main_pid(server: Host, unit: str) -> str:
    """Process of a service."""
    return str(server.run("systemctl show -p MainPID --value %s", unit).stdout)


@pytest.fixture
def pool_size(console: Query) -> Callable[[], int]:
    """Ask the running PgBouncer for the size of the pool app."""

    def ask() -> int:
        rows = csv.DictReader(io.StringIO(console("SHOW DATABASES")))
        return next(int(row["pool_size"]) for row in rows if row["name"] == "app")

    return ask


def test_verify_sees_what_counts_more_than_the_file(playbook: Playbook, sql: Query) -> None:
    """ALTER SYSTEM by somebody else: the role's own file is as it was, and the server runs with another value."""
    sql("ALTER SYSTEM SET client_connection_check_interval = '7s'")
    sql("SELECT pg_reload_conf()")
    verify = playbook(name="djangoops.pooling.verify")
    sql("ALTER SYSTEM RESET client_connection_check_interval")
    sql("SELECT pg_reload_conf()")
    assert verify.code != 0 and "client_connection_check_interval 7000ms -> " in verify.words, verify.output


def test_plan_and_verify_see_what_somebody_changed(playbook: Playbook, pooler: Host) -> None:
    """The playbook plan names what it would change on a running process, verify fails over it, and site undoes it.

    No file differs: it is the running value that is compared, here that of a second process.
    """
    two = {"pooling_poolers": {"processes": 2}}
    started = playbook(**two)
    assert started.code == 0, started.output
    psql = "cd / && runuser -u postgres -- psql -Xh /run/pgbouncer/2 -p 6432 -U pgbouncer -d pgbouncer -c"
    assert pooler.run(f"{psql} 'SET query_wait_timeout = 99'").rc == 0
    changed = "query_wait_timeout: running 99, wanted 15"
    plan = playbook(name="djangoops.pooling.plan", **two)
    assert plan.code == 0, plan.output
    assert changed in plan.words and "is as planned" in plan.words
    verify = playbook(name="djangoops.pooling.verify", **two)
    assert verify.code != 0
    assert f"(process 2) is not as wanted: {changed}" in verify.words
    run = playbook(**two)
    assert run.code == 0, run.output
    assert changed.partition(",")[0] in run.words
    assert playbook(name="djangoops.pooling.verify", **two).code == 0
    plan = playbook(name="djangoops.pooling.plan", **two)
    assert plan.code == 0 and plan.words.count("is as planned") == 2, plan.output


def test_users_are_looked_up_where_the_inventory_says_so(
    playbook: Playbook, login: Query, console: Query, pooler: Host
) -> None:
    """pooling_poolers.auth_query: no secret of the application rests on the pooler, and it logs in all the same."""
    asking = {"user": "pgbouncer_auth", "password": "asks", "dbname": "app"}
    if console("SHOW VERSION").split()[-1].startswith("1.18."):
        del asking["dbname"]  # came with 1.19; before, each database is asked
    looked_up = {"pooling_poolers": {"auth_query": True}, "pooling_auth_query": asking}
    checked = playbook("--check", "--diff", **looked_up)
    assert checked.code == 0, checked.output
    run = playbook(**looked_up)
    assert run.code == 0, run.output
    assert re.findall(r'^"(.*?)"', pooler.file("/etc/pgbouncer/userlist.txt").content_string, re.M) == [
        "pgbouncer_auth"
    ]
    assert login(PASSWORD) == ""
    assert "authentication failed" in login("wrong")
    assert playbook().code == 0
    assert login(PASSWORD) == ""


def test_killed_while_the_pooler_is_changed(
    killed_playbook: Callable[..., None],
    playbook: Playbook,
    pooler: Host,
    pool_size: Callable[[], int],
    login: Query,
) -> None:
    """Whatever the killed run left, the next one ends as planned, by a reload."""
    changed = {"pooling_postgres": {"target_connections": 4}, "pooling_users": users(NEW_PASSWORD)}
    process = main_pid(pooler, "pgbouncer")
    killed_playbook("Check, apply and prove the configuration", **changed)
    run = playbook(**changed)
    assert run.code == 0, run.output
    assert pool_size() == 4
    assert main_pid(pooler, "pgbouncer") == process
    assert login(NEW_PASSWORD) == ""
    assert "authentication failed" in login(PASSWORD)


def test_killed_before_postgresql_is_reloaded(
    killed_playbook: Callable[..., None], playbook: Playbook, sql: Query, database: Host
) -> None:
    """A rule that was written is in force after the next run, although that writes nothing."""
    extra = {"pooling_client_addresses": ["192.0.2.0/24", "172.16.0.0/12"]}
    killed_playbook("Look when the files were written", **extra)
    run = playbook(**extra)
    assert run.code == 0, run.output
    assert "because its files are newer" in run.words
    loaded = float(sql("SELECT extract(epoch FROM pg_conf_load_time())"))
    assert loaded > database.file(sql("SHOW hba_file")).mtime.timestamp() - 1


def test_two_pools_of_two_users(
    playbook: Playbook, app: Host, console: Query, sql: Query, pool_size: Callable[[], int]
) -> None:
    """Two databases with a user each get a pool and aliases each; when undeclared, the database stays."""
    pools = [{"name": "app"}, {"name": "jobs", "database": "app jobs", "user": "jobs-user"}]
    services = {
        "web": {"processes": 4, "databases": {"default": "app", "jobs": "jobs"}},
        "worker": {"interface": "celery", "processes": 2, "databases": {"jobs": "jobs"}},
    }
    passwords = {**users(PASSWORD), "jobs-user": {"password": NEW_PASSWORD}}
    wanted = {"pooling_pools": pools, "pooling_services": services, "pooling_users": passwords}
    checked = playbook("--check", "--diff", **wanted)
    assert checked.code == 0 and "role jobs-user: created" in checked.words, checked.output
    run = playbook(**wanted)
    assert run.code == 0, run.output
    # the entry has the pool's name, because PgBouncer reads none with a space
    assert "jobs-user logs in to jobs." in run.words
    assert ",app jobs," in console("SHOW DATABASES")
    assert "'jobs_direct'" in app.file("/etc/djangoops-pooling/pooling_databases.py").content_string
    assert playbook().code == 0
    assert ",app jobs," not in console("SHOW DATABASES")
    assert sql("SELECT count(*) FROM pg_database WHERE datname = 'app jobs'") == "1"


def test_md5_where_asked(playbook: Playbook, login: Query, sql: Query) -> None:
    """A role that still has an md5 hash logs in through the pooler, which carries that very hash."""
    digest = "md5" + hashlib.md5(f"{NEW_PASSWORD}app".encode()).hexdigest()
    run = playbook(pooling_auth_type="md5", pooling_users={"app": {"verifier": digest}})
    assert run.code == 0, run.output
    assert "pgbouncer_users has md5 hashes" in run.words
    assert sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'") == digest
    assert login(NEW_PASSWORD) == ""
    assert login("wrong") != ""


def test_no_secret_in_the_output(playbook: Playbook, sql: Query, login: Query) -> None:
    """Neither password nor verifier shows up with -vvv and --diff while both change, nor in check mode or a failure.

    Without pipelining here, so that modules and files go to the hosts the other way, too.
    """
    started = playbook(pooling_users=users(PASSWORD))
    assert started.code == 0, started.output
    old = sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
    plain = {"ANSIBLE_PIPELINING": "false"}
    changed = {"pooling_users": users(NEW_PASSWORD)}
    checked = playbook("-vvv", "--diff", "--check", environment=plain, **changed)
    run = playbook("-vvv", "--diff", environment=plain, **changed)
    assert checked.code == 0 and run.code == 0, checked.output + run.output
    new = sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
    assert new != old
    assert login(NEW_PASSWORD) == ""
    failing = playbook(
        "-vvv", "--diff", environment=plain, pooling_postgresql_settings={"work_mem": "a lot"}, **changed
    )
    assert failing.code != 0
    # but for the command line and the variables that this very test gave
    output = [
        line
        for line in (checked.output + run.output + failing.output).splitlines()
        if "extra_vars" not in line
    ]
    # a word of each password, because quotes and letters beyond ASCII are written in many ways
    for secret in ("Schluesselblume", "Waldmeister", old, new, old.split(":")[-1], new.split(":")[-1]):
        assert not [line[:300] for line in output if secret in line][:5]


def test_installed_collection_runs_from_anywhere(tmp_path: Path, playbook: Playbook) -> None:
    """The artifact that Galaxy would carry installs, and its playbook finds nothing to do on these hosts."""
    assert playbook().code == 0
    build = ["ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True)
    (artifact,) = tmp_path.glob("djangoops-pooling-*.tar.gz")
    collections = tmp_path / "collections"
    # forced, because the checkout counts as installed; what it depends on is there already
    install = ["ansible-galaxy", "collection", "install", "--force", "--no-deps", str(artifact)]
    subprocess.run([*install, "-p", str(collections)], check=True, capture_output=True)
    installed = collections / "ansible_collections/djangoops/pooling"
    assert (installed / "MANIFEST.json").exists()
    assert not [name for name in ("tests", "molecule", "lab", "bench", ".ci") if (installed / name).exists()]
    paths = f"{collections}:{os.environ['ANSIBLE_HOME']}/collections"
    done = run(SITE, cwd=tmp_path, environment={"ANSIBLE_COLLECTIONS_PATH": paths})
    assert done.code == 0, done.output
    assert done.changed and not any(done.changed.values()), done.output
