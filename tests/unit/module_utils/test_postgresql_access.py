"""Roles and databases: only what differs is touched, nothing is removed unasked, no sentence has a secret."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_access import (
    access_changes,
    identifier,
    literal,
    parameter_problems,
    with_auth_user,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import matches, verifier
from hypothesis import given
from hypothesis import strategies as st

SALT = b"0123456789abcdef"
PASSWORD = "correct horse"
VERIFIER = verifier(PASSWORD, salt=SALT, iterations=1)
OTHER = verifier("something else", salt=SALT, iterations=1)


def role(name: str, **more: Any) -> dict[str, Any]:
    """A row of roles.sql."""
    row = {"name": name, "verifier": VERIFIER, "connection_limit": -1, "can_login": True, "superuser": False}
    return {**row, "usable": True, "member_of": [], **more}


def database(name: str, **more: Any) -> dict[str, Any]:
    """A row of databases.sql."""
    return {"name": name, "owner": "app", "template": False, "sessions": 0, **more}


def changes(
    users: dict[str, Any] | None = None,
    declared: dict[str, Any] | None = None,
    *,
    managed: bool = False,
    **state: list[dict[str, Any]],
) -> dict[str, Any]:
    rows = {"roles": [], "databases": [], "owned": [], "sessions": [], **state}
    return access_changes(users or {}, declared or {}, rows, lambda name: SALT, managed=managed)


@pytest.mark.parametrize(
    ("name", "quoted"), [("app", '"app"'), ("a b", '"a b"'), ('say "x"', '"say ""x"""'), ("ä%s'", '"ä%s\'"')]
)
def test_identifiers(name: str, quoted: str) -> None:
    assert identifier(name) == quoted


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "ä" * 32])
def test_no_identifiers(name: str) -> None:
    with pytest.raises(ValueError, match="no name for PostgreSQL"):
        identifier(name)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_literal_is_read_back(text: str) -> None:
    """As PostgreSQL's lexer reads the two forms: quotes doubled, and in E'' backslashes too."""
    quoted = literal(text)
    body = quoted[2:-1] if quoted.startswith("E") else quoted[1:-1]
    assert "'" not in body.replace("''", "")
    body = body.replace("''", "'")
    assert (body.replace("\\\\", "\\") if quoted.startswith("E") else body) == text


def test_what_matches_is_kept() -> None:
    users = {"app": {"password": PASSWORD, "connection_limit": 20, "member_of": ["pg_monitor"]}}
    state = role("app", connection_limit=20, member_of=["pg_monitor"])
    result = changes(
        users, {"app": {"owner": "app"}}, roles=[state, role("pg_monitor")], databases=[database("app")]
    )
    assert result["problems"] == result["changes"] == result["statements"] == result["create"] == []
    assert result["verifiers"] == {"app": VERIFIER}
    assert result["present"] == ["app"]


def test_what_is_not_said_stays() -> None:
    """A limit or membership that nobody declares is left alone."""
    state = role("app", connection_limit=7, member_of=["pg_monitor"])
    assert changes({"app": {"password": PASSWORD}}, roles=[state])["statements"] == []


def test_a_fresh_server() -> None:
    users = {
        "app": {"verifier": VERIFIER, "connection_limit": 5},
        "mon": {"password": "m", "member_of": ["pg_monitor"]},
    }
    databases = {'a "b"': {"owner": "app", "writers": ["mon"]}}
    result = changes(users, databases, roles=[role("pg_monitor")])
    assert result["problems"] == []
    assert result["statements"][0] == f"CREATE ROLE \"app\" LOGIN CONNECTION LIMIT 5 PASSWORD '{VERIFIER}'"
    assert result["statements"][1].startswith('CREATE ROLE "mon" LOGIN PASSWORD \'SCRAM-SHA-256$4096:')
    assert result["statements"][2:] == ['GRANT "pg_monitor" TO "mon"']
    assert matches(result["verifiers"]["mon"], "m")
    assert result["create"] == ['a "b"']
    assert result["create_statements"] == ['CREATE DATABASE "a ""b""" OWNER "app"']


def test_what_differs_is_altered_and_said_without_secrets() -> None:
    users = {"app": {"password": PASSWORD, "connection_limit": 5}}
    state = role("app", verifier=OTHER, connection_limit=9, can_login=False)
    result = changes(
        users, {"app": {"owner": "app"}}, roles=[state], databases=[database("app", owner="old")]
    )
    (alter, owner) = result["statements"]
    assert alter.startswith('ALTER ROLE "app" LOGIN CONNECTION LIMIT 5 PASSWORD \'SCRAM-SHA-256$')
    assert owner == 'ALTER DATABASE "app" OWNER TO "app"'
    assert result["changes"] == [
        "role app: may log in, connection limit 9 -> 5, new verifier",
        "database app: owner old -> app",
    ]


def test_nothing_is_removed_unasked() -> None:
    result = changes({}, {}, roles=[role("app")], databases=[database("app")])
    assert not any(result[key] for key in result)


def test_removal() -> None:
    """First the database, then what is granted, then the role; a database that goes with it does not count."""
    owned = [
        {"role": "app", "database": "app", "owned": 3},
        {"role": "app", "database": "other", "owned": 0},
        {"role": "app", "database": "", "owned": 0},
    ]
    absent = {"state": "absent"}
    result = changes(
        {"app": absent}, {"app": absent}, roles=[role("app")], databases=[database("app")], owned=owned
    )
    assert result["problems"] == []
    assert result["drop_statements"] == ['DROP DATABASE "app"']
    assert [part["database"] for part in result["drop_roles"]] == ["other", ""]
    assert result["drop_roles"][-1]["statements"][1:] == ['DROP OWNED BY "app"', 'DROP ROLE "app"']
    assert changes({"app": absent}, {"app": absent})["changes"] == []


def test_many_roles_are_removed_at_once() -> None:
    """One entry for each database, the cluster last, whatever the number of roles."""
    owned = [{"role": name, "database": "other", "owned": 0} for name in ("a", "b")]
    absent = {"state": "absent"}
    result = changes({"a": absent, "b": absent}, roles=[role("a"), role("b")], owned=owned)
    assert [part["database"] for part in result["drop_roles"]] == ["other", ""]
    dropped = [text for text in result["drop_roles"][-1]["statements"] if text.startswith("DROP ROLE")]
    assert dropped == ['DROP ROLE "a"', 'DROP ROLE "b"']


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"owned": [{"role": "app", "database": "shop", "owned": 3}]},
            'owns objects (3 in shop) and cannot be removed. .* REASSIGN OWNED BY "app"',
        ),
        ({"sessions": [{"role": "app", "count": 2}]}, "2 open session"),
        ({"roles": [role("app", superuser=True)]}, "superuser"),
    ],
)
def test_a_role_that_is_not_removed(state: dict[str, Any], message: str) -> None:
    result = changes({"app": {"state": "absent"}}, **{"roles": [role("app")], **state})
    (problem,) = result["problems"]
    assert problem.startswith("postgresql_users.app: ")
    for part in message.split(" .* "):
        assert part in problem
    assert result["drop_roles"] == []


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [("app", {"sessions": 2}, "2 session"), ("template1", {"template": True}, "template")],
)
def test_a_database_that_is_not_removed(name: str, more: dict[str, Any], message: str) -> None:
    result = changes({}, {name: {"state": "absent"}}, databases=[database(name, **more)])
    assert message in result["problems"][0] and result["drop_statements"] == []


def test_unknown_roles() -> None:
    result = changes(
        {"app": {"password": PASSWORD, "member_of": ["pg_montor"]}},
        {"app": {"owner": "nobody", "readers": ["app"]}},
    )
    assert [problem.split(":")[0] for problem in result["problems"]] == [
        "postgresql_users.app.member_of",
        "postgresql_databases.app",
    ]


def test_a_managed_server() -> None:
    """No verifier is read, so it is set again; the login role joins the owner; a role may be the provider's."""
    unreadable = role("app", verifier=None, usable=False)
    wanted = {"app": {"password": PASSWORD}, "theirs": {"connection_limit": 3}, "new": {"password": "n"}}
    result = changes(
        wanted,
        {"app": {"owner": "app"}, "n": {"owner": "new"}},
        managed=True,
        roles=[unreadable, role("theirs", verifier=None)],
        databases=[database("app")],
    )
    assert result["problems"] == []
    assert result["refresh"] == [f"ALTER ROLE \"app\" PASSWORD '{result['verifiers']['app']}'"]
    assert matches(result["verifiers"]["app"], PASSWORD)
    assert result["statements"][0] == 'ALTER ROLE "theirs" CONNECTION LIMIT 3'
    assert result["statements"][1].startswith('CREATE ROLE "new" LOGIN PASSWORD ')
    assert result["statements"][2:] == ['GRANT "app" TO CURRENT_USER', 'GRANT "new" TO CURRENT_USER']
    assert "theirs" not in result["verifiers"]
    (problem,) = changes({"gone": {}}, managed=True)["problems"]
    assert "no password to make it with" in problem


def test_the_user_of_auth_query_is_one_more() -> None:
    auth = {"user": "pgb", "password": "p", "databases": ["app"]}
    assert with_auth_user({"app": {}}, auth) == {"app": {}, "pgb": {"password": "p"}}
    assert with_auth_user({"app": {}}, {}) == {"app": {}}


GOOD = {"password": PASSWORD}
AUTH = {"user": "pgb", "password": "p", "databases": ["app"]}
RULE = {"type": "host", "users": ["app"], "method": "scram-sha-256"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ({"app": {}}, {}),
            "postgresql_users.app (pooling_users with the playbook site): give either password or",
        ),
        (({"app": {**GOOD, "verifier": VERIFIER}}, {}), "give either password or verifier"),
        (({"app": {"password": 12345}}, {}), "in quotes if it looks like a number"),
        (({"app": {"password": ""}}, {}), "at least one character"),
        (({"app": {"password": "a\n"}}, {}), "YAML's | adds a line break"),
        (({"app": {"verifier": "plain"}}, {}), "begins with SCRAM-SHA-256$ or md5"),
        (({"app": {**GOOD, "conection_limit": 1}}, {}), "unknown key 'conection_limit'; known are"),
        (({"app": {**GOOD, "connection_limit": "5"}}, {}), "connection_limit: '5' is not a whole number"),
        (({"app": {**GOOD, "member_of": "pg_monitor"}}, {}), "member_of: a list of role names"),
        (({"app": {**GOOD, "state": "gone"}}, {}), "state: 'gone' is none of present, absent"),
        (({"app": "secret"}, {}), "a mapping is expected"),
        (({"x" * 64: GOOD}, {}), "is no name for PostgreSQL"),
        (({}, {"app": {}}), "postgresql_databases.app.owner is missing"),
        (({}, {"app": "app"}), "postgresql_databases.app: a mapping is expected"),
        (({}, {"app": {"owner": "app", "readers": "x"}}), "readers: a list of role names"),
        (({"app": {"state": "absent"}}, {"app": {"owner": "app"}}), "role 'app' is declared absent"),
        (({"app": {"verifier": "md5" + "0" * 32}}, {}, [RULE]), "Set pooling_auth_type to md5"),
        (({}, {}, [], {**AUTH, "user": ""}), "postgresql_auth_query.user: the name of the role"),
        (({"pgb": GOOD}, {}, [], AUTH), "give it in one of them"),
        (({}, {}, [], {**AUTH, "databases": []}), "postgresql_auth_query.databases: name the databases"),
        (({}, {}, [], {**AUTH, "shema": "x"}), "postgresql_auth_query: unknown key 'shema'"),
    ],
)
def test_parameter_problems(arguments: tuple[Any, ...], message: str) -> None:
    (problem,) = parameter_problems(*arguments)
    assert message in problem
    assert PASSWORD not in problem and VERIFIER not in problem


def test_no_parameter_problems() -> None:
    md5 = {"verifier": "md5" + "0" * 32}
    assert parameter_problems({"app": GOOD, "old": md5}, {"app": {"owner": "app"}}, [RULE], AUTH) == []
    assert parameter_problems({"app": {"state": "absent"}}, {"app": {"state": "absent"}}) == []


def test_a_managed_server_has_no_auth_query() -> None:
    assert parameter_problems({"app": {}}, {}, managed=True) == []
    assert "only a superuser" in parameter_problems({}, {}, [], AUTH, managed=True)[0]
