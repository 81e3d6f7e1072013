# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is valid line by line, and yet lets nobody log in: settings, databases, users and rules that do not go together.

Private to this collection. PgBouncer starts with each of these and says nothing; the first client finds out. Every rule
here was tried on PgBouncer 1.18, 1.24, 1.25 and 1.26 with PostgreSQL 15, 17 and 18.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_hba import Rule
from ansible_collections.djangoops.pooling.plugins.module_utils._versions import is_older

_CONSOLE = "pgbouncer"
# With these PgBouncer learns the client's SCRAM keys, and a verifier of the client is enough to log in to the server.
_SCRAM = ("scram-sha-256", "md5")
# Here the client proves itself by the secret in the userlist.
_BY_SECRET = (*_SCRAM, "plain", "password")
_VERIFY = ("verify-ca", "verify-full")


class Config(NamedTuple):
    """What one PgBouncer is told. Settings and databases are as upstream names them."""

    version: str
    settings: Mapping[str, object]
    databases: Mapping[str, Mapping[str, object]]
    user_settings: Mapping[str, object]
    # name -> scram, md5, plain or none
    kinds: Mapping[str, str]
    hba: Sequence[Rule]

    def setting(self, name: str) -> str:
        """The setting's text, empty when it is not set."""
        value = self.settings.get(name)
        return "" if value is None else str(value).lower()

    def names(self, setting: str) -> list[str]:
        """The setting as a list of names."""
        value = self.settings.get(setting) or []
        parts = value.split(",") if isinstance(value, str) else value
        return (
            [str(part).strip() for part in parts if str(part).strip()] if isinstance(parts, Sequence) else []
        )

    @property
    def auth_query(self) -> bool:
        """Whether users that are not in the userlist are looked up in the database."""
        return bool(self.settings.get("auth_user")) or any(
            "auth_user" in entry for entry in self.databases.values()
        )

    @property
    def console_users(self) -> list[str]:
        """Users of the console, which log in to no server."""
        return list(dict.fromkeys(self.names("admin_users") + self.names("stats_users")))

    def with_verifier(self) -> list[str]:
        """Users that log in to servers by a verifier."""
        return [
            name for name, kind in self.kinds.items() if kind == "scram" and name not in self.console_users
        ]

    def without_forced_user(self) -> list[str]:
        """Databases whose servers see the client's own user."""
        return [name for name, entry in self.databases.items() if "user" not in entry]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _version(config: Config) -> Iterator[str]:
    users = [name for name, kind in config.kinds.items() if kind == "scram"]
    if users and not is_older(config.version, "1.25.1") and is_older(config.version, "1.26.0"):
        yield (
            f"pgbouncer_users.{users[0]}: PgBouncer {config.version} locks users out that have a SCRAM verifier, after one "
            f"login with a wrong password, until it is restarted. Install 1.26 or 1.24, or use pgbouncer_auth_query"
        )


def _secrets(config: Config) -> Iterator[str]:
    auth_type = config.setting("auth_type")
    md5 = [name for name, kind in config.kinds.items() if kind == "md5"]
    if md5 and auth_type == "scram-sha-256":
        yield (
            f"pgbouncer_users: {_some(md5)}: md5 hashes, which auth_type scram-sha-256 refuses. Set "
            f"pgbouncer_settings.auth_type to md5, which takes both, or store SCRAM verifiers"
        )
    for number, rule in enumerate(config.hba):
        if named := [name for name in rule.users if rule.method == "scram-sha-256" and name in md5]:
            yield (
                f"pgbouncer_hba[{number}]: {_some(named)}: md5 hashes, which method scram-sha-256 refuses; use method md5, "
                f"which takes both"
            )


def _pass_through(config: Config) -> Iterator[str]:
    """A verifier opens no server when the client has not proven itself by SCRAM."""
    auth_type, users = config.setting("auth_type"), config.with_verifier()
    open_to_all = config.without_forced_user()
    # a certificate, not a secret, may be what the server asks for
    if config.setting("server_tls_cert_file") or not open_to_all:
        return
    remedy = (
        "PgBouncer then has no SCRAM keys and cannot log in to the server with a verifier. Use method plain (see "
        "pgbouncer_plain_allowed), a forced user in pgbouncer_databases, or a way to log in by SCRAM"
    )
    if users and auth_type not in (*_SCRAM, "hba", ""):
        yield f"pgbouncer_users: {_some(users)}: clients prove themselves by auth_type {auth_type}. {remedy}"
    for number, rule in enumerate(config.hba):
        reached = "all" in rule.databases or any(name in open_to_all for name in rule.databases)
        named = [name for name in rule.users if name in users]
        if named and reached and rule.method not in (*_SCRAM, "reject"):
            yield f"pgbouncer_hba[{number}]: {_some(named)}: clients prove themselves by {rule.method}. {remedy}"


def _forced_users(config: Config) -> Iterator[str]:
    by_scram = bool(config.with_verifier()) or config.auth_query
    for name, entry in config.databases.items():
        user = str(entry.get("user", ""))
        path = f"pgbouncer_databases.{name}"
        if user and "password" in entry and by_scram and is_older(config.version, "1.26.0"):
            yield (
                f"{path}.password: before PgBouncer 1.26 the SCRAM keys of a client take the place of this password, and "
                f"the login to the server fails; installed is {config.version}. Leave password out, and give "
                f"pgbouncer_users.{user} the password with method plain"
            )
        elif user and "password" not in entry and config.kinds.get(user) == "scram":
            yield (
                f"{path}.user: {user} has a SCRAM verifier in pgbouncer_users, with which PgBouncer alone cannot log in "
                f"to the server. Give it a password with method plain, or put password into the entry"
            )
        if not user and config.setting("auth_type") == "any":
            yield f"{path}.user: auth_type any takes no user from the client, so each database needs a forced one"


def _auth_query(config: Config) -> Iterator[str]:
    entries: list[tuple[str, Mapping[str, object]]] = [
        ("pgbouncer_settings", config.settings),
        *((f"pgbouncer_databases.{name}", entry) for name, entry in config.databases.items()),
    ]
    for path, entry in entries:
        user, database = str(entry.get("auth_user", "")), str(entry.get("auth_dbname", ""))
        if user and config.kinds.get(user) == "scram":
            yield (
                f"{path}.auth_user: {user} has a SCRAM verifier in pgbouncer_users, with which PgBouncer alone cannot log "
                f"in to the server; it needs the password (see pgbouncer_auth_query)"
            )
        if database and database not in config.databases and "*" not in config.databases:
            yield f"{path}.auth_dbname: {database} is none of pgbouncer_databases"
    if config.auth_query and is_older(config.version, "1.23.0"):
        for user in config.user_settings:
            if user not in config.kinds:
                yield (
                    f"pgbouncer_user_settings.{user}: before PgBouncer 1.23 a user with settings of its own is not looked "
                    f"up by auth_query and cannot log in; installed is {config.version}. Give it a secret in "
                    f"pgbouncer_users, or leave its settings out"
                )


def _console(config: Config) -> Iterator[str]:
    methods = {rule.method for rule in config.hba} | {config.setting("auth_type")} - {"hba", ""}
    looked_up = config.auth_query and bool(config.settings.get("auth_dbname"))
    if looked_up or not methods & set(_BY_SECRET):
        return
    for setting in ("admin_users", "stats_users"):
        missing = [name for name in config.names(setting) if name not in config.kinds and name != _CONSOLE]
        # another way in than a secret may be meant
        if missing and methods <= {*_BY_SECRET, "reject"}:
            yield (
                f"pgbouncer_settings.{setting}: {_some(missing)} cannot log in without a secret; give it one in "
                f"pgbouncer_users. (On the host itself, the user PgBouncer runs as gets to the console as "
                f"{_CONSOLE} without one)"
            )


def _hba(config: Config) -> Iterator[str]:
    if config.hba and config.setting("auth_type") != "hba":
        yield "pgbouncer_settings.auth_type: pgbouncer_hba is read only with auth_type hba; leave auth_type out"


def _certificates(config: Config) -> Iterator[str]:
    mode = config.setting("client_tls_sslmode")
    if config.setting("auth_type") == "cert" and mode != "verify-full":
        yield "pgbouncer_settings.client_tls_sslmode: auth_type cert needs verify-full"
    for number, rule in enumerate(config.hba):
        if rule.method == "cert" and not (
            mode and mode != "disable" and config.setting("client_tls_ca_file")
        ):
            yield (
                f"pgbouncer_hba[{number}]: method cert needs client_tls_ca_file, and client_tls_sslmode other than disable: "
                f"with {_VERIFY[1]} every client needs a certificate, with a weaker mode those of this rule alone"
            )
        if rule.type == "hostssl" and (not mode or mode == "disable"):
            yield f"pgbouncer_hba[{number}]: type hostssl never matches, because client_tls_sslmode is disable"


_RULES = (_version, _secrets, _pass_through, _forced_users, _auth_query, _console, _hba, _certificates)


def problems(config: Config) -> list[str]:
    """One sentence for each thing that would keep somebody out, with the variable and the remedy."""
    return [problem for rule in _RULES for problem in rule(config)]


def _conninfo(values: Mapping[str, str]) -> str:
    escaped = {key: text.replace("\\", "\\\\").replace("'", "\\'") for key, text in values.items() if text}
    return " ".join(f"{key}='{text}'" for key, text in escaped.items())


def lookups(settings: Mapping[str, object], databases: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Where auth_query is asked, as connection strings of libpq without a password; each place once.

    A database asks in its own server database, or in that of the entry auth_dbname. A forced user is not looked up.
    """
    tls = {
        "sslmode": settings.get("server_tls_sslmode"),
        "sslrootcert": settings.get("server_tls_ca_file"),
        "sslcert": settings.get("server_tls_cert_file"),
        "sslkey": settings.get("server_tls_key_file"),
    }
    places: dict[str, None] = {}
    for name, entry in databases.items():
        user = entry.get("auth_user") or settings.get("auth_user")
        if not user or "user" in entry or name == "*":
            continue
        asked = str(entry.get("auth_dbname") or settings.get("auth_dbname") or name)
        there = databases.get(asked, {})
        host = there.get("host", "/var/run/postgresql")
        values = {
            "host": host
            if isinstance(host, str)
            else ",".join(map(str, host))
            if isinstance(host, Sequence)
            else "",
            "port": there.get("port", 5432),
            "dbname": there.get("dbname", asked),
            "user": user,
            "connect_timeout": 10,
            **tls,
        }
        places[_conninfo({key: str(value) for key, value in values.items() if value})] = None
    return list(places)


__all__ = ("Config", "lookups", "problems")
