"""Each way to log in, with what is right and what is wrong, through PgBouncer to the server."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import pytest
from conftest import CERTIFICATES, Answer, Login, Machine

SPECIAL = "o\"brien 'x' ü; #%"
SPECIAL_PASSWORD = "p\"a'ss \\ wörd; #%,$1"
GUEST = 'guest\'s "own"'
CONSOLE = {"dbname": "pgbouncer", "sql": "SHOW VERSION"}
NOT_BY_PASSWORD = "(SASL|password) authentication failed"


def certificate(name: str) -> Login:
    """A client certificate, over TLS."""
    return {
        "sslmode": "require",
        "sslcert": f"{CERTIFICATES}/{name}.crt",
        "sslkey": f"{CERTIFICATES}/{name}.key",
    }


def tls(authority: str) -> Login:
    """TLS that checks the pooler's certificate and its name."""
    return {
        "host": "localhost",
        "hostaddr": "127.0.0.1",
        "sslmode": "verify-full",
        "sslrootcert": f"{CERTIFICATES}/{authority}.crt",
    }


# who logs in, how, and whom the server sees
RIGHT: dict[str, tuple[Login, str]] = {
    "the server's verifier": ({"user": "scram", "password": "right"}, "scram"),
    "special characters": ({"user": SPECIAL, "password": SPECIAL_PASSWORD}, SPECIAL),
    "md5 hash": ({"user": "md5", "password": "right"}, "md5"),
    "plain secret, by SCRAM": ({"user": "plain", "password": "right"}, "plain"),
    "plain secret, by password": ({"user": "plain", "password": "right", "dbname": "session"}, "plain"),
    "trust on the unix socket": ({"user": "plain", "host": "/var/run/postgresql"}, "plain"),
    "forced user": ({"user": "guest", "password": GUEST, "dbname": "forced"}, "boss"),
    "the server asks for a certificate": ({"user": "dora", "password": "right"}, "dora"),
    "client certificate": (
        {"user": "carla", "dbname": "session", **certificate("certificate-user")},
        "carla",
    ),
    "looked up": ({"user": "looked_up", "password": "right"}, "looked_up"),
    "TLS": ({"user": "scram", "password": "right", **tls("first-ca")}, "scram"),
    "console": ({"user": "admin", "password": "right", **CONSOLE}, "PgBouncer"),
    "statistics": ({"user": "stats", "password": "right", "dbname": "pgbouncer", "sql": "SHOW STATS"}, "app"),
}
WRONG: dict[str, tuple[Login, str]] = {
    "the server's verifier": ({"user": "scram", "password": "wrong"}, NOT_BY_PASSWORD),
    "special characters": ({"user": SPECIAL, "password": "p\"a'ss"}, NOT_BY_PASSWORD),
    "md5 hash": ({"user": "md5", "password": "wrong"}, NOT_BY_PASSWORD),
    "plain secret, by SCRAM": ({"user": "plain", "password": "wrong"}, NOT_BY_PASSWORD),
    "plain secret, by password": (
        {"user": "plain", "password": "wrong", "dbname": "session"},
        NOT_BY_PASSWORD,
    ),
    "trust, but not over TCP": ({"user": "plain"}, "no password supplied"),
    "forced user": ({"user": "guest", "password": "wrong", "dbname": "forced"}, NOT_BY_PASSWORD),
    "unknown to the server": ({"user": "guest", "password": GUEST}, 'failed for user "guest"'),
    "the server asks for a certificate": ({"user": "dora", "password": "wrong"}, NOT_BY_PASSWORD),
    "no certificate": (
        {"user": "carla", "password": "right", "dbname": "session", "sslmode": "require"},
        "certificate authentication failed",
    ),
    "somebody else's certificate": (
        {"user": "carla", "dbname": "session", **certificate("stranger")},
        "certificate authentication failed",
    ),
    "a strange authority": ({"user": "carla", "dbname": "session", **certificate("foreign")}, "unknown ca"),
    "password where a certificate is asked for": ({"user": "carla", "password": "right"}, "login rejected"),
    "looked up": ({"user": "looked_up", "password": "wrong"}, NOT_BY_PASSWORD),
    "looked up, expired": ({"user": "expired", "password": "right"}, NOT_BY_PASSWORD),
    "looked up, superuser": ({"user": "big", "password": "right"}, "no such user"),
    "looked up, nobody": ({"user": "nobody", "password": "right"}, "no such user"),
    "rejected by a rule": ({"user": "refused", "password": "right"}, "login rejected"),
    "locked": ({"user": "locked", "password": "right"}, NOT_BY_PASSWORD),
    "TLS": ({"user": "scram", "password": "right", **tls("second-ca")}, "certificate verify failed"),
    "console": ({"user": "admin", "password": "wrong", **CONSOLE}, NOT_BY_PASSWORD),
    "console, not an admin": ({"user": "scram", "password": "right", **CONSOLE}, "not allowed"),
    "statistics, not an admin": (
        {"user": "stats", "password": "right", "dbname": "pgbouncer", "sql": "RELOAD"},
        "admin access needed",
    ),
}
CASES = {("right", name): case for name, case in RIGHT.items()} | {
    ("wrong", name): case for name, case in WRONG.items()
}


@pytest.fixture(scope="session")
def answers() -> Callable[[Machine], dict[tuple[str, str], Answer]]:
    """What all logins gave on a host, which are made at once."""

    @functools.cache
    def ask(machine: Machine) -> dict[tuple[str, str], Answer]:
        given = machine.logins([login for login, _expected in CASES.values()])
        return dict(zip(CASES, given, strict=True))

    return ask


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_login(
    case: tuple[str, str], machine: Machine, answers: Callable[[Machine], dict[tuple[str, str], Answer]]
) -> None:
    """The right secret reaches the server as the right user, the wrong one is refused with a reason."""
    word, text = answers(machine)[case]
    expected = CASES[case][1]
    if case[0] == "right":
        assert (word, text[: len(expected)]) == ("ok", expected)
    else:
        assert word == "error", text
        assert re.search(expected, text), text


def test_a_map_of_names(machine: Machine) -> None:
    """A certificate may be somebody's by a map, where PgBouncer has maps."""
    login = {"user": "carla", "dbname": "one", **certificate("machine")}
    assert machine.logins([login])[0][0] == ("error" if machine.suite == "bookworm" else "ok")


def test_the_server_is_reached_by_tls(machine: Machine) -> None:
    """What PgBouncer opens to the server is encrypted, and the console tells so."""
    statement = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert machine.logins([{"user": "scram", "password": "right", "sql": statement}]) == [("ok", "true")]
    assert all(row["tls"].startswith("TLSv1.") for row in machine.console("SHOW SERVERS"))


def test_secrets_are_readable_by_the_service_alone(machine: Machine) -> None:
    """Userlist and keys: root writes, the group of the service reads, nobody else."""
    found = machine.run("stat -c '%U %G %a' /etc/pgbouncer/userlist.txt /etc/pgbouncer/tls/*_key.pem")
    assert found.splitlines() == ["root postgres 640"] * 3
