"""Changes that cannot work, and runs that are killed: what was running goes on, and nothing half-done stays."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import HOSTS, PLAYBOOK, POOLERS, Pooler, load, play
from runs import Run, kill
from test_changes import assert_undisturbed

Playbook = Callable[..., Run]
JOURNAL = "/var/lib/djangoops-pooling/pgbouncer.json"


@pytest.fixture
def unchanged() -> Iterator[None]:
    """Files, process and running configuration are afterwards what they were before."""
    before = {each.name: each.state() for each in POOLERS}
    yield
    for each in POOLERS:
        assert each.state() == before[each.name], each.name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query_wait_timeuot": 10}, "pgbouncer_settings.query_wait_timeuot"),
        ({"auth_type": "hba", "auth_hba_file": "/etc/rules"}, "could not parse hba config line"),
        (
            {
                "client_tls_sslmode": "require",
                "client_tls_cert_file": "/etc/none.crt",
                "client_tls_key_file": "/etc/none.key",
            },
            "TLS setup failed",
        ),
    ],
    ids=["unknown key", "bad HBA line", "missing certificate"],
)
def test_a_bad_change_is_refused(unchanged: None, settings: dict[str, Any], message: str) -> None:
    """Before anything is touched, with the reason, on every host, and in check mode as well."""
    for each in POOLERS:
        each.run("echo 'host all all 10.0.0.0/8 guess' >/etc/rules")
    with load() as counts:
        run = play(pgbouncer_settings=settings)
    assert_undisturbed(counts)
    assert run.code != 0 and message in run.words, run.output
    assert run.words.count("failed=1") == len(POOLERS), run.output
    assert message in play("--check", "--limit", HOSTS[-1], pgbouncer_settings=settings).words


def test_what_does_not_start_is_taken_back(playbook: Playbook) -> None:
    """The check cannot see everything, as here the directory of the pid file; the proof does."""
    before = {each.name: each.state() for each in POOLERS}
    with load() as counts:
        run = play(pgbouncer_settings={"pidfile": "/nowhere/pgbouncer.pid"})
    assert run.code != 0 and "The files from before are back and in effect" in run.words, run.output
    assert not any(count[kind]["refused"] for count in counts.values() for kind in ("persistent", "short"))
    for each in POOLERS:
        state = each.state()
        assert state["pid"] and {**state, "pid": 0} == {**before[each.name], "pid": 0}, each.name
        assert each.login("app", "app") == ""
    assert playbook().changed == dict.fromkeys(HOSTS, 0)


def test_a_port_in_use_stops_the_play_at_the_first_host(playbook: Playbook) -> None:
    """One host after another: the first one cannot listen, goes back to what it had, and the others are left alone."""
    before = {each.name: each.state() for each in POOLERS}
    first = POOLERS[0]
    listener = "import socket,time; s=socket.create_server(('0.0.0.0', 6433)); time.sleep(60)"
    with subprocess.Popen(["docker", "exec", first.name, "python3", "-c", listener]) as process:
        run = play(changes_serial=1, pgbouncer_settings={"listen_port": 6433})
        first.run("kill $(ss -Hltnp 'sport = 6433' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')")
        process.wait()
    assert run.code != 0 and "The files from before are back and in effect" in run.words, run.output
    assert not any(name in run.output.split("PLAY RECAP")[1] for name in HOSTS[1:])
    assert first.login("app", "app") == ""
    for each in POOLERS:
        state, pid = each.state(), before[each.name]["pid"]
        assert {**state, "pid": pid} == before[each.name], each.name
        assert (state["pid"] == pid) == (each is not first), each.name
    assert playbook().changed == dict.fromkeys(HOSTS, 0)


def kill_when(condition: str) -> str:
    """A shell program that kills the module with -9 as soon as a condition holds."""
    lock = "/run/djangoops-pooling-pgbouncer.lock"
    return f"rm -f {lock}; until {condition}; do sleep 0.005; done; kill -9 $(cat {lock})"


def killed_run(condition: str, **variables: Any) -> None:
    """Start a run and kill its module on every host when the condition holds there."""
    killers = [
        subprocess.Popen(["docker", "exec", name, "timeout", "120", "sh", "-c", kill_when(condition)])
        for name in HOSTS
    ]
    run = play(**variables)
    assert [killer.wait() for killer in killers] == [0] * len(HOSTS)
    assert run.code != 0 and run.words.count("failed=1") == len(HOSTS), run.output


def sizes() -> dict[str, tuple[str, str]]:
    """Pool size of the database app in the file and in the process, by host."""
    return {
        each.name: (
            each.run("sed -n 's/^app = .*pool_size=//p' /etc/pgbouncer/pgbouncer.ini"),
            next(row["pool_size"] for row in each.console("SHOW DATABASES") if row["name"] == "app"),
        )
        for each in POOLERS
    }


def unfinished(each: Pooler) -> bool:
    """Whether a killed run has left something to do."""
    return bool(each.host.file(JOURNAL).exists)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (f"[ -e {JOURNAL} ]", None),
        ("grep -q pool_size=7 /etc/pgbouncer/pgbouncer.ini", "7"),
    ],
    ids=["before the files change", "when the first has changed"],
)
def test_a_killed_run_is_made_good(playbook: Playbook, condition: str, found: str | None) -> None:
    """Killed on the host in the middle of the change: the clients notice nothing, and the next run completes it."""
    changed = {"pgbouncer_databases": {"app": {"host": "127.0.0.1", "pool_size": 7}}}
    with load() as counts:
        killed_run(condition, **changed)
        assert all(unfinished(each) for each in POOLERS)
        assert found is None or {size for size, _running in sizes().values()} == {found}
        run = playbook(**changed)
    assert_undisturbed(counts)
    assert "an earlier run was interrupted" in run.words
    assert set(sizes().values()) == {("7", "7")}
    assert not any(unfinished(each) for each in POOLERS)
    assert playbook().code == 0


def test_a_killed_run_before_one_that_cannot_go_on(playbook: Playbook) -> None:
    """What the killed run has half-done goes back, because the next one is refused."""
    killed_run(
        "grep -q pool_size=7 /etc/pgbouncer/pgbouncer.ini",
        pgbouncer_databases={"app": {"host": "127.0.0.1", "pool_size": 7}},
    )
    run = play(pgbouncer_settings={"auth_type": "hba", "auth_hba_file": "/etc/none"})
    assert run.code != 0 and "The files from before are back and in effect" in run.words, run.output
    assert set(sizes().values()) == {("4", "4")}
    assert not any(unfinished(each) for each in POOLERS)
    assert playbook().changed == dict.fromkeys(HOSTS, 0)


def test_the_controller_is_killed_between_two_tasks(playbook: Playbook) -> None:
    """A run whose controller is gone when its last task begins, and the same again at once."""
    changed = {"pgbouncer_databases": {"app": {"host": "127.0.0.1", "pool_size": 6}}}
    kill(PLAYBOOK, "Check, apply and prove", **changed)
    playbook(**changed)
    assert set(sizes().values()) == {("6", "6")}
    assert not any(unfinished(each) for each in POOLERS)
    playbook()
