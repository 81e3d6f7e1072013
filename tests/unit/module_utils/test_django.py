"""The source of Django's DATABASES: executed here, as Django would."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._django import databases_source
from hypothesis import example, given
from hypothesis import strategies as st

ALIAS: dict[str, Any] = {
    "NAME": "app",
    "USER": "web",
    "HOST": "pooler.example.com",
    "PORT": 6432,
    "password_variable": "WEB_DB_PASSWORD",
}
RESULT = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "app",
    "USER": "web",
    "PASSWORD": "s3cret",
    "HOST": "pooler.example.com",
    "PORT": 6432,
    "CONN_MAX_AGE": 0,
}
TEXT = st.text(min_size=1)


@pytest.fixture(autouse=True, scope="module")
def password() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEB_DB_PASSWORD", "s3cret")
        yield


def run(source: str) -> dict[str, Any]:
    module: dict[str, Any] = {}
    exec(compile(source, "pooling_databases.py", "exec"), module)
    assert set(module) == {"__builtins__", "os", "DATABASES"}
    result: dict[str, Any] = module["DATABASES"]
    return result


def refusal(alias: Any) -> str:
    with pytest.raises(ValueError) as caught:
        databases_source({"default": alias})
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, {}),
        ({"CONN_MAX_AGE": 60}, {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}),
        ({"CONN_MAX_AGE": "60"}, {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}),
        ({"PORT": "5432"}, {"PORT": 5432}),
        ({"NAME": 2024}, {"NAME": "2024"}),
        ({"DISABLE_SERVER_SIDE_CURSORS": True}, {"DISABLE_SERVER_SIDE_CURSORS": True}),
        ({"DISABLE_SERVER_SIDE_CURSORS": False}, {}),
        ({"pool": None}, {}),
        ({"pool": False, "CONN_MAX_AGE": 60}, {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}),
        ({"pool": True}, {"OPTIONS": {"pool": True}}),
        ({"pool": {}}, {"OPTIONS": {"pool": True}}),
        ({"pool": {"max_size": 4}}, {"OPTIONS": {"pool": {"max_size": 4}}}),
        (
            {"pool": {"min_size": "0", "max_size": "1"}},
            {"OPTIONS": {"pool": {"min_size": 0, "max_size": 1}}},
        ),
    ],
)
def test_the_data(change: dict[str, Any], more: dict[str, Any]) -> None:
    assert run(databases_source({"default": {**ALIAS, **change}})) == {"default": {**RESULT, **more}}


def test_each_setting_that_matters_has_its_reason() -> None:
    lines = databases_source(
        {"default": {**ALIAS, "CONN_MAX_AGE": 60, "DISABLE_SERVER_SIDE_CURSORS": True}}
    ).splitlines()
    for key in ("CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS"):
        [index] = [index for index, line in enumerate(lines) if f"'{key}'" in line]
        assert lines[index - 1].startswith("        # ")


def test_the_password_comes_from_the_environment_alone() -> None:
    source = databases_source({"default": ALIAS})
    assert "s3cret" not in source
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WEB_DB_PASSWORD")
        with pytest.raises(KeyError, match="WEB_DB_PASSWORD"):
            run(source)


@given(TEXT, TEXT, TEXT, TEXT)
@example("'", '"', "\\", "\n")
@example("', 'x': exit(), 'y': '", "\\'", "{0}%s#", "\ud800")
@example('"', "a'b", 'c"d', "e f")
def test_any_text_stays_data(alias: str, name: str, user: str, host: str) -> None:
    """Quotes, braces, newlines, escapes: what was given comes back, and nothing else is defined."""
    result = run(databases_source({alias: {**ALIAS, "NAME": name, "USER": user, "HOST": host}}))
    assert result == {alias: {**RESULT, "NAME": name, "USER": user, "HOST": host}}


@given(
    st.from_regex(r"[^=\0]{1,20}", fullmatch=True).filter(lambda name: name.isprintable()),
    st.text("aä'\"\\ ", min_size=1),
)
def test_any_variable_and_password(variable: str, secret: str) -> None:
    source = databases_source({"default": {**ALIAS, "password_variable": variable}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, variable, secret)
        assert run(source)["default"]["PASSWORD"] == secret


class Text(str):
    """As Ansible's tagged strings: a subclass with a representation of its own."""

    def __repr__(self) -> str:
        return "__import__('os').abort()"


def test_subclasses_of_str_cannot_become_code() -> None:
    tagged = {key: Text(value) if isinstance(value, str) else value for key, value in ALIAS.items()}
    assert run(databases_source({Text("default"): tagged})) == {"default": RESULT}


@pytest.mark.parametrize("value", [None, {}, [], "default", [ALIAS]])
def test_at_least_one_alias(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^django_settings_databases: at least one alias is expected"):
        databases_source(value)


@pytest.mark.parametrize("key", ["NAME", "USER", "HOST", "PORT", "password_variable"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_key(key: str, value: Any) -> None:
    message = f"django_settings_databases.default.{key} is missing"
    assert refusal({**ALIAS, key: value}) == message
    assert refusal({name: given for name, given in ALIAS.items() if name != key}) == message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("NAME", ["app"]),
        ("NAME", True),
        ("USER", {"name": "web"}),
        ("HOST", ["one", "two"]),
        ("HOST", 1.5),
        ("password_variable", False),
        ("PORT", 0),
        ("PORT", 65536),
        ("PORT", "six"),
        ("PORT", 6432.0),
        ("PORT", True),
        ("PORT", [6432]),
        ("CONN_MAX_AGE", -1),
        ("CONN_MAX_AGE", 86401),
        ("CONN_MAX_AGE", None),
        ("CONN_MAX_AGE", True),
        ("CONN_MAX_AGE", "1m"),
        ("DISABLE_SERVER_SIDE_CURSORS", "false"),
        ("DISABLE_SERVER_SIDE_CURSORS", None),
        ("DISABLE_SERVER_SIDE_CURSORS", 1),
        ("pool", "yes"),
        ("pool", 4),
        ("pool", ["max_size"]),
        ("pool.max_size", "many"),
        ("pool.timeout", -1),
        ("pool.min_size", True),
    ],
)
def test_wrong_types_and_ranges(path: str, value: Any) -> None:
    key, _, inner = path.partition(".")
    message = refusal({**ALIAS, key: {inner: value} if inner else value})
    assert message.startswith(f"django_settings_databases.default.{path}: '")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conn_max_age": 60}, ": unknown key 'conn_max_age'; known are NAME, USER, password_variable, HOST"),
        ({"CONN_MAX_AGES": 60}, ": unknown key 'CONN_MAX_AGES'; did you mean CONN_MAX_AGE?"),
        ({"PASSWORD": "secret"}, ": unknown key 'PASSWORD'; "),
        # it follows from CONN_MAX_AGE, and would be ignored
        ({"CONN_HEALTH_CHECKS": False}, ": unknown key 'CONN_HEALTH_CHECKS'; "),
        ({"pool": {"maxsize": 4}}, ".pool: unknown key 'maxsize'; did you mean max_size?"),
    ],
)
def test_unknown_keys(change: dict[str, Any], message: str) -> None:
    assert refusal({**ALIAS, **change}).startswith(f"django_settings_databases.default{message}")


@pytest.mark.parametrize("alias", [None, "app", ["NAME"], 7])
def test_an_alias_is_a_mapping(alias: Any) -> None:
    assert refusal(alias) == "django_settings_databases.default: a mapping is expected"


@pytest.mark.parametrize("pool", [True, {}, {"max_size": 4}])
def test_a_native_pool_excludes_persistent_connections(pool: Any) -> None:
    assert refusal({**ALIAS, "CONN_MAX_AGE": 60, "pool": pool}) == (
        "django_settings_databases.default: pool and CONN_MAX_AGE 60 exclude each other in Django; "
        "set CONN_MAX_AGE to 0"
    )


@pytest.mark.parametrize(
    "pool", [{"max_size": 3}, {"min_size": 2, "max_size": 1}, {"min_size": 0}, {"min_size": 0, "max_size": 0}]
)
def test_sizes_that_psycopg_pool_refuses(pool: dict[str, int]) -> None:
    assert refusal({**ALIAS, "pool": pool}).startswith("django_settings_databases.default.pool: max_size ")
