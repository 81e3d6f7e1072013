# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Django's DATABASES for a way to connect: what contradicts it is refused, the rest becomes entries with reasons.

Private to this collection. The texts of the files are made in _django_text.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._django_strategies import (
    AGE,
    CURSORS,
    DIRECT,
    DJANGO_VERSIONS,
    ENGINES,
    HEALTH,
    INTERFACES,
    NATIVE_POOL_SINCE,
    POOL,
    PREPARE,
    STRATEGIES,
    Strategy,
)

VARIABLE = "django_settings_databases"
TEXTS = ("NAME", "USER", "HOST")
# Where the password is; one of them, and what it means.
SECRETS = {
    "password_variable": "from the environment: this file holds no secret",
    "password_file": "from a file of its own: this file holds no secret",
    "password": "as asked for in the inventory: keep this file's mode",
}
# Everything an alias may say.
KEYS = (
    "strategy",
    "interface",
    "ENGINE",
    *TEXTS,
    "PORT",
    *SECRETS,
    "ATOMIC_REQUESTS",
    "CONN_MAX_AGE",
    "OPTIONS",
    "pool",
    "POOL_OPTIONS",
    "autocommit_only",
    "client_idle_timeout",
    "max_prepared_statements",
    "replica_of",
)
# What psycopg_pool's ConnectionPool and SQLAlchemy's QueuePool take, numbers all of them.
POOL_KEYS = (
    "max_idle",
    "max_lifetime",
    "max_size",
    "max_waiting",
    "min_size",
    "num_workers",
    "reconnect_timeout",
    "timeout",
)
POOL_OPTIONS_KEYS = ("MAX_OVERFLOW", "POOL_SIZE", "RECYCLE", "TIMEOUT")
# The name in OPTIONS -> what says it instead.
OPTIONS_ELSEWHERE = {
    "client_encoding": "nothing: Django sets it",
    "dbname": "NAME",
    "host": "HOST",
    "password": "password",
    "pool": "pool",
    "port": "PORT",
    "user": "USER",
}
DAY = 86400
# psycopg_pool's own, where `pool` does not say
POOL_MIN_SIZE, POOL_MAX_LIFETIME = 4, 3600


@dataclasses.dataclass(frozen=True)
class Secret:
    """Where a password comes from (a key of SECRETS), and the variable, the file or the password itself."""

    source: str
    value: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """One of Django's settings of an alias: its value, a Secret for PASSWORD, and why it is that."""

    key: str
    value: Any
    why: str


@dataclasses.dataclass(frozen=True)
class Alias:
    """An alias of DATABASES."""

    name: str
    strategy: Strategy
    entries: tuple[Entry, ...]
    direct: bool
    replica_of: str

    def setting(self, key: str, default: Any = None) -> Any:
        """Value of one of Django's settings."""
        return next((entry.value for entry in self.entries if entry.key == key), default)


def aliases(databases: Any, version: Any = "", psycopg: Any = 3, users: Any = None) -> list[Alias]:
    """The aliases of DATABASES in their order, from alias -> settings (keys as in KEYS).

    An alias that does not say where its password is has the one of its USER in `users`, role -> {password: ...}.
    `version` is Django's, 5.2 for instance, or empty where it is not known; `psycopg` is 2 or 3. Raises ValueError,
    which names the key and the remedy, for what is missing, unknown or of a wrong type, and for what cannot work.
    """
    known = django_version(version)
    driver = _integer("django_settings_psycopg", psycopg, 2, 3)
    if not isinstance(databases, Mapping) or not databases:
        raise ValueError(f"{VARIABLE}: at least one alias is expected")
    names = [str(name) for name in databases]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{VARIABLE}: alias '{name}' is declared twice; keep one")
    result = []
    for name, settings in zip(names, databases.values(), strict=True):
        path = f"{VARIABLE}.{name}"
        if not isinstance(settings, Mapping):
            raise ValueError(f"{path}: a mapping is expected")
        if not SECRETS.keys() & settings.keys():
            settings = {**settings, **_embedded(users, settings.get("USER"))}
        _check_shape(path, settings)
        primary = settings.get("replica_of", "")
        if primary and (
            primary == name or primary not in names or databases.get(primary, {}).get("replica_of")
        ):
            raise ValueError(
                f"{path}.replica_of: '{primary}' is no other alias that is a primary; there are {', '.join(names)}"
            )
        result.append(_alias(path, name, settings, known, driver))
    return result


def django_version(value: Any) -> str:
    """Major and minor of a version of Django that the role knows, or empty. Raises ValueError for others."""
    text = "" if value is None else str(value)
    found = ".".join(text.split(".")[:2])
    if found and found not in DJANGO_VERSIONS:
        raise ValueError(
            f"django_settings_version: '{text}' is not known; known are {', '.join(DJANGO_VERSIONS)} "
            f"(in quotes, so that YAML keeps its digits)"
        )
    return found


def _alias(path: str, name: str, settings: Mapping[str, Any], version: str, psycopg: int) -> Alias:
    way = str(settings["strategy"])
    strategy = STRATEGIES[way]
    age = _age(path, settings, strategy)
    pool = _pool(f"{path}.pool", settings.get("pool", strategy.keeper == "native_pool"))
    queue = _numbers(f"{path}.POOL_OPTIONS", settings.get("POOL_OPTIONS", {}), POOL_OPTIONS_KEYS)
    options = {**dict(strategy.options), **_options(f"{path}.OPTIONS", settings.get("OPTIONS", {}))}
    statements = _integer(
        f"{path}.max_prepared_statements", settings.get("max_prepared_statements", 0), 0, 1_000_000
    )
    for reason in (
        *_pool_reasons(path, settings, strategy, version, psycopg),
        *_age_reasons(path, settings, strategy, age, pool),
        *_option_reasons(f"{path}.OPTIONS", options, strategy, psycopg, statements),
        *_other_reasons(path, way, settings, strategy),
    ):
        raise ValueError(reason)
    secret = next(
        Secret(source, _text(f"{path}.{source}", settings[source]))
        for source in SECRETS
        if source in settings
    )
    engine = str(settings.get("ENGINE", next(iter(ENGINES))))
    entries = [
        Entry(
            "ENGINE",
            ENGINES[engine] if strategy.keeper == "dj_db_conn_pool" else engine,
            f"written for psycopg {psycopg}" + (f" and Django {version}" if version else ""),
        ),
        Entry(
            "NAME",
            _text(f"{path}.NAME", settings["NAME"]),
            "the pooler's name for the database" if strategy.lends else "the database",
        ),
        Entry(
            "USER",
            _text(f"{path}.USER", settings["USER"]),
            "PostgreSQL's role, whose connections are counted",
        ),
        Entry("PASSWORD", secret, SECRETS[secret.source]),
        Entry("HOST", _text(f"{path}.HOST", settings["HOST"]), f"to {strategy.path}"),
        Entry(
            "PORT",
            _integer(f"{path}.PORT", settings["PORT"], 1, 65535),
            "the pooler's" if strategy.lends else "PostgreSQL's own",
        ),
    ]
    if settings.get("ATOMIC_REQUESTS"):
        entries.append(
            Entry(
                "ATOMIC_REQUESTS",
                True,
                "a request is a transaction: it holds its backend from the first query to the response",
            )
        )
    entries.append(Entry("CONN_MAX_AGE", age, _age_why(way, settings, strategy, age)))
    if age != 0 or pool is not None:
        entries.append(Entry("CONN_HEALTH_CHECKS", True, HEALTH["thread" if pool is None else "native_pool"]))
    if strategy.lends in CURSORS:
        entries.append(Entry("DISABLE_SERVER_SIDE_CURSORS", True, CURSORS[strategy.lends]))
    why = []
    if pool is not None:
        options["pool"] = pool or True
        why.append(f"pool: {POOL[strategy.lends]}")
    if "prepare_threshold" in options:
        why.append(f"prepare_threshold: {PREPARE[strategy.lends].format(statements)}")
    if "server_side_binding" in options:
        why.append("server_side_binding: the server puts the parameters in, as the inventory asks for")
    if options:
        entries.append(Entry("OPTIONS", options, "; ".join(why) or "passed on to psycopg and libpq"))
    if strategy.keeper == "dj_db_conn_pool":
        entries.append(
            Entry(
                "POOL_OPTIONS",
                queue,
                "SQLAlchemy's pool in each process: PostgreSQL sees up to POOL_SIZE + MAX_OVERFLOW of each (10 + 10)",
            )
        )
    primary = str(settings.get("replica_of", ""))
    if primary:
        entries.append(
            Entry(
                "TEST",
                {"MIRROR": primary},
                "tests read the primary's test database: a replica takes no writes",
            )
        )
    return Alias(name, strategy, tuple(entries), way == "direct", primary)


def _embedded(users: Any, name: Any) -> dict[str, Any]:
    """The password of a role, from role -> {password: ...} as the role postgresql has it; empty if it is not there."""
    user = users.get(name) if isinstance(users, Mapping) else None
    return {"password": user["password"]} if isinstance(user, Mapping) and "password" in user else {}


def _check_shape(path: str, settings: Mapping[str, Any]) -> None:
    _check_keys(path, settings, KEYS)
    for key in (*TEXTS, "PORT", "strategy"):
        if settings.get(key) in (None, ""):
            known = f"; known are {', '.join(STRATEGIES)}" if key == "strategy" else ""
            raise ValueError(f"{path}.{key} is missing{known}")
    for key, choices in (("strategy", STRATEGIES), ("interface", INTERFACES), ("ENGINE", ENGINES)):
        if key in settings and str(settings[key]) not in choices:
            raise ValueError(f"{path}.{key}: '{settings[key]}' is not known; known are {', '.join(choices)}")
    given = [key for key in SECRETS if settings.get(key) not in (None, "")]
    if len(given) != 1 or any(key in settings for key in SECRETS if key not in given):
        raise ValueError(
            f"{path}: where is its password? One of {', '.join(SECRETS)} is expected, or its USER in django_settings_users"
            if not given
            else f"{path}: {' and '.join(key for key in SECRETS if key in settings)} exclude each other; keep one"
        )
    for key in ("ATOMIC_REQUESTS", "autocommit_only"):
        if not isinstance(settings.get(key, False), bool):
            raise ValueError(f"{path}.{key}: '{settings[key]}' is not true or false")
    if "password_file" in settings and not str(settings["password_file"]).startswith("/"):
        raise ValueError(f"{path}.password_file: '{settings['password_file']}' is not an absolute path")


def _age(path: str, settings: Mapping[str, Any], strategy: Strategy) -> int | None:
    """Seconds, None for ever; by default what the strategy has, where threads live long enough to profit."""
    if "CONN_MAX_AGE" in settings:
        given = settings["CONN_MAX_AGE"]
        return None if given is None else _integer(f"{path}.CONN_MAX_AGE", given, 0, DAY)
    return strategy.conn_max_age if _keeps(settings) else 0


def _keeps(settings: Mapping[str, Any]) -> bool:
    return INTERFACES[str(settings.get("interface", "wsgi"))]


def _age_why(way: str, settings: Mapping[str, Any], strategy: Strategy, age: int | None) -> str:
    if age is None:
        return AGE["forever"]
    if age:
        return AGE[strategy.lends]
    if way == "direct" or strategy.keeper != "thread":
        return AGE[way if way == "direct" else strategy.keeper]
    return AGE["off" if _keeps(settings) else "short-lived"]


def _pool_reasons(
    path: str, settings: Mapping[str, Any], strategy: Strategy, version: str, psycopg: int
) -> Iterator[str]:
    """Why this pool cannot be."""
    if strategy.keeper == "native_pool":
        if settings.get("pool", True) in (None, False):
            yield f"{path}.pool: strategy {settings['strategy']} is Django's own pool; leave pool out, or give its sizes"
        if psycopg == 2:
            yield (
                f"{path}.strategy: Django's own pool needs psycopg 3, and django_settings_psycopg is 2; install "
                f"psycopg[pool] 3, or use conn_max_age, pgbouncer_transaction or dj_db_conn_pool"
            )
        if version and DJANGO_VERSIONS.index(version) < DJANGO_VERSIONS.index(NATIVE_POOL_SINCE):
            yield (
                f"{path}.strategy: Django has its own pool since {NATIVE_POOL_SINCE}, and django_settings_version is "
                f"{version}; use conn_max_age, pgbouncer_transaction or dj_db_conn_pool"
            )
    elif settings.get("pool") not in (None, False):
        yield f"{path}.pool: strategy {settings['strategy']} has none; use native_pool or hybrid, or leave pool out"
    if strategy.keeper != "dj_db_conn_pool" and settings.get("POOL_OPTIONS"):
        yield f"{path}.POOL_OPTIONS: only strategy dj_db_conn_pool reads them; leave them out"


def _age_reasons(
    path: str,
    settings: Mapping[str, Any],
    strategy: Strategy,
    age: int | None,
    pool: Mapping[str, int] | None,
) -> Iterator[str]:
    """Why connections cannot be kept for so long."""
    said = f"{path}.CONN_MAX_AGE: {'null (for ever)' if age is None else age}"
    if age != 0 and strategy.keeper == "native_pool":
        yield f"{said} and Django's own pool exclude each other in Django; set CONN_MAX_AGE to 0"
    elif age != 0 and strategy.keeper == "dj_db_conn_pool":
        yield f"{said} would never give a connection back to django-db-connection-pool; set CONN_MAX_AGE to 0"
    elif age != 0 and settings["strategy"] in ("direct", "close_after_request"):
        yield f"{said} is not what strategy {settings['strategy']} means; set 0, or use strategy conn_max_age"
    elif age != 0 and not _keeps(settings):
        yield (
            f"{said} would leak connections: with {settings['interface']} a thread ends with its request, and what it "
            f"keeps nobody uses again; set 0, or use strategy native_pool or hybrid"
        )
    elif age is None and strategy.lends:
        yield (
            f"{said} behind a pooler never renews a connection, so that clients stay where they are when poolers come "
            f"and go; set 60"
        )
    timeout = _integer(f"{path}.client_idle_timeout", settings.get("client_idle_timeout", 0), 0, 10 * DAY)
    kept = age or 0 if pool is None else pool.get("max_lifetime", POOL_MAX_LIFETIME)
    if 0 < timeout <= kept:
        what = "CONN_MAX_AGE" if pool is None else "the pool's max_lifetime"
        yield (
            f"{path}.client_idle_timeout: the pooler closes idle clients after {timeout} s, "
            f"and Django keeps them for {kept}; set client_idle_timeout to 0 there, or {what} below {timeout}"
        )


def _option_reasons(
    path: str, options: Mapping[str, Any], strategy: Strategy, psycopg: int, statements: int
) -> Iterator[str]:
    """Why an option of the connection cannot be."""
    shared = strategy.lends in ("transaction", "statement")
    for key, instead in OPTIONS_ELSEWHERE.items():
        if key in options:
            yield f"{path}.{key}: say it with {instead}"
    for key in ("prepare_threshold", "server_side_binding"):
        if psycopg == 2 and key in options:
            yield f"{path}.{key}: psycopg 3 has it, and django_settings_psycopg is 2; leave it out"
    if options.get("prepare_threshold") is not None and shared:
        if not strategy.prepares:
            yield f"{path}.prepare_threshold: this pooler keeps no prepared statements; leave it out"
        elif not statements:
            yield (
                f"{path}.prepare_threshold: a prepared statement is on one server connection, and the pooler lends another; "
                f"say what PgBouncer has in max_prepared_statements (1.21 and newer, above 0), or leave it out"
            )
    if "options" in options and strategy.lends:
        yield (
            f"{path}.options: the pooler refuses startup parameters or drops them silently; use ALTER ROLE ... SET, "
            f"or SET LOCAL in a transaction"
        )
    if "assume_role" in options and shared:
        yield (
            f"{path}.assume_role: SET ROLE would stay on the server connection and meet its next client; log in as "
            f"the role, or use a strategy without a pooler"
        )
    if "isolation_level" in options and shared and psycopg == 2:
        yield (
            f"{path}.isolation_level: psycopg2 sets it for the session, whose next client would meet it; use psycopg 3, "
            f"which says it with BEGIN, or ALTER ROLE ... SET default_transaction_isolation"
        )


def _other_reasons(path: str, way: str, settings: Mapping[str, Any], strategy: Strategy) -> Iterator[str]:
    if strategy.lends == "statement":
        if settings.get("ATOMIC_REQUESTS"):
            yield f"{path}.ATOMIC_REQUESTS: statement mode refuses every transaction; leave it out"
        if settings.get("autocommit_only") is not True:
            yield (
                f"{path}.strategy: in statement mode PgBouncer refuses transactions, and the ORM starts one in delete(), "
                f"bulk_create(), get_or_create(), the admin and sessions; use pgbouncer_transaction, or promise with "
                f"autocommit_only: true that nothing of this runs on alias '{settings_name(path)}'"
            )
    host, port = str(settings["HOST"]), settings["PORT"]
    if strategy.host_part and strategy.host_part not in host:
        yield f"{path}.HOST: {way}'s pooler has '{strategy.host_part}' in its name, and '{host}' does not"
    if strategy.port and str(port) != str(strategy.port):
        yield f"{path}.PORT: {way}'s pooler lends by transaction on port {strategy.port}, not on {port}"
    if way == "direct":
        for name, other in STRATEGIES.items():
            if other.host_part and other.host_part in host:
                yield f"{path}.HOST: '{host}' is {name}'s pooler; a direct alias needs the host behind it"


def settings_name(path: str) -> str:
    """The alias in the path of a key."""
    return path.removeprefix(f"{VARIABLE}.")


def _pool(path: str, value: Any) -> dict[str, int] | None:
    """The native pool's own settings, empty for its defaults; None for no pool."""
    if value is None or isinstance(value, bool):
        return {} if value else None
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: '{value}' is not true, false or a mapping such as {{max_size: 4}}")
    pool = _numbers(path, value, POOL_KEYS)
    least = pool.get("min_size", POOL_MIN_SIZE)
    most = pool.get("max_size", least)
    if most < max(least, 1):
        raise ValueError(
            f"{path}: max_size {most} is below 1 or min_size {least}, which psycopg_pool refuses; declare both"
        )
    return pool


def _numbers(path: str, value: Any, known: Sequence[str]) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: a mapping is expected, of {', '.join(known)} to numbers")
    _check_keys(path, value, known)
    return {str(key): _integer(f"{path}.{key}", number, 0, DAY) for key, number in value.items()}


def _options(path: str, value: Any) -> dict[str, Any]:
    """Options for psycopg and libpq: plain values only, by plain names."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: a mapping is expected, for instance {{sslmode: verify-full}}")
    result: dict[str, Any] = {}
    for key, given in value.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(key)):
            raise ValueError(f"{path}: '{key}' is no name of an option")
        # of plain types: Ansible's own have a representation of their own
        plain = next((kind for kind in (bool, int, float, str) if isinstance(given, kind)), None)
        if plain is None and given is not None:
            raise ValueError(f"{path}.{key}: text, a number, true, false or null is expected")
        result[str(key)] = None if plain is None else plain(given)
    return result


def _check_keys(path: str, settings: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in settings:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"{path}: unknown key '{key}'; {hint}")


def _text(path: str, value: Any) -> str:
    """Text as given. A database may be called 2024, which YAML reads as a number; a password has to be in quotes."""
    numbers = not path.endswith(".password")
    if isinstance(value, bool) or not isinstance(value, str | int if numbers else str):
        shown = f"'{value}' is not a string" if numbers else "it is not a string; put it in quotes"
        raise ValueError(f"{path}: {shown}")
    text = str(value)
    if "\0" in text:
        raise ValueError(f"{path}: it has a zero byte, which PostgreSQL does not take")
    return text


def _integer(path: str, value: Any, low: int, high: int) -> int:
    try:
        number = None if isinstance(value, bool | float) else int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or not low <= number <= high:
        raise ValueError(f"{path}: '{value}' is not a whole number from {low} to {high}")
    return number


def direct_of(alias: Alias, among: Sequence[Alias]) -> str:
    """Name of the alias that goes past this one's pooler; empty where none is declared."""
    wanted = (alias.replica_of or alias.name) + DIRECT
    return next((other.name for other in among if other.name == wanted and other.direct), "")
