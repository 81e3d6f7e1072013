"""The module with Django's DATABASES: executed here, as Django would."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._django_strategies import STRATEGIES
from ansible_collections.djangoops.pooling.plugins.module_utils._django_text import HEADER, settings_file
from hypothesis import example, given
from hypothesis import strategies as st

ALIAS: dict[str, Any] = {
    "strategy": "close_after_request",
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
KEPT = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
LENT = {"DISABLE_SERVER_SIDE_CURSORS": True}
POOL = {"CONN_HEALTH_CHECKS": True, "OPTIONS": {"pool": True}}
# what each strategy takes besides, and what DATABASES then has besides
EXPECTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "close_after_request": ({}, {}),
    "conn_max_age": ({}, KEPT),
    "native_pool": ({}, POOL),
    "dj_db_conn_pool": (
        {"POOL_OPTIONS": {"POOL_SIZE": 2, "MAX_OVERFLOW": 0}},
        {
            "ENGINE": "dj_db_conn_pool.backends.postgresql",
            "POOL_OPTIONS": {"POOL_SIZE": 2, "MAX_OVERFLOW": 0},
        },
    ),
    "pgbouncer_transaction": ({}, {**KEPT, **LENT}),
    "pgbouncer_session": ({}, KEPT),
    "pgbouncer_statement": ({"autocommit_only": True}, {**KEPT, **LENT}),
    "hybrid": ({"pool": {"min_size": 1, "max_size": 4}}, {**POOL, **LENT}),
    "hybrid_session": ({}, POOL),
    "neon": (
        {"HOST": "ep-cool-123-pooler.us-east-2.aws.neon.tech"},
        {**KEPT, **LENT, "OPTIONS": {"sslmode": "require"}},
    ),
    "supabase": ({"PORT": 6543}, {**KEPT, **LENT, "OPTIONS": {"sslmode": "require"}}),
    "direct": ({}, {}),
}
# no zero byte, which PostgreSQL does not take
TEXT = st.text(min_size=1).filter(lambda text: "\0" not in text)


@pytest.fixture(autouse=True, scope="module")
def password() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEB_DB_PASSWORD", "s3cret")
        yield


def run(source: str) -> dict[str, Any]:
    module: dict[str, Any] = {}
    exec(compile(source, "pooling_databases.py", "exec"), module)
    assert set(module) - {"os", "pathlib"} == {"__builtins__", "DATABASES"}
    result: dict[str, Any] = module["DATABASES"]
    return result


def one(**change: Any) -> dict[str, Any]:
    """Django's settings of one alias."""
    result: dict[str, Any] = run(settings_file({"default": {**ALIAS, **change}}))["default"]
    return result


def refusal(alias: Any, **options: Any) -> str:
    with pytest.raises(ValueError) as caught:
        settings_file({"default": alias}, **options)
    return str(caught.value)


def test_every_strategy_is_expected_here() -> None:
    assert EXPECTED.keys() == STRATEGIES.keys()


@pytest.mark.parametrize("strategy", EXPECTED)
def test_what_a_strategy_means(strategy: str) -> None:
    needs, gives = EXPECTED[strategy]
    expected = {**RESULT, **{key: needs[key] for key in ("HOST", "PORT") if key in needs}, **gives}
    if "pool" in needs:
        expected["OPTIONS"] = {"pool": needs["pool"]}
    assert one(strategy=strategy, **needs) == expected


@pytest.mark.parametrize(("strategy", "dangerous"), [("hybrid", True), ("pgbouncer_transaction", False)])
def test_says_where_tests_would_run_on_the_real_database(strategy: str, dangerous: bool) -> None:
    """A native pool in front of a pooler stays connected to it (docs/django.md)."""
    direct = {**ALIAS, "strategy": "direct", "PORT": 5432}
    text = settings_file({"default": {**ALIAS, "strategy": strategy}, "default_direct": direct})
    assert ("RUN ON THE REAL DATABASE" in text) is dangerous


@pytest.mark.parametrize("strategy", EXPECTED)
@pytest.mark.parametrize("interface", ["asgi", "gevent"])
def test_threads_that_end_with_a_request_keep_nothing(strategy: str, interface: str) -> None:
    needs, _gives = EXPECTED[strategy]
    assert one(strategy=strategy, interface=interface, **needs)["CONN_MAX_AGE"] == 0


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"strategy": "conn_max_age", "CONN_MAX_AGE": "60"}, KEPT),
        ({"strategy": "conn_max_age", "CONN_MAX_AGE": None}, {**KEPT, "CONN_MAX_AGE": None}),
        ({"strategy": "conn_max_age", "CONN_MAX_AGE": 0}, {}),
        ({"strategy": "pgbouncer_transaction", "CONN_MAX_AGE": 0}, LENT),
        ({"PORT": "5432"}, {"PORT": 5432}),
        ({"NAME": 2024}, {"NAME": "2024"}),
        ({"ATOMIC_REQUESTS": True}, {"ATOMIC_REQUESTS": True}),
        (
            {"ENGINE": "django.contrib.gis.db.backends.postgis"},
            {"ENGINE": "django.contrib.gis.db.backends.postgis"},
        ),
        (
            {"strategy": "dj_db_conn_pool", "ENGINE": "django.contrib.gis.db.backends.postgis"},
            {"ENGINE": "dj_db_conn_pool.backends.postgis", "POOL_OPTIONS": {}},
        ),
        ({"OPTIONS": {"sslmode": "require"}}, {"OPTIONS": {"sslmode": "require"}}),
        (
            {"strategy": "native_pool", "OPTIONS": {"server_side_binding": True}},
            {"CONN_HEALTH_CHECKS": True, "OPTIONS": {"server_side_binding": True, "pool": True}},
        ),
        (
            {
                "strategy": "pgbouncer_transaction",
                "OPTIONS": {"prepare_threshold": 5},
                "max_prepared_statements": 200,
            },
            {**KEPT, **LENT, "OPTIONS": {"prepare_threshold": 5}},
        ),
        (
            {"strategy": "hybrid", "pool": {"min_size": "0", "max_size": "1"}},
            {**LENT, "CONN_HEALTH_CHECKS": True, "OPTIONS": {"pool": {"min_size": 0, "max_size": 1}}},
        ),
        (
            {"strategy": "hybrid", "pool": {"max_size": 4, "max_lifetime": 300}, "client_idle_timeout": 301},
            {**LENT, "CONN_HEALTH_CHECKS": True, "OPTIONS": {"pool": {"max_size": 4, "max_lifetime": 300}}},
        ),
        ({"strategy": "pgbouncer_session", "client_idle_timeout": 61}, KEPT),
    ],
)
def test_the_data(change: dict[str, Any], more: dict[str, Any]) -> None:
    assert one(**change) == {**RESULT, **more}


@pytest.mark.parametrize("strategy", EXPECTED)
def test_every_setting_has_its_reason(strategy: str) -> None:
    """A line of its own above each, and none of them too long to read."""
    needs, _gives = EXPECTED[strategy]
    text = settings_file({"default": {**ALIAS, "strategy": strategy, **needs}})
    lines = text.partition("DATABASES = {\n")[2].splitlines()[1:-2]
    assert len(lines) >= 14
    for reason, setting in zip(lines[::2], lines[1::2], strict=True):
        assert reason.startswith("        # ") and len(reason) < 130
        assert setting.startswith("        '")


PAIR = {
    "default": {**ALIAS, "strategy": "pgbouncer_transaction"},
    "default_direct": {**ALIAS, "strategy": "direct"},
}


def advice(databases: dict[str, Any], **options: Any) -> str:
    """The comment at the head, as one line."""
    head = settings_file(databases, **options).partition("\nimport ")[0]
    assert head.startswith(HEADER)
    return " ".join(line.removeprefix("#").strip() for line in head.splitlines())


def test_the_comment_alone_says_what_to_do() -> None:
    """For migrations, tests, LISTEN and Celery, with the names of these aliases."""
    said = advice(PAIR)
    assert "from .settings import * DATABASES = {**DATABASES, 'default': DATABASES['default_direct']}" in said
    assert "manage.py migrate --settings PROJECT.settings_direct" in said
    assert "manage.py test --settings PROJECT.settings_direct" in said
    assert "Not on 'default', but on 'default_direct': LISTEN" in said
    assert "Celery: with DJANGO_SETTINGS_MODULE set" in said
    assert "fork" not in said.partition("Celery")[0]


def test_the_comment_knows_a_missing_direct_alias() -> None:
    said = advice({"default": PAIR["default"]})
    assert "an alias with strategy direct (none is declared)" in said
    assert "settings_direct" not in said


@pytest.mark.parametrize("strategy", ["close_after_request", "conn_max_age"])
def test_the_comment_is_short_where_nothing_is_special(strategy: str) -> None:
    said = advice({"default": {**ALIAS, "strategy": strategy}})
    assert "Migrations and tests: as usual" in said
    assert "Not on" not in said


def test_the_comment_warns_of_pools_and_forks() -> None:
    said = advice({"default": {**ALIAS, "strategy": "native_pool"}})
    assert "do not query before a fork" in said
    assert "With prefork it also closes Django's pool after each task" in said


def test_a_replica() -> None:
    databases = {**PAIR, "reads": {**PAIR["default"], "HOST": "replica", "replica_of": "default"}}
    assert run(settings_file(databases))["reads"]["TEST"] == {"MIRROR": "default"}
    assert "'reads': a replica of 'default', for reads" in advice(databases)
    assert "'reads': DATABASES['default_direct']" in advice(databases)


@pytest.mark.parametrize("primary", ["reads", "other", "again"])
def test_a_replica_of_nothing(primary: str) -> None:
    replica = {**ALIAS, "replica_of": primary}
    databases = {"default": ALIAS, "reads": replica, "again": {**ALIAS, "replica_of": "default"}}
    with pytest.raises(
        ValueError, match=rf"reads\.replica_of: '{primary}' is no other alias that is a primary"
    ):
        settings_file(databases)


def test_the_password_comes_from_the_environment_alone() -> None:
    source = settings_file({"default": ALIAS})
    assert "s3cret" not in source
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WEB_DB_PASSWORD")
        with pytest.raises(KeyError, match="WEB_DB_PASSWORD"):
            run(source)


PRINTABLE = "".join(chr(code) for code in range(32, 127)) + "äß€"


def without_password() -> dict[str, Any]:
    return {key: value for key, value in ALIAS.items() if key != "password_variable"}


def test_a_password_with_every_printable_character(tmp_path: pathlib.Path) -> None:
    """Put into the file, read from a file with and without a newline at its end, or taken from the role's users."""
    embedded = {**without_password(), "password": PRINTABLE}
    assert run(settings_file({"default": embedded}))["default"]["PASSWORD"] == PRINTABLE
    users = {"web": {"password": PRINTABLE}}
    assert settings_file({"default": without_password()}, users=users) == settings_file({"default": embedded})
    for end in ("", "\n"):
        secret = tmp_path / "it's a secret"
        secret.write_text(PRINTABLE + end, encoding="utf-8")
        text = settings_file({"default": {**without_password(), "password_file": str(secret)}})
        assert PRINTABLE not in text
        assert run(text)["default"]["PASSWORD"] == PRINTABLE


@given(TEXT, TEXT, TEXT, TEXT)
@example("'", '"', "\\", "\n")
@example("', 'x': exit(), 'y': '", "\\'", "{0}%s#", "\ud800")
@example('"', "a'b", 'c"d', "e f")
@example("\nexit()\n", "\r", "\x85", "\u2028")
def test_any_text_stays_data(alias: str, name: str, user: str, secret: str) -> None:
    """Quotes, braces, newlines, escapes: what was given comes back, and nothing else is defined."""
    settings = {**without_password(), "NAME": name, "USER": user, "password": secret, "HOST": name + user}
    direct = {**settings, "strategy": "direct"}
    pooled = {**settings, "strategy": "pgbouncer_transaction", "HOST": "pooler"}
    result = run(settings_file({alias: pooled, f"{alias}_direct": direct}))
    assert result[f"{alias}_direct"] == {
        **RESULT,
        "NAME": name,
        "USER": user,
        "HOST": name + user,
        "PASSWORD": secret,
    }
    assert list(result) == [alias, f"{alias}_direct"]


@given(
    st.from_regex(r"[^=\0]{1,20}", fullmatch=True).filter(lambda name: name.isprintable()),
    st.text("aä'\"\\ ", min_size=1),
)
def test_any_variable_and_password(variable: str, secret: str) -> None:
    source = settings_file({"default": {**ALIAS, "password_variable": variable}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, variable, secret)
        assert run(source)["default"]["PASSWORD"] == secret


class Text(str):
    """As Ansible's tagged strings: a subclass with a representation of its own."""

    def __repr__(self) -> str:
        return "__import__('os').abort()"


class Number(int):
    """As Ansible's tagged numbers."""

    def __repr__(self) -> str:
        return "__import__('os').abort()"


def test_subclasses_cannot_become_code() -> None:
    tagged = {key: Text(value) if isinstance(value, str) else Number(value) for key, value in ALIAS.items()}
    options = {Text("sslmode"): Text("require"), Text("connect_timeout"): Number(3)}
    assert run(settings_file({Text("default"): {**tagged, "OPTIONS": options}})) == {
        "default": {**RESULT, "OPTIONS": {"sslmode": "require", "connect_timeout": 3}}
    }
    secret = {key: value for key, value in tagged.items() if key != "password_variable"}
    for key in ("password", "password_file"):
        text = settings_file({"default": {**secret, key: Text("/s3cret")}})
        assert "abort" not in text


@pytest.mark.parametrize("value", [None, {}, [], "default", [ALIAS]])
def test_at_least_one_alias(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^django_settings_databases: at least one alias is expected"):
        settings_file(value)


def test_an_alias_declared_twice() -> None:
    """YAML keeps the last of two equal keys; 1 and '1' are two keys for YAML, and one alias for Django."""
    with pytest.raises(
        ValueError, match=r"^django_settings_databases: alias '1' is declared twice; keep one$"
    ):
        settings_file({1: ALIAS, "1": ALIAS})


@pytest.mark.parametrize("key", ["NAME", "USER", "HOST", "PORT", "strategy"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_key(key: str, value: Any) -> None:
    message = f"django_settings_databases.default.{key} is missing"
    assert refusal({**ALIAS, key: value}).startswith(message)
    assert refusal({name: given for name, given in ALIAS.items() if name != key}).startswith(message)


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({}, "where is its password? One of password_variable, password_file, password is expected"),
        ({"password_variable": ""}, "where is its password?"),
        ({"password": None}, "where is its password?"),
        (
            {"password": "x", "password_variable": "X"},
            "password_variable and password exclude each other; keep one",
        ),
        ({"password": 12345}, "password: it is not a string; put it in quotes"),
        ({"password": "a\0b"}, "password: it has a zero byte"),
        ({"password_file": "secrets/app"}, "password_file: 'secrets/app' is not an absolute path"),
    ],
)
def test_where_the_password_is(secrets: dict[str, Any], message: str) -> None:
    said = refusal({**without_password(), **secrets}, users={"other": {"password": "x"}})
    assert said.startswith("django_settings_databases.default") and message in said
    assert "12345" not in said and "a\0b" not in said


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
        ("CONN_MAX_AGE", True),
        ("CONN_MAX_AGE", "1m"),
        ("ATOMIC_REQUESTS", "false"),
        ("autocommit_only", 1),
        ("pool", "yes"),
        ("pool", 4),
        ("pool", ["max_size"]),
        ("pool.max_size", "many"),
        ("pool.timeout", -1),
        ("pool.min_size", True),
        ("client_idle_timeout", -1),
        ("max_prepared_statements", "all"),
        ("strategy", "pgbouncer"),
        ("interface", "wsgy"),
        ("ENGINE", "django.db.backends.mysql"),
    ],
)
def test_wrong_types_and_ranges(path: str, value: Any) -> None:
    key, _, inner = path.partition(".")
    message = refusal({**ALIAS, key: {inner: value} if inner else value})
    assert message.startswith(f"django_settings_databases.default.{path}: '")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conn_max_age": 60}, ": unknown key 'conn_max_age'; known are strategy, interface, ENGINE, NAME"),
        ({"CONN_MAX_AGES": 60}, ": unknown key 'CONN_MAX_AGES'; did you mean CONN_MAX_AGE?"),
        ({"PASSWORD": "secret"}, ": unknown key 'PASSWORD'; "),
        # these follow from the strategy
        ({"CONN_HEALTH_CHECKS": False}, ": unknown key 'CONN_HEALTH_CHECKS'; "),
        ({"DISABLE_SERVER_SIDE_CURSORS": True}, ": unknown key 'DISABLE_SERVER_SIDE_CURSORS'; "),
        ({"pool": {"maxsize": 4}}, ".pool: unknown key 'maxsize'; did you mean max_size?"),
        ({"POOL_OPTIONS": {"pool_size": 4}}, ".POOL_OPTIONS: unknown key 'pool_size'; "),
        ({"OPTIONS": {"ssl mode": "x"}}, ".OPTIONS: 'ssl mode' is no name of an option"),
        ({"OPTIONS": {"sslmode": ["x"]}}, ".OPTIONS.sslmode: text, a number, true, false or null"),
        ({"OPTIONS": "sslmode=require"}, ".OPTIONS: a mapping is expected"),
        ({"OPTIONS": {"pool": True}}, ".OPTIONS.pool: say it with pool"),
        ({"OPTIONS": {"host": "x"}}, ".OPTIONS.host: say it with HOST"),
    ],
)
def test_unknown_keys(change: dict[str, Any], message: str) -> None:
    assert refusal({**ALIAS, **change}).startswith(f"django_settings_databases.default{message}")


@pytest.mark.parametrize("alias", [None, "app", ["NAME"], 7])
def test_an_alias_is_a_mapping(alias: Any) -> None:
    assert refusal(alias) == "django_settings_databases.default: a mapping is expected"


@pytest.mark.parametrize(
    ("strategy", "change", "message"),
    [
        ("native_pool", {"CONN_MAX_AGE": 60}, ".CONN_MAX_AGE: 60 and Django's own pool exclude each other"),
        ("hybrid", {"CONN_MAX_AGE": None}, ".CONN_MAX_AGE: null (for ever) and Django's own pool exclude"),
        ("dj_db_conn_pool", {"CONN_MAX_AGE": 60}, ".CONN_MAX_AGE: 60 would never give a connection back"),
        ("direct", {"CONN_MAX_AGE": 60}, ".CONN_MAX_AGE: 60 is not what strategy direct means"),
        ("close_after_request", {"CONN_MAX_AGE": 1}, ".CONN_MAX_AGE: 1 is not what strategy close_after"),
        ("conn_max_age", {"CONN_MAX_AGE": 60, "interface": "asgi"}, ".CONN_MAX_AGE: 60 would leak"),
        (
            "pgbouncer_transaction",
            {"CONN_MAX_AGE": 60, "interface": "gevent"},
            ".CONN_MAX_AGE: 60 would leak",
        ),
        ("conn_max_age", {"CONN_MAX_AGE": None, "interface": "asgi"}, ".CONN_MAX_AGE: null (for ever) would"),
        ("pgbouncer_transaction", {"CONN_MAX_AGE": None}, ".CONN_MAX_AGE: null (for ever) behind a pooler"),
        ("supabase", {"PORT": 6543, "CONN_MAX_AGE": None}, ".CONN_MAX_AGE: null (for ever) behind a pooler"),
        ("pgbouncer_session", {"client_idle_timeout": 60}, ".client_idle_timeout: the pooler closes idle"),
        (
            "pgbouncer_transaction",
            {"client_idle_timeout": 30},
            ".client_idle_timeout: the pooler closes idle",
        ),
        (
            "hybrid",
            {"client_idle_timeout": 3600},
            ".client_idle_timeout: the pooler closes idle clients after 3600",
        ),
        ("native_pool", {"pool": False}, ".pool: strategy native_pool is Django's own pool"),
        ("pgbouncer_transaction", {"pool": True}, ".pool: strategy pgbouncer_transaction has none"),
        ("conn_max_age", {"POOL_OPTIONS": {"POOL_SIZE": 1}}, ".POOL_OPTIONS: only strategy dj_db_conn_pool"),
        ("hybrid", {"pool": {"max_size": 2}}, ".pool: max_size 2 is below 1 or min_size 4"),
        ("pgbouncer_statement", {}, ".strategy: in statement mode PgBouncer refuses transactions"),
        (
            "pgbouncer_statement",
            {"autocommit_only": True, "ATOMIC_REQUESTS": True},
            ".ATOMIC_REQUESTS: statement mode refuses every transaction",
        ),
        (
            "pgbouncer_transaction",
            {"OPTIONS": {"prepare_threshold": 5}},
            ".OPTIONS.prepare_threshold: a prepared statement is on one server connection",
        ),
        (
            "supabase",
            {"PORT": 6543, "OPTIONS": {"prepare_threshold": 5}, "max_prepared_statements": 200},
            ".OPTIONS.prepare_threshold: this pooler keeps no prepared statements",
        ),
        (
            "pgbouncer_session",
            {"OPTIONS": {"options": "-c a=b"}},
            ".OPTIONS.options: the pooler refuses startup",
        ),
        ("hybrid", {"OPTIONS": {"assume_role": "x"}}, ".OPTIONS.assume_role: SET ROLE would stay"),
        ("neon", {}, ".HOST: neon's pooler has '-pooler.' in its name"),
        ("supabase", {}, ".PORT: supabase's pooler lends by transaction on port 6543, not on 6432"),
        (
            "direct",
            {"HOST": "ep-1-pooler.eu.neon.tech"},
            ".HOST: 'ep-1-pooler.eu.neon.tech' is neon's pooler",
        ),
    ],
)
def test_what_cannot_work_is_refused(strategy: str, change: dict[str, Any], message: str) -> None:
    said = refusal({**ALIAS, "strategy": strategy, **change})
    assert said.startswith(f"django_settings_databases.default{message}")


@pytest.mark.parametrize(
    ("strategy", "change", "options", "message"),
    [
        ("native_pool", {}, {"psycopg": 2}, ".strategy: Django's own pool needs psycopg 3"),
        ("hybrid", {}, {"psycopg": "2"}, ".strategy: Django's own pool needs psycopg 3"),
        ("native_pool", {}, {"version": "5.0"}, ".strategy: Django has its own pool since 5.1"),
        ("hybrid", {}, {"version": "4.2.30"}, ".strategy: Django has its own pool since 5.1"),
        (
            "conn_max_age",
            {"OPTIONS": {"server_side_binding": True}},
            {"psycopg": 2},
            ".OPTIONS.server_side_binding: psycopg 3 has it",
        ),
        (
            "pgbouncer_transaction",
            {"OPTIONS": {"isolation_level": 3}},
            {"psycopg": 2},
            ".OPTIONS.isolation_level: psycopg2 sets it for the session",
        ),
    ],
)
def test_what_an_older_library_cannot_do(
    strategy: str, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    alias = {**ALIAS, "strategy": strategy, **change}
    assert refusal(alias, **options).startswith(f"django_settings_databases.default{message}")
    settings_file({"default": alias}, version="5.1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"version": "3.2"},
            "django_settings_version: '3.2' is not known; known are 4.2, 5.0, 5.1, 5.2, 6.0",
        ),
        ({"version": 7}, "django_settings_version: '7' is not known"),
        ({"psycopg": 4}, "django_settings_psycopg: '4' is not a whole number from 2 to 3"),
        ({"form": "url"}, "django_settings_form: 'url' is not known; known are module, django-environ"),
        (
            {"path": "/etc/pooling-databases.py"},
            "django_settings_path: '/etc/pooling-databases.py' cannot be imported",
        ),
        ({"path": "/etc/databases"}, "django_settings_path: '/etc/databases' cannot be imported"),
    ],
)
def test_options_of_the_file(options: dict[str, Any], message: str) -> None:
    assert refusal(ALIAS, **options).startswith(message)


@pytest.mark.parametrize("version", ["4.2", "5.2.19", 5.2, "6.0"])
def test_versions_that_are_known(version: Any) -> None:
    assert f"and Django {str(version)[:3]}\n" in settings_file({"default": ALIAS}, version=version)
