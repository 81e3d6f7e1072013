"""pgbouncer.ini: what is written, what is refused, and how it compares with a running process."""

from __future__ import annotations

import configparser

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import (
    config_differences,
    render,
    restart_reasons,
)
from hypothesis import given
from hypothesis import strategies as st

VERSIONS = ("1.18.0", "1.24.1", "1.25.2", "1.26.1")
Row = dict[str, str]


def setting(name: str, value: object, version: str = "1.26.1") -> str:
    """The value of one key of [pgbouncer], rendered."""
    line = render({"settings": {name: value}}, version=version).split("\n")[1]
    return line.removeprefix(f"{name} =").strip()


def database(name: str, value: object, version: str = "1.26.1") -> str:
    """The value of one key of a database, rendered."""
    line = render({"databases": {"app": {name: value}}}, version=version).split("\n")[1]
    return line.removeprefix(f"app = {name}=")


# What is written


def test_a_whole_file() -> None:
    config = {
        "settings": {
            "listen_addr": ["127.0.0.1", "::1"],
            "pool_mode": "Transaction",
            "auth_type": "scram-sha-256",
        },
        "peers": {1: {"host": "/run/pgbouncer/1"}, "2": {"host": "/run/pgbouncer/2", "port": 6433}},
        "users": {"report": {"pool_mode": "session", "max_user_connections": 2}},
        "databases": {"app": {"host": "10.0.0.5", "port": 5432, "dbname": "my app"}, "*": {}},
    }
    assert render(config, version="1.24.1") == (
        "[databases]\n"
        "app = host=10.0.0.5 port=5432 dbname='my app'\n"
        "* =\n"
        "\n"
        "[users]\n"
        "report = pool_mode=session max_user_connections=2\n"
        "\n"
        "[peers]\n"
        "1 = host=/run/pgbouncer/1\n"
        "2 = host=/run/pgbouncer/2 port=6433\n"
        "\n"
        "[pgbouncer]\n"
        "listen_addr = 127.0.0.1,::1\n"
        "pool_mode = transaction\n"
        "auth_type = scram-sha-256\n"
    )


def test_the_smallest_file() -> None:
    assert render({}, version="1.18.0") == "[pgbouncer]\n"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("log_connections", True, "1"),
        ("log_connections", False, "0"),
        ("log_connections", "yes", "1"),
        ("log_connections", "No", "0"),
        ("log_connections", "off", "0"),
        ("log_connections", 1, "1"),
        ("log_connections", "0", "0"),
        ("query_wait_timeout", 30, "30"),
        ("query_wait_timeout", "30", "30"),
        ("query_wait_timeout", 0, "0"),
        ("query_wait_timeout", 0.5, "0.5"),
        ("query_wait_timeout", "10s", "10"),
        ("query_wait_timeout", "5min", "300"),
        ("query_wait_timeout", "1 h", "3600"),
        ("query_wait_timeout", "1d", "86400"),
        ("query_wait_timeout", "250ms", "0.25"),
        ("query_wait_timeout", "1.5h", "5400"),
        ("tcp_keepidle", "2min", "120"),
        ("tcp_user_timeout", "30s", "30000"),
        ("tcp_user_timeout", 500, "500"),
        ("max_packet_size", "1MB", "1048576"),
        ("pkt_buf", "8kB", "8192"),
        ("pkt_buf", 4096.0, "4096"),
        ("default_pool_size", "20", "20"),
        ("max_db_connections", 0, "0"),
        ("unix_socket_mode", "0770", "0770"),
        ("unix_socket_mode", "770", "0770"),
        ("unix_socket_mode", 0o770, "0770"),
        ("auth_type", "SCRAM-SHA-256", "scram-sha-256"),
        ("admin_users", ["postgres", " root "], "postgres,root"),
        ("admin_users", "postgres, root,", "postgres,root"),
        ("admin_users", [], ""),
        ("listen_addr", "*", "*"),
        ("server_check_query", " select 1 ", "select 1"),
        ("unix_socket_dir", "", ""),
    ],
)
def test_values_of_settings(name: str, value: object, text: str) -> None:
    assert setting(name, value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("host", "db.example.org", "db.example.org"),
        ("host", ["10.0.0.1", "10.0.0.2"], "10.0.0.1,10.0.0.2"),
        ("host", "/var/run/postgresql", "/var/run/postgresql"),
        ("port", "5433", "5433"),
        ("pool_size", 1, "1"),
        ("server_lifetime", "1h", "3600"),
        ("password", "it's", "'it''s'"),
        ("password", "'", "''''"),
        ("password", " a b ", "' a b '"),
        ("password", 'say "x"', "'say \"x\"'"),
        ("password", "100%", "'100%'"),
        ("password", ";#=\\\t", "';#=\\\t'"),
        ("password", "größe🐘", "'größe🐘'"),
        ("connect_query", "SET x = 'y'", "'SET x = ''y'''"),
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_values_of_databases(name: str, value: object, text: str) -> None:
    assert database(name, value) == text


def connect_string_value(text: str) -> str:
    """Reads a value as PgBouncer does: up to the next blank, or between single quotes."""
    if not text.startswith("'"):
        return text.split(" ")[0]
    return text[1:].replace("''", "\0").split("'")[0].replace("\0", "'")


@given(st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1))
def test_any_password_is_read_back(password: str) -> None:
    assert connect_string_value(database("password", password)) == password


@given(st.integers(0, 2**31 - 1), st.booleans())
def test_any_number_is_read_back(number: int, as_text: bool) -> None:
    assert setting("max_db_connections", str(number) if as_text else number) == str(number)


def test_settings_come_once_and_last() -> None:
    text = render({"settings": {"pool_mode": "session"}, "databases": {"a": {}}}, version="1.18.0")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert parser.sections() == ["databases", "pgbouncer"]


def test_other_names_are_quoted() -> None:
    config = {"databases": {"größe=1": {"host": "x"}}, "users": {"o brien": {"pool_mode": "session"}}}
    text = render(config, version="1.25.0")
    assert "'größe=1' = host=x\n" in text
    assert "'o brien' = pool_mode=session\n" in text


@pytest.mark.parametrize(
    ("version", "name"),
    [("1.18.0", "reserve_pool"), ("1.23.1", "reserve_pool"), ("1.24.0", "reserve_pool_size")],
)
def test_the_reserve_of_a_database_has_two_names(version: str, name: str) -> None:
    config = {"databases": {"app": {"reserve_pool_size": 2}}}
    assert f"app = {name}=2\n" in render(config, version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_old_name_of_the_reserve_is_kept(version: str) -> None:
    assert "app = reserve_pool=2\n" in render({"databases": {"app": {"reserve_pool": 2}}}, version=version)


@pytest.mark.parametrize("version", ["1.24", "1.24.1", "1.24.1-1+deb13u2"])
def test_forms_of_a_version(version: str) -> None:
    assert setting("max_user_client_connections", 5, version) == "5"


# What is refused


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pool_mode", "transactional", "'transactional' .* one of session, transaction, statement"),
        ("pool_mode", None, "nothing .* one of session"),
        ("pool_mode", True, "true .* one of session"),
        (
            "default_pool_size",
            0,
            "0 is not possible: a whole number from 1 .* 0 means .* before .* 1.24 and no limit",
        ),
        ("default_pool_size", -5, "-5 is not possible: a whole number from 1"),
        ("default_pool_size", "-5", "'-5' is not possible: a whole number from 1"),
        ("default_pool_size", True, "true is not possible: a whole number"),
        ("default_pool_size", "many", "'many' is not possible: a whole number"),
        ("default_pool_size", 1.5, "1.5 is not possible: a whole number"),
        ("default_pool_size", "010", "'010' is not possible"),
        ("default_pool_size", "0x10", "'0x10' is not possible"),
        ("default_pool_size", "10s", "'10s' is not possible"),
        ("default_pool_size", {"a": "b"}, "a mapping or list is not possible"),
        ("max_client_conn", 0, "a whole number from 1 to 2147483647"),
        ("max_client_conn", 2**31, "a whole number from 1 to 2147483647"),
        ("max_packet_size", 2**31, "a whole number from 0 to 2147483647 .* in bytes"),
        ("listen_port", 65536, "a whole number from 1 to 65535"),
        ("peer_id", 16384, "a whole number from 0 to 16383"),
        ("tcp_keepidle", "500ms", "a whole number .* in seconds"),
        ("query_wait_timeout", -1, "-1 is not possible: a number from 0"),
        ("query_wait_timeout", "10m", "'10m' is not possible: .*10s, 5min, 1h"),
        ("query_wait_timeout", "soon", "'soon' is not possible"),
        ("query_wait_timeout", float("nan"), "nan is not possible"),
        ("query_wait_timeout", float("inf"), "inf is not possible"),
        ("query_wait_timeout", True, "true is not possible"),
        ("log_connections", 2, "2 is not possible: true or false"),
        ("log_connections", "maybe", "'maybe' is not possible: true or false"),
        ("unix_socket_mode", 770, "770 is not possible: a file mode"),
        ("unix_socket_mode", "888", "'888' is not possible: a file mode"),
        ("unix_socket_mode", True, "true is not possible: a file mode"),
        ("server_check_query", "select 1\nauth_type = any", "text on one line"),
        ("server_check_query", "select 1\r", "text on one line"),
        ("server_check_query", "select\0 1", "text on one line"),
        ("admin_users", ["a", "b\n"], "text on one line"),
        ("admin_users", "a\nb", "text on one line"),
        ("admin_users", ["a,b"], "none of them empty or with a comma"),
        ("admin_users", [""], "none of them empty or with a comma"),
        ("admin_users", [1], "text is expected"),
        ("admin_users", 1, "a list is expected"),
        ("auth_user", 1, "1 is not possible: text is expected"),
        ("auth_user", "", "an empty value is not possible"),
        ("auth_dbname", "pgbouncer", "reserved"),
        (
            "pool_moode",
            "session",
            "no PgBouncer has this key; the nearest one here is pool_mode, since 1.4",
        ),
        (
            "pool_size",
            5,
            "only in pgbouncer_databases, pgbouncer_user_settings, pgbouncer_peers; the nearest",
        ),
        (1, 5, "no PgBouncer has this key"),
    ],
)
def test_refused_settings(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^pgbouncer_settings\.{name}: .*{message}"):
        setting(name, value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pool_size", 0, "0 is not possible: a whole number from 1 .* no limit from 1.24"),
        ("port", 0, "a whole number from 1 to 65535"),
        ("pool_mode", "shared", "one of session, transaction, statement"),
        ("host", "", "an empty value is not possible"),
        ("host", "a\nb", "text on one line"),
        ("dbname", 2024, "text is expected"),
        ("password", "", "an empty value is not possible"),
        ("default_pool_size", 5, "only in pgbouncer_settings; the nearest one here is pool_size, since 1.0"),
        ("query_wait_timeout", 1.5, "a whole number .* in seconds"),
        ("auth_dbname", "pgbouncer", "reserved"),
    ],
)
def test_refused_keys_of_databases(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^pgbouncer_databases\.app\.{name}: .*{message}"):
        database(name, value)


@pytest.mark.parametrize(
    ("config", "version", "message"),
    [
        (
            {"settings": {"max_prepared_statements": 200}},
            "1.18.0",
            "pgbouncer_settings.max_prepared_statements: "
            "this key came with PgBouncer 1.21.0; installed is 1.18.0",
        ),
        (
            {"settings": {"suspend_timeout": 5}},
            "1.26.1",
            "pgbouncer_settings.suspend_timeout: PgBouncer 1.26.0 removed this key; installed is 1.26.1",
        ),
        (
            {"settings": {"auth_type": "ldap"}},
            "1.24.1",
            "pgbouncer_settings.auth_type: ldap came with PgBouncer 1.25.0; installed is 1.24.1",
        ),
        (
            {"databases": {"app": {"auth_query": "x"}}},
            "1.18.0",
            "pgbouncer_databases.app.auth_query: this key came with PgBouncer 1.22.0; installed is 1.18.0",
        ),
        (
            {"users": {"app": {"pool_size": 5}}},
            "1.18.0",
            "pgbouncer_user_settings.app.pool_size: this key came with PgBouncer 1.23.0; installed is 1.18.0",
        ),
        (
            {"users": {"app": {"reserve_pool_size": 5}}},
            "1.18.0",
            "pgbouncer_user_settings.app.reserve_pool_size: "
            "this key came with PgBouncer 1.24.0; installed is 1.18.0",
        ),
        (
            {"peers": {1: {"host": "x"}}},
            "1.18.0",
            "pgbouncer_peers.1.host: this key came with PgBouncer 1.19.0; installed is 1.18.0",
        ),
    ],
)
def test_keys_of_other_versions(config: object, version: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        render(config, version=version)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("text", "a mapping with databases, users, peers, settings is expected"),
        ({"pgbouncer": {}}, "a mapping with databases, users, peers, settings is expected"),
        ({"settings": None}, "pgbouncer_settings: a mapping of settings is expected"),
        ({"databases": ["app"]}, "pgbouncer_databases: a mapping of names to settings is expected"),
        ({"databases": {"app": "host=x"}}, r"pgbouncer_databases\.app: a mapping of settings is expected"),
        ({"databases": {"pgbouncer": {}}}, r"pgbouncer_databases\.pgbouncer: the name is reserved"),
        ({"databases": {"": {}}}, "a name of 1 to 63 bytes"),
        ({"databases": {"a" * 64: {}}}, "a name of 1 to 63 bytes"),
        ({"databases": {"ü" * 32: {}}}, "a name of 1 to 63 bytes"),
        ({"databases": {"a\n[pgbouncer]": {}}}, "on one line"),
        (
            {"databases": {"my app": {}}},
            r"pgbouncer_databases\.my app: .* 1\.25\.0, .* 1\.24\.1; .* into dbname",
        ),
        ({"databases": {1: {}, "1": {}}}, r"pgbouncer_databases\.1: declared twice"),
        (
            {"databases": {"a": {"reserve_pool": 1, "reserve_pool_size": 1}}},
            "reserve_pool is the same setting",
        ),
        (
            {"databases": {"it's": {}}},
            r"pgbouncer_databases\.it's: no version .* single quote; .* into dbname$",
        ),
        ({"users": {"o'brien": {}}}, r"pgbouncer_user_settings\.o'brien: no version .* single quote$"),
        (
            {"users": {"o brien": {}}},
            r"pgbouncer_user_settings\.o brien: .* 1\.25\.0, installed is 1\.24\.1$",
        ),
        ({"users": {"a" * 128: {}}}, "a name of 1 to 127 bytes"),
        ({"peers": {0: {"host": "x"}}}, r"pgbouncer_peers\.0: a whole number from 1 to 16383"),
        ({"peers": {16384: {"host": "x"}}}, "a whole number from 1 to 16383"),
        ({"peers": {"a": {"host": "x"}}}, "a whole number from 1 to 16383"),
        ({"peers": {1: {}}}, r"pgbouncer_peers\.1: host is missing"),
        (
            {"settings": {"client_tls_sslmode": "require"}},
            r"pgbouncer_settings\.client_tls_cert_file: needed because",
        ),
        (
            {"settings": {"client_tls_sslmode": "allow", "client_tls_cert_file": "/c"}},
            r"client_tls_key_file: needed because pgbouncer_settings\.client_tls_sslmode is allow",
        ),
        ({"settings": {"server_tls_sslmode": "verify-full"}}, "server_tls_ca_file: needed because"),
        (
            {"settings": {"auth_type": "hba"}},
            r"auth_hba_file: needed because pgbouncer_settings\.auth_type is hba",
        ),
        ({"settings": {"auth_type": "hba", "auth_hba_file": ""}}, "auth_hba_file: needed because"),
    ],
)
def test_refused_files(config: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(config, version="1.24.1")


def test_tls_with_its_files() -> None:
    files = {"client_tls_cert_file": "/c", "client_tls_key_file": "/k"}
    assert "client_tls_sslmode = require\n" in render(
        {"settings": {"client_tls_sslmode": "require"} | files}, version="1.24.1"
    )
    assert "client_tls_sslmode = disable\n" in render(
        {"settings": {"client_tls_sslmode": "disable"}}, version="1.24.1"
    )


@pytest.mark.parametrize("version", ["", "latest", "1"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(ValueError, match="a version of PgBouncer such as"):
        setting("pool_mode", "session", version)


@pytest.mark.parametrize(
    "config",
    [
        {"databases": {"app": {"password": 12345678}}},
        {"databases": {"app": {"password": "12345678\n"}}},
        {"databases": {"app": {"pasword": "12345678"}}},
        {"databases": {"app": "host=x password=12345678"}},
        {"settings": {"auth_ldap_options": ["ldapbindpasswd=12345678"]}},
        {"settings": {"auth_ldap_options": "ldapbindpasswd=12345678\n"}},
    ],
)
def test_credentials_are_not_shown(config: object) -> None:
    with pytest.raises(ValueError) as caught:
        render(config, version="1.26.1")
    assert "12345678" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


# The running process

RUNNING = {
    "auth_ldap_options": "",
    "auth_type": "scram-sha-256",
    "auth_user": "",
    "conffile": "/etc/pgbouncer/pgbouncer.ini",
    "default_pool_size": "20",
    "listen_addr": "127.0.0.1, ::1",
    "listen_port": "6432",
    "log_connections": "1",
    "query_wait_timeout": "120",
    "server_check_delay": "0.333333",
    "so_reuseport": "0",
    "unix_socket_dir": "/var/run/postgresql",
    "unix_socket_mode": "511",
    "user": "postgres",
    "verbose": "0",
}
DEFAULTS = {"listen_port": "6432", "so_reuseport": "0", "unix_socket_mode": "0777"}
WANTED = {"listen_addr": "127.0.0.1,::1", "unix_socket_dir": "/var/run/postgresql"}


def show_config(**changed: str) -> list[Row]:
    return [
        {"key": key, "value": value, "default": DEFAULTS.get(key, ""), "changeable": "?"}
        for key, value in (RUNNING | changed).items()
    ]


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"listen_port": 6432},
        {"listen_port": "6432", "so_reuseport": False, "unix_socket_mode": "0777"},
        {"listen_addr": ["127.0.0.1", "::1"]},
        {"auth_type": "SCRAM-SHA-256", "log_connections": True, "query_wait_timeout": "2min"},
        {"server_check_delay": 0.333333333},
    ],
)
def test_spellings_that_mean_the_same(same: dict[str, object]) -> None:
    assert config_differences(WANTED | same, show_config()) == []
    assert restart_reasons(WANTED | same, show_config()) == []
    assert config_differences(WANTED | same, show_config(auth_type="SCRAM-SHA-256")) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"listen_port": 6433}, "listen_port: running 6432, wanted 6433"),
        ({"listen_addr": ""}, "listen_addr: running 127.0.0.1,::1, wanted (empty)"),
        ({"unix_socket_mode": "0770"}, "unix_socket_mode: running 0777, wanted 0770"),
        ({"so_reuseport": "yes"}, "so_reuseport: running 0, wanted 1"),
        ({"job_name": "pool"}, "job_name: unknown to the running process"),
        ({"pool_idle_timeout": 5}, "pool_idle_timeout: unknown to the running process"),
    ],
)
def test_what_needs_a_restart(change: dict[str, object], difference: str) -> None:
    assert restart_reasons(WANTED | change, show_config()) == [difference]
    assert config_differences(WANTED | change, show_config()) == [difference]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"default_pool_size": 5}, "default_pool_size: running 20, wanted 5"),
        ({"query_wait_timeout": "1min"}, "query_wait_timeout: running 120, wanted 60"),
        ({"auth_type": "md5"}, "auth_type: running scram-sha-256, wanted md5"),
        ({"auth_user": "pgbouncer"}, "auth_user: running (empty), wanted pgbouncer"),
        ({"auth_ldap_options": "ldapbindpasswd=x"}, "auth_ldap_options: running (hidden), wanted (hidden)"),
    ],
)
def test_what_a_reload_changes(change: dict[str, object], difference: str) -> None:
    assert restart_reasons(WANTED | change, show_config()) == []
    assert config_differences(WANTED | change, show_config()) == [difference]


@pytest.mark.parametrize(
    ("running", "reason"),
    [
        ({"auth_user": "pgbouncer"}, "auth_user: running pgbouncer, wanted (empty)"),
        ({"verbose": "2"}, "verbose: running 2, wanted (empty)"),
        ({"auth_ldap_options": "ldapbindpasswd=x"}, "auth_ldap_options: running (hidden), wanted (hidden)"),
        ({"listen_port": "7000"}, "listen_port: running 7000, wanted 6432"),
        ({"unix_socket_mode": "504"}, "unix_socket_mode: running 0770, wanted 0777"),
    ],
)
def test_what_stays_after_its_line_is_gone(running: Row, reason: str) -> None:
    assert restart_reasons(WANTED, show_config(**running)) == [reason]
    assert config_differences(WANTED, show_config(**running)) == []


def test_a_later_version_may_show_other_keys() -> None:
    assert restart_reasons(WANTED, [*show_config(), {"key": "brand_new", "value": "1", "default": "0"}]) == []


def test_the_default_column_is_optional() -> None:
    rows = [{"key": "listen_port", "value": "7000"}, {"key": "listen_addr", "value": None}]
    assert restart_reasons({"listen_addr": ""}, rows) == []


def test_an_unreadable_running_value_is_a_difference() -> None:
    assert config_differences({"query_wait_timeout": 5}, show_config(query_wait_timeout="soon")) == [
        "query_wait_timeout: running soon, wanted 5"
    ]


@pytest.mark.parametrize("compare", [config_differences, restart_reasons])
@pytest.mark.parametrize(
    ("settings", "rows", "message"),
    [
        (WANTED, [], "the rows of SHOW CONFIG are expected"),
        (WANTED, None, "the rows of SHOW CONFIG are expected"),
        (WANTED, "key", "must be a mapping with key and value"),
        (WANTED, [{"key": "x"}], "must be a mapping with key and value"),
        ("text", show_config(), "pgbouncer_settings: a mapping of settings"),
        ({"pool_moode": 1}, show_config(), "pgbouncer_settings.pool_moode: .* nearest one here is pool_mode"),
    ],
)
def test_refused_comparisons(compare: object, settings: object, rows: object, message: str) -> None:
    assert callable(compare)
    with pytest.raises(ValueError, match=message):
        compare(settings, rows)
