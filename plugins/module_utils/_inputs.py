# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the inputs of a plan: shapes, ranges and defaults (docs/sizing.md 5).

``read_fleet`` is the only way in. Behind it every value is typed, within its range and exact. Rules that
relate parts of a fleet to each other stand with what they are about: ``_sizing``, ``_demand``, ``_timeouts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._errors import SizingError
from ansible_collections.djangoops.pooling.plugins.module_utils._exact import show, to_fraction

INTERFACES = ("wsgi", "asgi", "celery", "gevent", "script")
POOL_MODES = ("transaction", "session", "statement")

# The keys of each mapping; anything else is an error.
KEYS: dict[str, tuple[str, ...]] = {
    "fleet": (
        "groups",
        "poolers",
        "pools",
        "postgres",
        "targets",
        "timeouts",
        "pool_mode",
        "django",
        "psycopg",
        "other_apps",
        "serverless",
    ),
    "group": (
        "name",
        "host_group",
        "interface",
        "hosts",
        "processes",
        "threads",
        "concurrency",
        "pools",
        "conn_max_age",
        "native_pool",
        "deploy_overlap",
        "burst_factor",
        "rps_per_host",
        "unix_socket",
    ),
    "native_pool": ("min_size", "max_size", "max_lifetime"),
    "pool": ("name", "database", "user", "server", "weight", "min", "nested", "tps", "xact_ms"),
    "poolers": (
        "placement",
        "hosts",
        "serving_hosts",
        "tolerate_hosts_lost",
        "processes",
        "restart_extra",
        "distribution",
        "skew",
        "console_clients",
        "auth_query",
        "auth_dbname",
        "peering",
    ),
    "server": (
        "version",
        "max_connections",
        "superuser_reserved_connections",
        "reserved_connections",
        "cores",
        "vcpus",
        "threads_per_core",
        "spindles",
        "dataset_fits_in_ram",
        "connections_per_core",
        "hold_ratio",
        "usl",
        "target_connections",
        "direct",
        "ram_mib",
        "mib_per_connection",
        "hash_mem_multiplier",
        "disk",
    ),
    "direct": ("name", "connections", "user", "superuser", "reserved", "walsender"),
    "targets": ("alert", "utilisation", "wait_ms", "percentile", "cs2"),
    "timeouts": ("request_timeout", "server_idle_timeout", "client_idle_timeout", "query_wait_timeout"),
}


@dataclass(frozen=True)
class NativePool:
    """Django's ``OPTIONS["pool"]``; ``max_lifetime`` in seconds."""

    min_size: int
    max_size: int
    max_lifetime: int


@dataclass(frozen=True)
class Group:
    """A set of identical processes; ``conn_max_age`` in seconds, None is Django's "for ever"."""

    name: str
    host_group: str
    interface: str
    hosts: int
    processes: int
    threads: int
    concurrency: int | None
    pools: tuple[str, ...]
    conn_max_age: int | None
    native_pool: NativePool | None
    deploy_overlap: Fraction
    burst_factor: Fraction
    rps_per_host: Fraction | None
    unix_socket: bool


@dataclass(frozen=True)
class Pool:
    """One database and one user on one server; ``tps`` and ``xact_ms`` are both measured or both None."""

    name: str
    database: str
    user: str
    server: str
    weight: Fraction | None
    minimum: int
    nested: int
    tps: Fraction | None
    xact_ms: Fraction | None


@dataclass(frozen=True)
class Poolers:
    """Where PgBouncer runs. ``serving_hosts`` and ``tolerate_hosts_lost`` as declared: None is derived."""

    placement: str
    hosts: int
    serving_hosts: int | None
    tolerate_hosts_lost: int | None
    processes: int
    restart_extra: int
    distribution: str
    skew: Fraction
    console_clients: int
    auth_query: bool
    auth_dbname: bool
    peering: bool


@dataclass(frozen=True)
class Direct:
    """Connections that bypass the poolers."""

    connections: int
    user: str | None
    superuser: bool
    reserved: bool
    walsender: bool


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server; ``max_connections`` None is "compute it"."""

    name: str
    version: int
    max_connections: int | None
    superuser_reserved_connections: int
    reserved_connections: int
    cores: Fraction | None
    spindles: Fraction
    connections_per_core: Fraction
    hold_ratio: Fraction
    usl: tuple[Fraction, Fraction] | None
    target_connections: int | None
    direct: tuple[Direct, ...]
    ram_mib: int | None
    mib_per_connection: Fraction
    hash_mem_multiplier: Fraction


@dataclass(frozen=True)
class Targets:
    """What the plan aims at; ``wait_ms`` in milliseconds, the others are ratios."""

    alert: Fraction
    utilisation: Fraction
    wait_ms: Fraction
    percentile: Fraction
    cs2: Fraction


@dataclass(frozen=True)
class Timeouts:
    """Seconds; None is derived."""

    request_timeout: int
    server_idle_timeout: int | None
    client_idle_timeout: int
    query_wait_timeout: int | None


@dataclass(frozen=True)
class Fleet:
    """All inputs. ``pools`` is in name order, so that nothing depends on the order of declaration."""

    groups: tuple[Group, ...]
    poolers: Poolers
    pools: tuple[Pool, ...]
    servers: Mapping[str, Server]
    targets: Targets
    timeouts: Timeouts
    pool_mode: str
    django: tuple[int, int]
    psycopg: int
    other_apps: bool
    serverless: bool

    def pools_of(self, server: Server) -> list[Pool]:
        """The pools on one server, in name order."""
        return [pool for pool in self.pools if pool.server == server.name]


@dataclass(frozen=True)
class Range:
    """The numbers an input may have; ``str()`` is what the error says is allowed."""

    low: Fraction | int
    high: Fraction | int | None = None
    above: bool = False  # low itself is not allowed
    below: bool = False  # high itself is not allowed
    whole: bool = True

    def __contains__(self, value: Fraction) -> bool:
        if self.whole and value.denominator != 1:
            return False
        if value < self.low or (self.above and value == self.low):
            return False
        return self.high is None or value < self.high or (value == self.high and not self.below)

    def __str__(self) -> str:
        text = f"a {'whole ' if self.whole else ''}number {'>' if self.above else '>='} {show(self.low)}"
        return text if self.high is None else f"{text} and {'<' if self.below else '<='} {show(self.high)}"


COUNT = Range(0)
AT_LEAST_ONE = Range(1)
RATE = Range(0, whole=False)
FACTOR = Range(1, whole=False)
POSITIVE = Range(0, above=True, whole=False)
SHARE = Range(0, 1, above=True, whole=False)
INNER_SHARE = Range(0, 1, above=True, below=True, whole=False)
OVERLAP = Range(1, 4, whole=False)
PER_CORE = Range(1, 4, whole=False)
HOLD_RATIO = Range(1, 20, whole=False)
USL_ALPHA = Range(0, 1, below=True, whole=False)
POSTGRESQL_VERSION = Range(10)
PSYCOPG_VERSION = Range(2, 3)


def out_of_range(path: str, given: Any, allowed: Any) -> SizingError:
    """Return the error for a value that is not allowed where it stands."""
    return SizingError("E_RANGE", f"{path}: given {given!r}, allowed: {allowed}")


class _Section:
    """One mapping of the inputs: reads its values by key and names the path in every error."""

    def __init__(self, raw: Any, path: str, known: Sequence[str]) -> None:
        if raw is None:  # "primary:" with nothing under it
            raw = {}
        if not isinstance(raw, Mapping):
            raise out_of_range(path, raw, "a mapping")
        self.raw = raw
        self.path = path
        for key in raw:
            if key not in known:
                near = get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
                raise out_of_range(self.at(key), raw[key], f"no such key; the nearest known key is {near!r}")

    def at(self, key: Any) -> str:
        return f"{self.path}.{key}" if self.path else str(key)

    def has(self, key: str) -> bool:
        return self.raw.get(key) is not None

    def fraction(self, key: str, default: Fraction | int, allowed: Range) -> Fraction:
        return read_number(self.raw.get(key, default), self.at(key), allowed)

    def fraction_or_none(self, key: str, allowed: Range) -> Fraction | None:
        return read_number(self.raw[key], self.at(key), allowed) if self.has(key) else None

    def integer(self, key: str, default: int, allowed: Range) -> int:
        return int(self.fraction(key, default, allowed))

    def integer_or_none(self, key: str, allowed: Range) -> int | None:
        return int(read_number(self.raw[key], self.at(key), allowed)) if self.has(key) else None

    def text(self, key: str, default: str | None = None) -> str:
        value = self.raw.get(key, default)
        if not isinstance(value, str) or not value:
            raise out_of_range(self.at(key), value, "a string that is not empty")
        return str(value)

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        value = self.raw.get(key, default)
        if value not in choices:
            raise out_of_range(self.at(key), value, "one of " + ", ".join(choices))
        return str(value)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.raw.get(key, default)
        if not isinstance(value, bool):
            raise out_of_range(self.at(key), value, "true or false")
        return bool(value)

    def items(self, key: str, default: Sequence[Any] | None = None) -> list[Any]:
        """A list; without a default it must not be empty."""
        value = self.raw.get(key, default)
        is_list = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        if not is_list or (default is None and not value):
            raise out_of_range(
                self.at(key), value, "a list that is not empty" if default is None else "a list"
            )
        return list(value)


def read_number(value: Any, path: str, allowed: Range) -> Fraction:
    """Return ``value`` as an exact number within ``allowed``."""
    number = to_fraction(value)
    if number is None or number not in allowed:
        raise out_of_range(path, value, allowed)
    return number


def read_fleet(inputs: Any) -> Fleet:
    """Check the mapping of docs/sizing.md section 0 and return it typed, with every default filled in.

    Raises SizingError("E_RANGE") for the first value that is missing, unknown or not allowed.
    """
    top = _Section(inputs, "", KEYS["fleet"])
    pools = [_pool(raw, f"pools[{index}]") for index, raw in enumerate(top.items("pools"))]
    _unique([pool.name for pool in pools], "pools")
    pool_names = [pool.name for pool in pools]
    groups = [_group(raw, f"groups[{index}]", pool_names) for index, raw in enumerate(top.items("groups"))]
    _unique([group.name for group in groups], "groups")
    servers = _servers(top.raw.get("postgres"))
    for index, pool in enumerate(pools):
        _known_name(pool.server, servers, f"pools[{index}].server")
    django = top.items("django", [5, 2])
    if len(django) != 2:
        raise out_of_range("django", django, "[major, minor]")
    return Fleet(
        groups=tuple(groups),
        poolers=_poolers(top.raw.get("poolers")),
        pools=tuple(sorted(pools, key=lambda pool: pool.name)),
        servers=servers,
        targets=_targets(top.raw.get("targets")),
        timeouts=_timeouts(top.raw.get("timeouts")),
        pool_mode=top.choice("pool_mode", "transaction", POOL_MODES),
        django=(
            int(read_number(django[0], "django[0]", COUNT)),
            int(read_number(django[1], "django[1]", COUNT)),
        ),
        psycopg=top.integer("psycopg", 3, PSYCOPG_VERSION),
        other_apps=top.flag("other_apps"),
        serverless=top.flag("serverless"),
    )


def _unique(names: Sequence[str], path: str) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise out_of_range(f"{path}[{index}].name", name, "a name that is used once")
        seen.add(name)


def _known_name(name: Any, known: Sequence[str] | Mapping[str, Any], path: str) -> str:
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(str(name), list(known), n=1, cutoff=0.0)[0]
        raise out_of_range(path, name, f"one of {', '.join(known)}; the nearest is {near!r}")
    return str(name)


def _group(raw: Any, path: str, pool_names: Sequence[str]) -> Group:
    section = _Section(raw, path, KEYS["group"])
    name = section.text("name")
    pools = section.items("pools") if "pools" in section.raw else pool_names[:1]
    declared_age = section.raw.get("conn_max_age", 0)
    return Group(
        name=name,
        host_group=section.text("host_group", name),
        interface=section.choice("interface", "wsgi", INTERFACES),
        hosts=section.integer("hosts", 1, COUNT),
        processes=section.integer("processes", 1, AT_LEAST_ONE),
        threads=section.integer("threads", 1, AT_LEAST_ONE),
        concurrency=section.integer_or_none("concurrency", AT_LEAST_ONE),
        pools=tuple(
            _known_name(pool, pool_names, f"{path}.pools[{index}]") for index, pool in enumerate(pools)
        ),
        # None passes here: it is a legal value in Django, refused with its own error (E_AGE_NONE).
        conn_max_age=None if declared_age is None else section.integer("conn_max_age", 0, COUNT),
        native_pool=_native_pool(section.raw.get("native_pool"), f"{path}.native_pool"),
        deploy_overlap=section.fraction("deploy_overlap", Fraction(3, 2), OVERLAP),
        burst_factor=section.fraction("burst_factor", 1, FACTOR),
        rps_per_host=section.fraction_or_none("rps_per_host", RATE),
        unix_socket=section.flag("unix_socket"),
    )


def _native_pool(raw: Any, path: str) -> NativePool | None:
    if raw is None or raw is False:
        return None
    section = _Section({} if raw is True else raw, path, KEYS["native_pool"])
    # psycopg_pool: min_size is 4, max_size is min_size where it is not given, and never below it.
    min_size = section.integer("min_size", 4, COUNT)
    max_size = max(min_size, section.integer_or_none("max_size", AT_LEAST_ONE) or min_size)
    if max_size < 1:
        raise out_of_range(f"{path}.max_size", None, f"{AT_LEAST_ONE} where min_size is 0")
    return NativePool(min_size, max_size, section.integer("max_lifetime", 3600, AT_LEAST_ONE))


def _pool(raw: Any, path: str) -> Pool:
    section = _Section(raw, path, KEYS["pool"])
    name = section.text("name")
    if section.has("tps") != section.has("xact_ms"):
        missing = "xact_ms" if section.has("tps") else "tps"
        raise out_of_range(section.at(missing), None, f"{RATE}: tps and xact_ms belong together")
    return Pool(
        name=name,
        database=section.text("database", name),
        user=section.text("user", "app"),
        server=section.text("server", "primary"),
        weight=section.fraction_or_none("weight", RATE),
        minimum=section.integer("min", 1, AT_LEAST_ONE),
        nested=section.integer("nested", 1, AT_LEAST_ONE),
        tps=section.fraction_or_none("tps", RATE),
        xact_ms=section.fraction_or_none("xact_ms", RATE),
    )


def _poolers(raw: Any) -> Poolers:
    section = _Section(raw, "poolers", KEYS["poolers"])
    return Poolers(
        placement=section.choice("placement", "central", ("central", "local")),
        hosts=section.integer("hosts", 1, AT_LEAST_ONE),
        serving_hosts=section.integer_or_none("serving_hosts", AT_LEAST_ONE),
        tolerate_hosts_lost=section.integer_or_none("tolerate_hosts_lost", COUNT),
        processes=section.integer("processes", 1, AT_LEAST_ONE),
        restart_extra=section.integer("restart_extra", 0, COUNT),
        distribution=section.choice("distribution", "failover", ("failover", "balanced")),
        skew=section.fraction("skew", Fraction(5, 4), FACTOR),
        console_clients=section.integer("console_clients", 5, COUNT),
        auth_query=section.flag("auth_query"),
        auth_dbname=section.flag("auth_dbname"),
        peering=section.flag("peering", True),
    )


def _servers(raw: Any) -> dict[str, Server]:
    if raw is None:
        raw = {"primary": {}}
    if not isinstance(raw, Mapping) or not raw:
        raise out_of_range("postgres", raw, "a mapping of server names, not empty")
    return {str(name): _server(raw[name], str(name)) for name in raw}


def _server(raw: Any, name: str) -> Server:
    section = _Section(raw, f"postgres.{name}", KEYS["server"])
    version = section.integer("version", 17, POSTGRESQL_VERSION)
    reserved = section.integer("reserved_connections", 0, COUNT)
    if reserved and version < 16:
        raise out_of_range(
            section.at("reserved_connections"), reserved, f"0 on PostgreSQL {version} (since 16)"
        )
    if section.has("disk"):
        section.text("disk")
    return Server(
        name=name,
        version=version,
        max_connections=section.integer_or_none("max_connections", AT_LEAST_ONE),
        superuser_reserved_connections=section.integer("superuser_reserved_connections", 3, COUNT),
        reserved_connections=reserved,
        cores=_cores(section),
        spindles=section.fraction("spindles", 0 if section.flag("dataset_fits_in_ram") else 1, RATE),
        connections_per_core=section.fraction("connections_per_core", 2, PER_CORE),
        hold_ratio=section.fraction("hold_ratio", 1, HOLD_RATIO),
        usl=_usl(section) if section.has("usl") else None,
        target_connections=section.integer_or_none("target_connections", AT_LEAST_ONE),
        direct=tuple(
            _direct(entry, f"{section.path}.direct[{index}]")
            for index, entry in enumerate(section.items("direct", []))
        ),
        ram_mib=section.integer_or_none("ram_mib", AT_LEAST_ONE),
        mib_per_connection=section.fraction("mib_per_connection", 10, POSITIVE),
        hash_mem_multiplier=section.fraction("hash_mem_multiplier", 2 if version >= 15 else 1, FACTOR),
    )


def _cores(section: _Section) -> Fraction | None:
    """Physical cores: the wiki formula does not count hyper-threads, clouds quote them."""
    vcpus = section.fraction_or_none("vcpus", POSITIVE)
    threads_per_core = section.fraction("threads_per_core", 2, POSITIVE)
    declared = section.fraction_or_none("cores", POSITIVE)
    if declared is not None or vcpus is None:
        return declared
    return vcpus / threads_per_core


def _usl(section: _Section) -> tuple[Fraction, Fraction]:
    pair = section.items("usl")
    if len(pair) != 2:
        raise out_of_range(section.at("usl"), pair, "[alpha, beta]")
    alpha = read_number(pair[0], section.at("usl[0]"), USL_ALPHA)
    return alpha, read_number(pair[1], section.at("usl[1]"), POSITIVE)


def _direct(raw: Any, path: str) -> Direct:
    section = _Section(raw, path, KEYS["direct"])
    if section.has("name"):
        section.text("name")
    return Direct(
        connections=section.integer("connections", 1, COUNT),
        user=section.text("user") if section.has("user") else None,
        superuser=section.flag("superuser"),
        reserved=section.flag("reserved"),
        walsender=section.flag("walsender"),
    )


def _targets(raw: Any) -> Targets:
    section = _Section(raw, "targets", KEYS["targets"])
    return Targets(
        alert=section.fraction("alert", Fraction(4, 5), SHARE),
        utilisation=section.fraction("utilisation", Fraction(4, 5), SHARE),
        wait_ms=section.fraction("wait_ms", 10, RATE),
        percentile=section.fraction("percentile", Fraction(95, 100), INNER_SHARE),
        cs2=section.fraction("cs2", 1, RATE),
    )


def _timeouts(raw: Any) -> Timeouts:
    section = _Section(raw, "timeouts", KEYS["timeouts"])
    return Timeouts(
        request_timeout=section.integer("request_timeout", 30, AT_LEAST_ONE),
        server_idle_timeout=section.integer_or_none("server_idle_timeout", COUNT),
        client_idle_timeout=section.integer("client_idle_timeout", 0, COUNT),
        query_wait_timeout=section.integer_or_none("query_wait_timeout", COUNT),
    )
