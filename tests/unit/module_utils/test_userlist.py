"""userlist.txt, written and read back."""

from __future__ import annotations

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import verifier
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import parse, render
from hypothesis import given
from hypothesis import strategies as st

SCRAM = verifier("pencil", salt=b"0123456789abcdef", iterations=10)
MD5 = "md5" + "0123456789abcdef" * 2

# Names and secrets with many of the characters that mean something to a parser, short enough for every limit.
TEXT = st.text(
    st.one_of(st.sampled_from("\"'\\; #%\t$:"), st.characters(exclude_categories=["Cs"])), max_size=25
).filter(lambda text: not set(text) & set("\0\r\n"))


def test_the_lines() -> None:
    users = [
        {"name": "app", "secret": SCRAM, "kind": "scram"},
        {"name": 'o"brien', "secret": 'say "x"', "kind": "plain"},
        {"name": "gone", "secret": ""},
    ]
    assert render(users) == f'"app" "{SCRAM}"\n"o""brien" "say ""x"""\n"gone" ""\n'


def test_no_users_are_an_empty_file() -> None:
    assert render([]) == ""
    assert parse("") == []


@given(st.dictionaries(TEXT.filter(bool), TEXT))
def test_any_name_and_secret_is_read_back(secrets: dict[str, str]) -> None:
    users = [{"name": name, "secret": secret} for name, secret in secrets.items()]
    assert parse(render(users)) == users


@pytest.mark.parametrize(
    "secret", ["it's", 'a"b', '"', '""', 'x"', "a b", "100%", "#1", ";1", "\\", "größe", "🐘", " a "]
)
def test_special_secrets(secret: str) -> None:
    assert parse(render([{"name": secret, "secret": secret}])) == [{"name": secret, "secret": secret}]


@pytest.mark.parametrize(
    ("text", "users"),
    [
        ('"a" "b"', [("a", "b")]),
        ('; comment\n\n  "a"\t"b" "third" ; rest\n', [("a", "b")]),
        ('  ; indented comment\n"a" "b"\r\n"c" "d"\r\n', [("a", "b"), ("c", "d")]),
        ('"a" "b"\n"a" "c"\n', [("a", "c")]),
        ('"a" "two\nlines"\n', [("a", "two\nlines")]),
        ('"a"" "b" "c"\n', [('a" ', " ")]),
    ],
)
def test_what_pgbouncer_reads(text: str, users: list[tuple[str, str]]) -> None:
    assert [(user["name"], user["secret"]) for user in parse(text)] == users


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# comment\n", 1),
        ('"a" "b"\napp secret\n', 2),
        ('\ufeff"a" "b"\n', 1),
        ('"a" "b\n', 1),
        ('"a"\n', 1),
        ('"a"" "x\n', 1),
        ('"a" "b""\n', 1),
        ('"a" "b\0"\n', 1),
        (f'"{"n" * 128}" "b"\n', 1),
        (f'"a" "{"s" * 2048}"\n', 1),
    ],
)
def test_what_pgbouncer_does_not_read(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=rf"^line {line}: "):
        parse(text)


@pytest.mark.parametrize(("size", "char"), [(127, "n"), (63, "ü"), (63, '"')])
def test_the_longest_name(size: int, char: str) -> None:
    users = [{"name": char * size, "secret": "x"}]
    assert parse(render(users)) == users
    with pytest.raises(ValueError, match=r": the name is 128 bytes long .* at most 127$"):
        render([{"name": char * (size + 1), "secret": "x"}])


@pytest.mark.parametrize(("size", "char"), [(2047, "s"), (1023, "ü"), (1023, '"')])
def test_the_longest_secret(size: int, char: str) -> None:
    users = [{"name": "app", "secret": char * size}]
    assert parse(render(users)) == users
    with pytest.raises(ValueError, match=r"^user 'app': the secret is 2048 bytes long .* at most 2047$"):
        render([{"name": "app", "secret": char * (size + 1)}])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"secret": "hunter2"}, "user number 1: a mapping with name"),
        ({"name": "", "secret": "hunter2"}, "user number 1: a mapping with name"),
        ("hunter2", "user number 1: a mapping with name"),
        ({"name": "app"}, "user 'app': secret is missing"),
        ({"name": "app", "secret": None}, "user 'app': the secret must be text"),
        ({"name": "app", "secret": 12345}, "user 'app': the secret must be text"),
        ({"name": "app", "secret": "hunter2\n"}, "user 'app': the secret must not contain .* line break"),
        ({"name": "app", "secret": "hunter2\0"}, "user 'app': the secret must not contain a NUL"),
        ({"name": "app", "secret": "hunter2\ud800"}, "user 'app': the secret is not valid Unicode"),
        ({"name": "a\nb", "secret": "hunter2"}, "the name must not contain .* line break"),
        (
            {"name": "app", "password": "hunter2"},
            "user 'app': unknown keys password; known are name, secret, kind",
        ),
        (
            {"name": "app", "secret": "hunter2", "kind": "sha1"},
            "kind must be one of plain, md5, scram, not 'sha1'",
        ),
        ({"name": "app", "secret": MD5, "kind": "plain"}, "declared as plain, but PgBouncer takes .* as md5"),
        (
            {"name": "app", "secret": SCRAM, "kind": "plain"},
            "declared as plain, but PgBouncer takes .* as scram",
        ),
        (
            {"name": "app", "secret": "hunter2", "kind": "scram"},
            "declared as scram, but PgBouncer takes .* as plain",
        ),
    ],
)
def test_refused_without_showing_the_secret(entry: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        render([entry])
    for secret in ("hunter2", "12345", MD5, SCRAM):
        assert secret not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_user_declared_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^user 'app' is declared twice$"):
        render([{"name": "app", "secret": "a"}, {"name": "app", "secret": "a"}])
