"""Changes while clients run transactions without pause: nothing that was not removed fails, and nobody is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conftest import HOSTS, POOLERS, PYTHON, VARIABLES, Counts, load
from runs import Run

Playbook = Callable[..., Run]
EXTRA_VERIFIER = next(
    user["verifier"] for user in VARIABLES["changes_server_users"] if user["name"] == "extra"
)
APP = {"app": {"host": "127.0.0.1", "pool_size": 20}}


def number(counts: Counts, outcome: str, *kinds: str) -> dict[str, int]:
    """How often clients of these kinds had an outcome, by host."""
    return {
        host: sum(count[kind][outcome] for kind in kinds or ("persistent", "short"))
        for host, count in counts.items()
    }


def assert_undisturbed(counts: Counts) -> None:
    """All clients had work to do, and none of them failed."""
    assert min(number(counts, "done", "persistent").values()) > 50, counts
    assert min(number(counts, "done", "short").values()) > 20, counts
    assert not any(number(counts, "refused").values()) and not any(number(counts, "failed").values()), counts


def test_sizes_timeouts_users_databases_and_secrets_change_unnoticed(playbook: Playbook) -> None:
    """Everything that a reload can change, there and back, with clients of another user running."""
    before = {each.name: each.pid() for each in POOLERS}
    users = VARIABLES["pgbouncer_users"]
    rotated = {**users, "rotating": VARIABLES["changes_rotated"]}
    with load() as counts:
        for each in POOLERS:
            each.sql(f"ALTER ROLE rotating PASSWORD '{VARIABLES['changes_rotated']}'")
        run = playbook(
            pgbouncer_databases={
                "app": {"host": "127.0.0.1", "pool_size": 2},
                "extra": {"host": "127.0.0.1", "dbname": "app"},
            },
            pgbouncer_settings={"query_wait_timeout": "30s", "max_client_conn": 150},
            pgbouncer_users={**rotated, "extra": EXTRA_VERIFIER},
        )
        logins = {
            each.name: [
                each.login("extra", "extra", "extra"),
                each.login("rotating", "after"),
                each.login("rotating", "before"),
            ]
            for each in POOLERS
        }
        playbook(pgbouncer_users=rotated)
        removed = {each.name: each.login("app", "app", "extra") for each in POOLERS}
        databases = {each.name: each.console("SHOW DATABASES") for each in POOLERS}
    assert_undisturbed(counts)
    assert "reload pgbouncer.service" in run.words and "restart" not in run.words.split("PLAY RECAP")[0]
    assert {each.name: each.pid() for each in POOLERS} == before
    for name, (added, new, old) in logins.items():
        assert (added, new) == ("", ""), name
        assert "authentication failed" in old, (name, old)
        assert "no such database" in removed[name] or "does not exist" in removed[name], (name, removed)
        assert {row["name"] for row in databases[name]} == {"app", "pgbouncer"}, name


def test_a_restart_refuses_nobody(playbook: Playbook) -> None:
    """A setting that PgBouncer takes over only at its start: connections wait in systemd's socket meanwhile."""
    before = {each.name: each.pid() for each in POOLERS}
    with load() as counts:
        run = playbook(pgbouncer_settings={"pkt_buf": 8192})
        playbook()
    assert "restart pgbouncer.service, because pkt_buf: running 4096, wanted 8192" in run.words
    assert all(each.pid() != before[each.name] for each in POOLERS)
    assert not any(number(counts, "refused").values()), counts
    # at each of the two a client may be told that its connection ends: those that kept theirs, or had just got one
    for name, failed in number(counts, "failed").items():
        print(
            f"{name}: two restarts broke off {failed} of {number(counts, 'done')[name]} transactions, refused 0"
        )
        assert failed <= 2 * 6, counts


def cancelled() -> dict[str, int]:
    """How many of 16 cancel requests arrived."""
    return {each.name: int(each.run(f"{PYTHON} /usr/local/lib/cancel.py 16")) for each in POOLERS}


def assert_cancels_arrive() -> None:
    for name, arrived in cancelled().items():
        version = next(each.version for each in POOLERS if each.name == name)
        print(f"{name}: {arrived} of 16 cancel requests arrived")
        # without peers a cancel request reaches its process by chance
        assert arrived == 16 or version < (1, 19), name


def processes() -> dict[str, tuple[list[str], int]]:
    """Running processes of each host by unit, and those that listen on the port."""
    return {
        each.name: (
            each.run("systemctl list-units --plain --no-legend --state=active 'pgbouncer*.service'")
            .replace("loaded", " ")
            .split("\n"),
            len(each.run("ss -Hltn 'sport = 6432' | grep -F 0.0.0.0").splitlines()),
        )
        for each in POOLERS
    }


def assert_processes(count: int) -> None:
    for name, (units, sockets) in processes().items():
        assert (len(units), sockets) == (count, count), (name, units)


def test_processes_come_and_go(playbook: Playbook) -> None:
    """From one process to two, to four and back to one: connections are shared out, cancel requests arrive."""
    first = {each.name: each.pid() for each in POOLERS}
    with load() as counts:
        run = playbook(pgbouncer_processes=2, pgbouncer_databases=APP)
    assert_undisturbed(counts)
    assert "cancel request" in run.words  # said where the version has no peers
    assert_processes(2)
    assert_cancels_arrive()
    with load() as counts:
        playbook(pgbouncer_processes=4, pgbouncer_databases=APP)
    assert_undisturbed(counts)
    assert_processes(4)
    with load(persistent=8) as counts:
        clients = {
            each.name: [
                len(each.console("SHOW CLIENTS", directory))
                for directory in ("/run/postgresql", *(f"/run/pgbouncer/{number}" for number in (2, 3, 4)))
            ]
            for each in POOLERS
        }
    for name, shares in clients.items():
        assert sum(share > 1 for share in shares) > 1, (name, shares)  # the console is one client
    assert_cancels_arrive()
    with load() as counts:
        run = playbook()
    assert "stop pgbouncer@4.service, because it is one too many" in run.words
    assert_processes(1)
    assert not any(number(counts, "refused").values()), counts
    for name, failed in number(counts, "failed").items():
        print(
            f"{name}: three processes less broke off {failed} of {number(counts, 'done')[name]} transactions"
        )
        assert failed <= 3 * 6, counts
    assert {each.name: each.pid() for each in POOLERS} == first
    assert all(each.run("ls /etc/pgbouncer").split() == ["pgbouncer.ini", "userlist.txt"] for each in POOLERS)
    assert playbook().changed == dict.fromkeys(HOSTS, 0)


def test_a_crash_is_over_within_a_second(playbook: Playbook) -> None:
    """kill -9: systemd starts the process again, connections wait in its socket, and clients come back by themselves."""
    before = {each.name: each.pid() for each in POOLERS}
    with load() as counts:
        for each in POOLERS:
            each.run(f"kill -9 {before[each.name]}")
        served: dict[str, Any] = {each.name: each.login("app", "app") for each in POOLERS}
    assert all(not error for error in served.values()), served
    assert all(each.pid() not in (0, before[each.name]) for each in POOLERS)
    assert not any(number(counts, "refused").values()), counts
    for name, count in counts.items():
        longest = max(count[kind]["longest"] for kind in ("persistent", "short"))
        print(f"{name}: after kill -9 the slowest transaction took {longest} s")
        assert count["short"]["done"] > 0 and longest < 1.5, counts


def test_the_package_is_reinstalled(playbook: Playbook) -> None:
    """What the role adds to the package's units stays; nobody is refused, and the next run has nothing to do."""
    with load() as counts:
        for each in POOLERS:
            each.run(
                "DEBIAN_FRONTEND=noninteractive apt-get install -qq --reinstall pgbouncer >/dev/null 2>&1"
            )
    assert not any(number(counts, "refused").values()), counts
    for each in POOLERS:
        status = each.run(f"grep -E '^(NoNewPrivs|Seccomp|CapBnd):' /proc/{each.pid()}/status").split()
        assert status[1::2] == ["0000000000000000", "1", "2"], (each.name, status)
        limits = each.run(f"grep 'Max open files' /proc/{each.pid()}/limits").split()
        assert int(limits[3]) > 1024, (each.name, limits)
        assert each.run("systemctl is-active pgbouncer.socket") == "active"
    assert playbook().changed == dict.fromkeys(HOSTS, 0)
