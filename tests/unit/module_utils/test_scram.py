"""SCRAM-SHA-256 verifiers: known answers of the RFCs and the rules PostgreSQL adds."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import (
    is_verifier,
    matches,
    prepared,
    secret_kind,
    verifier,
)
from hypothesis import given
from hypothesis import strategies as st

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
# The exchange of RFC 7677, section 3.
AUTH_MESSAGE = (
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)
CLIENT_PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SERVER_SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
PENCIL = verifier("pencil", salt=SALT)

SPECIAL = [
    "it's",
    'say "x"',
    "a b",
    "100%",
    "#1",
    "back\\slash",
    "größe",
    "пароль",
    "密码",
    "🐘🔑",
    "tab\there",
    "'; --",
]


def keys(text: str) -> tuple[bytes, bytes]:
    stored_key, server_key = text.split("$")[2].split(":")
    return base64.b64decode(stored_key), base64.b64decode(server_key)


def test_the_server_signature_of_rfc_7677() -> None:
    signature = hmac.digest(keys(PENCIL)[1], AUTH_MESSAGE.encode(), "sha256")
    assert base64.b64encode(signature).decode() == SERVER_SIGNATURE


def test_the_client_proof_of_rfc_7677() -> None:
    stored_key = keys(PENCIL)[0]
    signature = hmac.digest(stored_key, AUTH_MESSAGE.encode(), "sha256")
    client_key = bytes(a ^ b for a, b in zip(CLIENT_PROOF, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key


def test_the_form_postgresql_stores() -> None:
    assert PENCIL.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert is_verifier(PENCIL)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("I\u00adX", b"IX"),  # RFC 4013, section 3: soft hyphen is mapped to nothing
        ("user", b"user"),
        ("USER", b"USER"),
        ("\u00aa", b"a"),
        ("\u2168", b"IX"),
        ("\u0007", b"\x07"),  # prohibited by the RFC; PostgreSQL does not look into pure ASCII
        ("\u0627\u0031", "\u0627\u0031".encode()),  # bidirectional check fails: the raw bytes
        ("\u0627\u0031\u0628", "\u0627\u0031\u0628".encode()),
        ("\u0627a\u0628\u2168", "\u0627a\u0628\u2168".encode()),  # left to right inside: not normalized
        ("a\u00a0b\u3000c", b"a b c"),
        ("a\u200bb", b"a b"),  # in two tables: a space for PostgreSQL
        ("\u00ad", "\u00ad".encode()),  # nothing is left: the raw bytes
        ("\u2168\u0007", "\u2168\u0007".encode()),  # prohibited: the raw bytes, not normalized
        ("a\u0340", "a\u0340".encode()),  # prohibited, although its normal form is not
        ("\u2168\ue000", "\u2168\ue000".encode()),  # private use
        ("\u2168\u0221", "\u2168\u0221".encode()),  # unassigned in Unicode 3.2
        ("\u2168🐘", "\u2168🐘".encode()),  # so is this one
        ("e\u0301", b"\xc3\xa9"),
        ("\u2168\udcff", "\u2168".encode() + b"\xff"),  # not UTF-8: the raw bytes
    ],
)
def test_the_preparation(password: str, expected: bytes) -> None:
    assert prepared(password) == expected


@pytest.mark.parametrize("password", SPECIAL)
def test_any_password_matches_its_verifier_only(password: str) -> None:
    text = verifier(password, salt=SALT, iterations=10)
    assert matches(text, password)
    assert not matches(text, password + "x")


@given(st.text(min_size=1).filter(lambda text: "\0" not in text), st.binary(min_size=1), st.integers(1, 50))
def test_a_verifier_matches_its_password(password: str, salt: bytes, iterations: int) -> None:
    text = verifier(password, salt=salt, iterations=iterations)
    assert is_verifier(text)
    assert matches(text, password)
    assert secret_kind(text) == "scram"


def test_both_keys_are_compared() -> None:
    stored_key, server_key = PENCIL.split("$")[2].split(":")
    assert not matches(PENCIL.replace(stored_key, server_key), "pencil")
    assert not matches(PENCIL.replace(server_key, stored_key), "pencil")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pencil",
        "SCRAM-SHA-256$",
        PENCIL[:-4],
        PENCIL + "\n",
        PENCIL.lower(),
        PENCIL.replace("4096", "0"),
        PENCIL.replace("4096", "-1"),
        PENCIL.replace("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEsUEjb6gQ"),
        "SCRAM-SHA-256$4096:YWJj$YWJj:YWJj",
    ],
)
def test_what_is_no_verifier(text: str) -> None:
    assert not is_verifier(text)
    assert not matches(text, "pencil")
    assert secret_kind(text) == "plain"


def test_the_md5_hash_of_postgresql() -> None:
    # SELECT 'md5' || md5('secret' || 'app')
    assert secret_kind("md5" + hashlib.md5(b"secretapp").hexdigest()) == "md5"


@pytest.mark.parametrize(
    "text", ["md5", "md5" + "a" * 31, "md5" + "A" * 32, "md5" + "a" * 33, "md5" + "g" * 32]
)
def test_what_is_no_md5_hash(text: str) -> None:
    assert secret_kind(text) == "plain"


@pytest.mark.parametrize("password", ["", "hunter2\0", "hunter2\ud800"])
def test_impossible_passwords_are_refused_without_showing_them(password: str) -> None:
    with pytest.raises(ValueError, match=r"^the password (must not|is not)") as caught:
        verifier(password, salt=SALT)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("iterations", [0, -1, True, 2**31, "4096"])
def test_impossible_iterations_are_refused(iterations: int) -> None:
    with pytest.raises(ValueError, match="iterations must be a whole number"):
        verifier("pencil", salt=SALT, iterations=iterations)


def test_an_empty_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="salt"):
        verifier("pencil", salt=b"")
