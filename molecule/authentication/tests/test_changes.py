"""Secrets, certificates and users that change while sessions are open. Each run is made on all hosts at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import CERTIFICATES, Login, Machine
from runs import Run
from test_authentication import tls

# over TLS, in pool mode session, so that there is a backend to keep
OPEN = {
    "port": 6432,
    "user": "plain",
    "password": "right",
    "dbname": "session",
    **tls("first-ca"),
    "connect_timeout": 10,
}
# the new authority has signed what both the pooler and the server show from now on
ROTATED = {
    "client_tls_cert_file": "pooler-2.crt",
    "client_tls_key_file": "pooler-2.key",
    "server_tls_ca_file": "second-ca.crt",
}
# Nobody is looked up, as pgbouncer_auth_query is empty. The last rule lets in by SCRAM who is in the userlist.
LISTED_ONLY = {"scenario_changed_tls": ROTATED, "pgbouncer_auth_query": {}}

Playbook = Callable[..., Run]


class Session:
    """A client that stays."""

    def __init__(self, machine: Machine, login: Login) -> None:
        program = ["/opt/django/bin/python", "/usr/local/lib/pooling-authentication/session.py"]
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", machine.name, *program, json.dumps(login)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def backend(self) -> str:
        """Ask for the backend; what comes back when there is none any more, is an error."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """Let it go."""
        self._process.kill()
        self._process.wait()


def main_pid(machine: Machine) -> str:
    """The process of PgBouncer."""
    return machine.run("systemctl show -p MainPID --value pgbouncer")


def answers(machine: Machine, *logins: Login) -> list[str]:
    """Whether logins work, in few words."""
    return [
        word
        if word == "ok"
        else "refused"
        if "authentication failed" in text or "no such user" in text
        else text
        for word, text in machine.logins([*logins])
    ]


@pytest.fixture(scope="module")
def rotated(machines: list[Machine], run_playbook: Playbook) -> Iterator[dict[str, Any]]:
    """Certificates of pooler and server, an authority and a secret change, a user comes; sessions are open meanwhile."""
    sessions = {machine.suite: Session(machine, OPEN) for machine in machines}
    before = {suite: session.backend() for suite, session in sessions.items()}
    pids = {machine.suite: main_pid(machine) for machine in machines}
    for machine in machines:
        machine.sql("ALTER ROLE scram PASSWORD 'newer'")
        machine.sql("CREATE ROLE fresh LOGIN PASSWORD 'right'")
        machine.run(
            f"cd {CERTIFICATES} && cp server-2.crt server.crt && cp server-2.key server.key"
            " && systemctl reload 'postgresql@*'"
        )
    run = run_playbook(
        "-vvv",
        "--diff",
        scenario_changed_tls=ROTATED,
        scenario_changed_users={"fresh": {"password": "right", "method": "plain"}},
    )
    after = {suite: session.backend() for suite, session in sessions.items()}
    yield {"run": run, "before": before, "after": after, "pids": pids}
    for session in sessions.values():
        session.close()


def test_a_rotation_is_one_reload(machine: Machine, rotated: dict[str, Any]) -> None:
    """The process stays, and so does an open session with its backend."""
    run = rotated["run"]
    assert run.code == 0, run.output
    assert rotated["before"][machine.suite].isdigit(), rotated
    assert rotated["after"][machine.suite] == rotated["before"][machine.suite]
    assert main_pid(machine) == rotated["pids"][machine.suite]
    assert "reload pgbouncer.service" in run.words


def test_new_certificates_are_in_use(machine: Machine, rotated: dict[str, Any]) -> None:
    """Clients see the pooler's new certificate, and the pooler trusts who has signed the server's new one."""
    right = {"user": "plain", "password": "right"}
    assert machine.logins([{**right, **tls("second-ca")}])[0][0] == "ok"
    assert "certificate verify failed" in machine.logins([{**right, **tls("first-ca")}])[0][1]
    # a connection of its own to the server, not one from before
    machine.console("RECONNECT")
    assert machine.logins([right])[0][0] == "ok"


def test_a_new_secret_replaces_the_old_one(machine: Machine, rotated: dict[str, Any]) -> None:
    """The password of a role changed on the server, and its verifier with it."""
    logins = [{"user": "scram", "password": password} for password in ("newer", "right")]
    assert answers(machine, *logins) == ["ok", "refused"]


def test_a_new_user_logs_in(machine: Machine, rotated: dict[str, Any]) -> None:
    """Who was added by the reload gets in."""
    logins = [{"user": "fresh", "password": password} for password in ("right", "wrong")]
    assert answers(machine, *logins) == ["ok", "refused"]


def test_no_secret_is_printed(rotated: dict[str, Any], machines: list[Machine]) -> None:
    """A run at -vvv with --diff shows neither passwords nor verifiers nor keys."""
    output = rotated["run"].output
    keys = (
        machines[0].run(f"cat {CERTIFICATES}/pooler-2.key {CERTIFICATES}/pooler-at-server.key").splitlines()
    )
    stored = [
        machine.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'scram'") for machine in machines
    ]
    secrets = ["boss's", "wörd", "w\\xf6rd", 'auth "query"', 'auth \\"query\\"', *stored]
    secrets += [part for verifier in stored for part in verifier.replace("$", ":").split(":")[-2:]]
    secrets += [line for line in keys if line and "-----" not in line]
    assert not [secret for secret in secrets if secret in output]
    assert "(hidden)" in output, "nothing was shown of secret files, not even that they change"


def test_a_user_moves_to_auth_query(
    machines: list[Machine], rotated: dict[str, Any], run_playbook: Playbook
) -> None:
    """Taken out of the userlist, a user is looked up, which takes a restart; the server's password counts."""
    for machine in machines:
        machine.sql("ALTER ROLE leaver PASSWORD 'moved'")
    run = run_playbook(scenario_changed_tls=ROTATED, scenario_removed_users=["leaver"])
    assert run.code == 0, run.output
    assert "auth_query takes over from the userlist for" in run.words
    logins = [{"user": "leaver", "password": password} for password in ("moved", "right")]
    for machine in machines:
        assert answers(machine, *logins) == ["ok", "refused"], machine.suite


def test_a_removed_user_is_locked_out_by_a_reload(
    machines: list[Machine], rotated: dict[str, Any], run_playbook: Playbook
) -> None:
    """Without auth_query, a user that is taken out cannot log in any more, and the other clients notice nothing."""
    leaver = {"user": "leaver", "password": "moved"}
    run = run_playbook(**LISTED_ONLY)
    assert run.code == 0, run.output
    pids = {}
    for machine in machines:
        # has logged in before, so that PgBouncer has everything about it in its memory
        assert answers(machine, leaver, {"user": "looked_up", "password": "right"}) == ["ok", "refused"]
        pids[machine.suite] = main_pid(machine)
    removal = {**LISTED_ONLY, "scenario_removed_users": ["leaver"]}
    run = run_playbook(**removal)
    assert run.code == 0, run.output
    for machine in machines:
        assert answers(machine, leaver) == ["refused"], machine.suite
        assert main_pid(machine) == pids[machine.suite], machine.suite
        assert answers(machine, {"user": "scram", "password": "newer"}) == ["ok"]
    again = run_playbook(**removal)
    assert again.changed == {machine.name: 0 for machine in machines}, again.output
    # and may come back
    assert run_playbook(**LISTED_ONLY).code == 0
    for machine in machines:
        assert answers(machine, leaver) == ["ok"], machine.suite


def test_auth_query_that_cannot_ask_is_told(
    machines: list[Machine], rotated: dict[str, Any], run_playbook: Playbook
) -> None:
    """PgBouncer says nothing but that a login failed; the run says what the server answers."""
    query = {"query": "SELECT usename, passwd FROM nowhere.get_auth($1)"}
    asks = {"user": "auth_query", "password": 'auth "query"', **query}
    run = run_playbook("--limit", machines[1].name, scenario_changed_tls=ROTATED, pgbouncer_auth_query=asks)
    assert run.code != 0
    assert 'schema "nowhere" does not exist' in run.words
    assert "auth_query cannot ask the server" in run.words
