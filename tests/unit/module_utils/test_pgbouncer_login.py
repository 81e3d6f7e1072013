"""Settings, databases, users and rules that do not go together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_hba import rules
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_login import Config, problems

DATABASES = {"app": {"host": "192.0.2.1"}}
HBA: dict[str, Any] = {"type": "hostssl", "users": ["web"], "address": "all", "method": "cert"}
TLS = {"auth_type": "hba", "client_tls_sslmode": "prefer", "client_tls_ca_file": "/ca"}


def found(version: str = "1.24.1", **changes: Any) -> list[str]:
    hba = rules(changes.pop("hba", []), ident=[], version=version)
    config: dict[str, Any] = {
        "settings": {"auth_type": "scram-sha-256"},
        "databases": DATABASES,
        "user_settings": {},
        "kinds": {"web": "scram"},
        **changes,
    }
    return problems(Config(version=version, hba=hba, **config))


# what is wrong, and what makes it right again
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "md5 hash and SCRAM": (
        {"kinds": {"old": "md5"}},
        {"kinds": {"old": "md5"}, "settings": {"auth_type": "md5"}},
        r"pgbouncer_users: old: md5 hashes.*auth_type to md5",
    ),
    "md5 hash and a rule": (
        {
            "kinds": {"web": "md5"},
            "settings": {"auth_type": "hba"},
            "hba": [{**HBA, "type": "host", "method": "scram-sha-256"}],
        },
        {
            "kinds": {"web": "md5"},
            "settings": {"auth_type": "hba"},
            "hba": [{**HBA, "type": "host", "method": "md5"}],
        },
        r"pgbouncer_hba\[0\]: web: md5 hashes",
    ),
    "verifiers on 1.25": (
        {"version": "1.25.2"},
        {"version": "1.26.1"},
        r"pgbouncer_users\.web: PgBouncer 1\.25\.2 locks",
    ),
    "verifier and trust": (
        {"settings": {"auth_type": "trust"}},
        {
            "settings": {"auth_type": "trust"},
            "databases": {"app": {"user": "boss", "password": "x"}},
            "version": "1.26.1",
        },
        r"pgbouncer_users: web: clients prove themselves by auth_type trust",
    ),
    "verifier and certificate": (
        {"settings": TLS, "hba": [HBA]},
        {"settings": {**TLS, "server_tls_cert_file": "/c"}, "hba": [HBA]},
        r"pgbouncer_hba\[0\]: web: clients prove themselves by cert",
    ),
    "verifier and certificate, plain": (
        {"settings": TLS, "hba": [{**HBA, "databases": ["app"]}]},
        {"settings": TLS, "hba": [HBA], "kinds": {"web": "plain"}},
        r"pgbouncer_hba\[0\]: web: clients prove themselves by cert",
    ),
    "console users need no server": (
        {"settings": {"auth_type": "plain"}},
        {"settings": {"auth_type": "plain", "admin_users": "web"}},
        r"auth_type plain",
    ),
    "forced user with a password": (
        {"databases": {"app": {"user": "boss", "password": "x"}}},
        {"databases": {"app": {"user": "boss"}}, "kinds": {"web": "scram", "boss": "plain"}},
        r"pgbouncer_databases\.app\.password: before PgBouncer 1\.26",
    ),
    "forced user with a password, newer": (
        {"databases": {"app": {"user": "boss", "password": "x"}}},
        {"databases": {"app": {"user": "boss", "password": "x"}}, "version": "1.26.1"},
        r"pgbouncer_databases\.app\.password",
    ),
    "forced user with a verifier": (
        {"databases": {"app": {"user": "boss"}}, "kinds": {"boss": "scram"}},
        {"databases": {"app": {"user": "boss"}}, "kinds": {"boss": "plain"}},
        r"pgbouncer_databases\.app\.user: boss has a SCRAM verifier",
    ),
    "any without a forced user": (
        {"settings": {"auth_type": "any"}, "kinds": {}},
        {
            "settings": {"auth_type": "any"},
            "kinds": {},
            "databases": {"app": {"user": "boss", "password": "x"}},
        },
        r"pgbouncer_databases\.app\.user: auth_type any",
    ),
    "auth_user with a verifier": (
        {"settings": {"auth_type": "md5", "auth_user": "web"}},
        {"settings": {"auth_type": "md5", "auth_user": "web"}, "kinds": {"web": "plain"}},
        r"pgbouncer_settings\.auth_user: web has a SCRAM verifier",
    ),
    "auth_user of a database": (
        {"databases": {"app": {"auth_user": "web"}}},
        {
            "databases": {"app": {"auth_user": "web"}},
            "kinds": {"web": "md5"},
            "settings": {"auth_type": "md5"},
        },
        r"pgbouncer_databases\.app\.auth_user: web",
    ),
    "auth_dbname of nowhere": (
        {"settings": {"auth_dbname": "nowhere"}},
        {"settings": {"auth_dbname": "app"}},
        r"pgbouncer_settings\.auth_dbname: nowhere is none",
    ),
    "settings of a user that is looked up": (
        {
            "version": "1.18.0",
            "settings": {"auth_user": "q"},
            "user_settings": {"x": {"pool_mode": "session"}},
        },
        {
            "version": "1.24.1",
            "settings": {"auth_user": "q"},
            "user_settings": {"x": {"pool_mode": "session"}},
        },
        r"pgbouncer_user_settings\.x: before PgBouncer 1\.23",
    ),
    "console user without a secret": (
        {"settings": {"auth_type": "md5", "admin_users": ["web", "boss"]}},
        {"settings": {"auth_type": "md5", "admin_users": ["web", "pgbouncer"]}},
        r"pgbouncer_settings\.admin_users: boss cannot log in",
    ),
    "console user of another way in": (
        {"settings": {"auth_type": "md5", "stats_users": "boss"}},
        {"settings": {**TLS, "stats_users": "boss"}, "hba": [{**HBA, "users": ["boss"]}]},
        r"pgbouncer_settings\.stats_users: boss cannot log in",
    ),
    "rules that nobody reads": (
        {"hba": [{**HBA, "type": "host", "method": "md5"}]},
        {"hba": [{**HBA, "type": "host", "method": "md5"}], "settings": {"auth_type": "hba"}},
        r"pgbouncer_settings\.auth_type: pgbouncer_hba is read only",
    ),
    "certificates need verify-full": (
        {"settings": {"auth_type": "cert", "client_tls_sslmode": "require"}, "kinds": {}},
        {"settings": {"auth_type": "cert", "client_tls_sslmode": "verify-full"}, "kinds": {}},
        r"pgbouncer_settings\.client_tls_sslmode: auth_type cert",
    ),
    "certificates need a CA": (
        {"settings": {**TLS, "client_tls_ca_file": ""}, "hba": [HBA], "kinds": {}},
        {"settings": TLS, "hba": [HBA], "kinds": {}},
        r"pgbouncer_hba\[0\]: method cert needs client_tls_ca_file",
    ),
    "TLS that is off": (
        {"settings": {"auth_type": "hba"}, "hba": [{**HBA, "method": "md5"}]},
        {"settings": TLS, "hba": [{**HBA, "method": "md5"}]},
        r"pgbouncer_hba\[0\]: type hostssl never matches",
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_wrong_and_right(case: str) -> None:
    wrong, right, message = PAIRS[case]
    with pytest.raises(AssertionError, match=message):
        assert not found(**wrong), "\n".join(found(**wrong))
    assert found(**right) == []


def test_nothing_is_wrong_by_default() -> None:
    assert found() == []
    assert found(kinds={}) == []
