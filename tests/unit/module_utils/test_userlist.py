"""userlist.txt, written and read back."""

from __future__ import annotations

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import verifier
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import parse, render
from hypothesis import given
from hypothesis import strategies as st

SCRAM = verifier("pencil", salt=b"0123456789abcdef", iterations=10)

# Names and secrets with many of the characters that mean something to a parser, short enough for every limit.
TEXT = st.text(
    st.one_of(st.sampled_from("\"'\\; #%\t$:"), st.characters(exclude_categories=["Cs"])), max_size=25
).filter(lambda text: not set(text) & set("\0\r\n"))


def test_the_lines() -> None:
    secrets = {"app": SCRAM, 'o"brien': 'say "x"', "gone": ""}
    assert render(secrets) == f'"app" "{SCRAM}"\n"o""brien" "say ""x"""\n"gone" ""\n'


def test_no_users_are_an_empty_file() -> None:
    assert render({}) == ""
    assert parse("") == {}


@given(st.dictionaries(TEXT.filter(bool), TEXT))
def test_any_name_and_secret_is_read_back(secrets: dict[str, str]) -> None:
    assert parse(render(secrets)) == secrets


@pytest.mark.parametrize(
    "secret", ["it's", 'a"b', '"', '""', 'x"', "a b", "100%", "#1", ";1", "\\", "größe", "🐘", " a "]
)
def test_special_secrets(secret: str) -> None:
    assert parse(render({secret: secret})) == {secret: secret}


@pytest.mark.parametrize(
    ("text", "users"),
    [
        ('"a" "b"', {"a": "b"}),
        ('; comment\n\n  "a"\t"b" "third" ; rest\n', {"a": "b"}),
        ('  ; indented comment\n"a" "b"\r\n"c" "d"\r\n', {"a": "b", "c": "d"}),
        ('"a" "b"\n"a" "c"\n', {"a": "c"}),
        ('"a" "two\nlines"\n', {"a": "two\nlines"}),
        ('"a"" "b" "c"\n', {'a" ': " "}),
    ],
)
def test_what_pgbouncer_reads(text: str, users: dict[str, str]) -> None:
    assert parse(text) == users


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


def test_what_pgbouncer_has_read_before_a_mistake() -> None:
    assert parse('"a" "b"\napp secret\n"c" "d"\n', strict=False) == {"a": "b"}


@pytest.mark.parametrize(
    ("name", "secret", "message"),
    [
        ("", "hunter2", "the name must not be empty"),
        ("a\nb", "hunter2", "the name must not contain"),
        ("app", "hunter2\r", "the secret must not contain"),
        ("app", "hunter2\0", "the secret must not contain"),
        ("n" * 128, "hunter2", "the name is 128 bytes"),
        ('"' * 64, "hunter2", "the name is 128 bytes"),
        ("ü" * 64, "hunter2", "the name is 128 bytes"),
        ("app", "hunter2" + "s" * 2041, "the secret is 2048 bytes"),
        ("app", "hunter2\ud800", "the secret is not valid Unicode"),
    ],
)
def test_refused_without_showing_the_secret(name: str, secret: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        render({name: secret})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
