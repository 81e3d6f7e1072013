"""Lines with a DATABASE_URL: read here with the real django-environ and dj-database-url."""

from __future__ import annotations

import io
from typing import Any

import dj_database_url
import environ
import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._django_text import HEADER, settings_file
from hypothesis import example, given
from hypothesis import strategies as st

ALIAS: dict[str, Any] = {
    "strategy": "pgbouncer_transaction",
    "NAME": "app",
    "USER": "web",
    "HOST": "pooler.example.com",
    "PORT": 6432,
    "password": "s3cret",
}
DIRECT = {**ALIAS, "strategy": "direct", "HOST": "db", "PORT": 5432}
PRINTABLE = "".join(chr(code) for code in range(32, 127)) + "äß€"
FORMS = ["django-environ", "dj-database-url"]


def lines(text: str) -> dict[str, str]:
    """Variables of the file, as an environment file is read."""
    found = [line.partition("=") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in found}


def read(databases: Any, form: str) -> dict[str, Any]:
    """DATABASES, made by the code that the file's own comment shows."""
    text = settings_file(databases, form)
    assert text.startswith(HEADER)
    code = [line.removeprefix("#     ") for line in text.splitlines() if line.startswith("#     ")]
    end = code.index("}") + 1
    variables = lines(text)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        module: dict[str, Any] = {"environ": environ}
        exec("\n".join(code[:end]), module)
    result: dict[str, Any] = module["DATABASES"]
    return result


def expected(databases: Any) -> dict[str, Any]:
    """What the module has; both readers leave out or add what is Django's default anyway."""
    module: dict[str, Any] = {}
    exec(settings_file(databases), module)
    return {name: plain(settings) for name, settings in module["DATABASES"].items()}


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    defaults = {
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "DISABLE_SERVER_SIDE_CURSORS": False,
        "OPTIONS": {},
    }
    return {**defaults, **settings}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"password": PRINTABLE},
        {"USER": PRINTABLE, "NAME": "x" + PRINTABLE},
        {"strategy": "conn_max_age", "CONN_MAX_AGE": None},
        {"strategy": "pgbouncer_session"},
        {"strategy": "pgbouncer_transaction", "CONN_MAX_AGE": 0},
        {"strategy": "neon", "HOST": "ep-1-pooler.eu.neon.tech", "OPTIONS": {"channel_binding": "require"}},
        {"strategy": "direct", "OPTIONS": {"connect_timeout": 5, "application_name": "a b&c=d"}},
        {"HOST": "pooler1,pooler2"},
        {"HOST": "192.0.2.7"},
        {"HOST": "2001:db8::1"},
        {"HOST": "/var/run/postgresql"},
        {"ENGINE": "django.contrib.gis.db.backends.postgis"},
    ],
)
def test_a_url_comes_back_as_the_settings(form: str, change: dict[str, Any]) -> None:
    databases = {"default": {**ALIAS, **change}, "default_direct": DIRECT}
    found = {name: plain(settings) for name, settings in read(databases, form).items()}
    assert found == expected(databases)


@pytest.mark.parametrize("form", FORMS)
@given(
    *[
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1)
        for _ in range(3)
    ]
)
@example("a@b:c/d?e#f", "%2F", "+ +")
@example("$HOME", "\n", "a/b")
def test_any_text(form: str, user: str, password: str, name: str) -> None:
    databases = {"default": {**ALIAS, "USER": user, "password": password, "NAME": f"x{name}"}}
    assert {alias: plain(settings) for alias, settings in read(databases, form).items()} == expected(
        databases
    )


def test_an_environment_file_is_read_whole() -> None:
    """By django-environ's own reader, whose quotes, comments and dollars must not meet the values."""
    environment: dict[str, str] = {}
    text = settings_file({"default": {**ALIAS, "password": PRINTABLE}}, "django-environ")

    class Reader(environ.Env):  # type: ignore[misc]
        ENVIRON = environment

    Reader.read_env(io.StringIO(text))
    assert Reader().db("DATABASE_URL")["PASSWORD"] == PRINTABLE
    assert list(environment) == ["DATABASE_URL"]
    assert dj_database_url.parse(environment["DATABASE_URL"])["PASSWORD"] == PRINTABLE


@pytest.mark.parametrize("form", FORMS)
def test_a_replica(form: str) -> None:
    databases = {"default": ALIAS, "reads": {**ALIAS, "replica_of": "default"}}
    assert read(databases, form)["reads"]["TEST"] == {"MIRROR": "default"}


def test_names_of_the_variables() -> None:
    text = settings_file({"default": ALIAS, "default_direct": DIRECT, "job-s": ALIAS}, "django-environ")
    assert list(lines(text)) == ["DATABASE_URL", "DEFAULT_DIRECT_DATABASE_URL", "JOB_S_DATABASE_URL"]


@pytest.mark.parametrize(
    ("form", "databases", "message"),
    [
        (
            "django-environ",
            {"a-b": ALIAS, "a_b": ALIAS},
            "django_settings_databases: aliases 'a-b' and 'a_b' would both be A_B_DATABASE_URL; rename one",
        ),
        (
            "dj-database-url",
            {"default": {**{k: v for k, v in ALIAS.items() if k != "password"}, "password_variable": "X"}},
            "django_settings_databases.default.password_variable: a URL carries its password",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "strategy": "hybrid"}},
            "django_settings_databases.default.strategy: a URL cannot carry a pool's settings",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "strategy": "dj_db_conn_pool"}},
            "django_settings_databases.default.strategy: a URL cannot carry a pool's settings",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "OPTIONS": {"server_side_binding": True}}},
            "django_settings_databases.default.OPTIONS.server_side_binding: True would come back as something else",
        ),
        (
            "dj-database-url",
            {"default": {**ALIAS, "OPTIONS": {"application_name": "42"}}},
            "django_settings_databases.default.OPTIONS.application_name: '42' would come back as something else",
        ),
        (
            "dj-database-url",
            {"default": {**ALIAS, "ATOMIC_REQUESTS": True}},
            "django_settings_databases.default.ATOMIC_REQUESTS: dj-database-url has no way",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "HOST": "/var/run/PostgreSQL"}},
            "django_settings_databases.default.HOST: '/var/run/PostgreSQL' has capitals",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "HOST": "::1,::2"}},
            "django_settings_databases.default.HOST: '::1,::2' has several hosts with colons",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "HOST": "a b"}},
            "django_settings_databases.default.HOST: 'a b' is no host name",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "NAME": "/app"}},
            "django_settings_databases.default.NAME: '/app' begins with /",
        ),
        (
            "django-environ",
            {"default": {**ALIAS, "password": "\ud800"}},
            "django_settings_databases.default.password: it is no text that UTF-8 can carry",
        ),
    ],
)
def test_what_a_url_cannot_say(form: str, databases: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        settings_file(databases, form)
    assert str(caught.value).startswith(message)
