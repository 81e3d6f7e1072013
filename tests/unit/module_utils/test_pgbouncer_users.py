"""From pgbouncer_users to secrets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_users import kinds, secrets
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import (
    iterations_of,
    matches,
    secret_kind,
    verifier,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import parse, render
from hypothesis import given
from hypothesis import strategies as st

SCRAM = verifier("pencil", salt=b"0123456789abcdef", iterations=10)
MD5 = "md5" + "0123456789abcdef" * 2


def compute(users: object, existing: dict[str, str] | None = None, **changes: Any) -> dict[str, str]:
    return secrets(
        users,
        **{
            "existing": existing or {},
            "iterations": 10,
            "plain_allowed": users if isinstance(users, dict) else (),
            "tombstones": True,
            **changes,
        },
    )


def test_what_is_handed_in_stays() -> None:
    users = {"app": SCRAM, "old": MD5, "nobody": "", "mapped": {"verifier": SCRAM}}
    assert compute(users) == {"app": SCRAM, "old": MD5, "nobody": "", "mapped": SCRAM}


def test_a_verifier_is_computed() -> None:
    secret = compute({"app": {"password": "pencil"}})["app"]
    assert matches(secret, "pencil")
    assert iterations_of(secret) == 10
    assert iterations_of(compute({"app": {"password": "pencil", "iterations": 11}})["app"]) == 11


def test_salts_are_random() -> None:
    users = {name: {"password": "pencil"} for name in ("a", "b")}
    result = compute(users)
    assert result["a"] != result["b"] != compute(users)["b"]


@pytest.mark.parametrize(
    ("existing", "kept"),
    [(SCRAM, True), (verifier("pencil", salt=b"x", iterations=9), False), (MD5, False), ("pencil", False)],
)
def test_an_existing_verifier_that_fits_stays(existing: str, kept: bool) -> None:
    assert (compute({"app": {"password": "pencil"}}, {"app": existing})["app"] == existing) is kept
    assert compute({"app": {"password": "other"}}, {"app": existing})["app"] != existing


def test_an_md5_hash_is_postgresqls() -> None:
    # what PostgreSQL 15 stored for CREATE ROLE foo PASSWORD 'bar' with password_encryption = md5
    expected = "md596948aad3fcae80c08a35c9b5958cd89"
    assert compute({"foo": {"password": "bar", "method": "md5"}})["foo"] == expected
    assert compute({"foo": {"password": "bar", "verifier": expected}})["foo"] == expected


def test_names_that_are_gone_are_locked_once() -> None:
    existing = {"app": SCRAM, "gone": SCRAM, "long gone": ""}
    first = compute({"app": SCRAM}, existing)
    assert first == {"app": SCRAM, "gone": "", "long gone": ""}
    assert compute({"app": SCRAM}, first) == first
    assert compute({"app": SCRAM, "gone": MD5}, first)["gone"] == MD5
    assert compute({"app": SCRAM}, existing, tombstones=False) == {"app": SCRAM}


NAME = st.text(
    st.one_of(st.sampled_from("\"'\\; #%\t$:"), st.characters(exclude_categories=["Cs"])),
    min_size=1,
    max_size=25,
).filter(lambda text: not set(text) & set("\0\r\n"))
PASSWORD = NAME.filter(lambda text: secret_kind(text) == "plain")
USER = st.one_of(
    st.just(""),
    st.sampled_from([SCRAM, MD5]),
    st.fixed_dictionaries(
        {"password": PASSWORD, "method": st.sampled_from(["scram-sha-256", "md5", "plain"])}
    ),
)


@given(st.dictionaries(NAME, USER))
def test_any_user_is_written_and_read_back_and_stays(users: dict[str, Any]) -> None:
    first = compute(users, iterations=1)
    assert parse(render(first)) == first
    assert compute(users, first, iterations=1) == first
    for name, value in users.items():
        if isinstance(value, dict) and value["method"] == "scram-sha-256":
            assert matches(first[name], value["password"])
    planned = kinds(users, plain_allowed=users)
    assert planned == {name: secret_kind(secret) if secret else "none" for name, secret in first.items()}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("hunter2", r"neither a SCRAM verifier nor an md5 hash.*\{password: "),
        (None, "a secret is missing"),
        (12345, "the secret must be text"),
        ({"password": 12345}, "the password must be text"),
        ({"verifier": 12345}, "verifier must be text"),
        ({"verifier": "hunter2"}, "neither a SCRAM verifier nor an md5 hash"),
        ({}, "password or verifier is missing"),
        ({"password": ""}, "password or verifier is missing"),
        ({"pasword": "hunter2"}, "unknown keys pasword; known are password, verifier, method, iterations"),
        ({"password": "hunter2", "method": "scram"}, "method: one of scram-sha-256, md5, plain"),
        ({"password": "hunter2", "iterations": 0}, "iterations: a whole number from 1"),
        ({"password": "hunter2", "iterations": True}, "iterations: a whole number from 1"),
        ({"password": "hunter2", "verifier": SCRAM}, "verifier does not belong to password"),
        ({"password": "hunter2", "verifier": MD5}, "verifier does not belong to password"),
        ({"verifier": SCRAM, "method": "md5"}, "method says what to compute"),
        ({"password": MD5, "method": "plain"}, "looks like a hash"),
        ({"password": SCRAM, "method": "plain"}, "looks like a hash"),
        ({"password": "hunter2\n", "method": "plain"}, "line break"),
        ({"password": "hunter2\ud800", "method": "md5"}, "not valid Unicode"),
        ({"password": "hunter2\0"}, "NUL"),
    ],
)
def test_refused_without_showing_the_secret(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^pgbouncer_users\.app: .*({message})") as caught:
        compute({"app": value})
    for secret in ("hunter2", "12345", MD5, SCRAM):
        assert secret not in str(caught.value)
    assert caught.value.__suppress_context__


def test_plain_is_off_by_default() -> None:
    users = {"app": {"password": "hunter2", "method": "plain"}}
    for call in (
        lambda: compute(users, plain_allowed={"boss"}),
        lambda: kinds(users, plain_allowed={"boss"}),
    ):
        with pytest.raises(ValueError, match="pgbouncer_plain_allowed"):
            call()


@pytest.mark.parametrize("users", [None, [], "app", {5: SCRAM}])
def test_no_mapping(users: object) -> None:
    for call in (lambda: compute(users), lambda: kinds(users, plain_allowed=())):
        with pytest.raises(ValueError, match=r"^pgbouncer_users"):
            call()
