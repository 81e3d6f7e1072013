# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a plan to the parameters of the roles, for one host (docs/sizing.md section 14).

Private to this collection. Values only; the roles know nothing of plans and groups.
"""

from __future__ import annotations

import collections
import difflib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._django import aliases
from ansible_collections.djangoops.pooling.plugins.module_utils._django_strategies import DIRECT, INTERFACES
from ansible_collections.djangoops.pooling.plugins.module_utils._exact import to_fraction
from ansible_collections.djangoops.pooling.plugins.module_utils._fleet import (
    Inventory,
    local_instances,
    services,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import texts

# What clients and poolers prove themselves by; md5 takes SCRAM secrets too, for servers that still store md5 hashes.
AUTH_TYPES = ("scram-sha-256", "md5")
LOCALHOST = "127.0.0.1"
SOCKET_DIR = "/var/run/postgresql"
POSTGRESQL_PORT = 5432
PGBOUNCER_PORT = 6432


ROLES = ("postgresql", "pgbouncer", "django_settings")


def role_parameters(
    plan: Mapping[str, Any],
    fleet: Mapping[str, Any],
    inventory: Inventory,
    host: str,
    roles: Sequence[str] = ROLES,
) -> dict[str, dict[str, Any]]:
    """Parameters of these roles for a host, as its groups ask for, and of the role `verify`.

    Raises ValueError for what the formula can plan and the roles cannot do, and for addresses that are not known.
    """
    pools = [
        {"database": pool["name"], "user": "app", "server": "primary", **pool} for pool in fleet["pools"]
    ]
    _check_password_variables({pool["user"] for pool in pools})
    _check_users(pools)
    auth_user = _auth_user(fleet, inventory, host, pools)
    result: dict[str, dict[str, Any]] = {}
    if "postgresql" in roles and host in inventory.hosts(inventory.database):
        name = inventory.server(host)
        if name not in plan["servers"]:
            raise ValueError(
                f"host {host}: no service uses a pool on its server '{name}'; name it in pooling_pools[].server, or "
                f"take the host out of group '{inventory.database}'"
            )
        used = {pool for instance in plan["instances"].values() for pool in instance["pools"]}
        here = [pool for pool in pools if pool["server"] == name and pool["name"] in used]
        result["postgresql"] = _postgresql(
            plan["servers"][name], here, inventory, _auth_type(inventory, host), auth_user
        ) | {
            "auth_databases": sorted({pool["database"] for pool in here}) if auth_user else [],
            "memory_settings": _memory(plan["servers"][name]["memory"]),
            "expected_sessions": _expected_sessions(plan, fleet, name, here),
        }
        if inventory.get(host, "pooling_managed"):
            # who may connect from where is the provider's business
            result["postgresql"]["hba"] = []
            for setting in ("listen_addresses", "password_encryption"):
                del result["postgresql"]["settings"][setting]
        result["postgresql"]["settings"] = _with_own_settings(
            inventory,
            host,
            "pooling_postgresql_settings",
            result["postgresql"]["settings"],
            free=("listen_addresses", "password_encryption"),
        )
    if "pgbouncer" in roles and host in inventory.poolers():
        instance = plan["instances"][
            "central" if "central" in plan["instances"] else local_instances(inventory)[host]
        ]
        result["pgbouncer"] = _pgbouncer(instance, plan["timeouts"], pools, fleet, _servers(inventory))
        result["pgbouncer"] |= _processes(instance, fleet, inventory, host)
        result["pgbouncer"]["settings"]["auth_type"] = _auth_type(inventory, host)
        result["pgbouncer"]["auth_query"] = bool(auth_user)
        if auth_user:
            result["pgbouncer"] |= _looked_up(result["pgbouncer"], pools, fleet)
        result["pgbouncer"]["settings"] = _with_own_settings(
            inventory, host, "pooling_pgbouncer_settings", result["pgbouncer"]["settings"]
        )
        if "unix_socket_dir" in result["pgbouncer"]["settings"]:
            raise ValueError(
                f"host {host}: pooling_pgbouncer_settings.unix_socket_dir: Django and the proofs look in {SOCKET_DIR}; "
                f"leave it out, or use the role pgbouncer in a playbook of your own"
            )
    if "django_settings" in roles and host in inventory.hosts(inventory.app):
        local = "central" not in plan["instances"]
        poolers = [LOCALHOST] if local else [inventory.address(name) for name in inventory.poolers()]
        result["django_settings"] = _django_settings(
            plan["timeouts"], inventory, host, pools, fleet, ",".join(poolers)
        )
    result["verify"] = _verify(result, pools)
    if host in inventory.hosts(inventory.database) and inventory.get(host, "pooling_managed"):
        # the role verify asks as the superuser of its host, and there is none
        result["verify"]["postgresql_settings"] = {}
    return result


def _verify(parameters: Mapping[str, Mapping[str, Any]], pools: list[dict[str, Any]]) -> dict[str, Any]:
    """What the role verify has to find on a host that the other roles have set up with these parameters."""
    postgresql = parameters.get("postgresql", {})
    pgbouncer = parameters.get("pgbouncer", {})
    entries = entry_names(pools)
    return {
        "postgresql_settings": postgresql.get("settings", {}),
        "postgresql_connection_limits": {
            name: user["connection_limit"] for name, user in postgresql.get("users", {}).items()
        },
        "pgbouncer_settings": pgbouncer.get("settings", {}),
        "pgbouncer_databases": pgbouncer.get("databases", {}),
        "pgbouncer_processes": pgbouncer.get("processes", 0),
        "pgbouncer_host": _listens_at(pgbouncer.get("settings", {})),
        "pgbouncer_logins": [
            {"database": entries[pool["name"]], "user": pool["user"]}
            for pool in pools
            if entries[pool["name"]] in pgbouncer.get("databases", {})
        ],
    }


def _listens_at(settings: Mapping[str, Any]) -> str:
    """Where PgBouncer can be reached if not everywhere: an address, the directory of its unix socket, or empty."""
    declared = texts({"listen_addr": settings.get("listen_addr", "*")})["listen_addr"]
    addresses = [part.strip() for part in declared.split(",") if part.strip()]
    if {"*", "0.0.0.0"} & set(addresses):
        return ""
    first = addresses[0] if addresses else SOCKET_DIR
    # the unspecified address of IPv6 takes no IPv4 in
    return "::1" if first == "::" else first


def entry_names(pools: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Pool name -> name of its [databases] entry: the database's own, if no other pool has or is called that one.

    PgBouncer sets pool_size per database or per user, not per pair, so each pool has an entry of its own. A database
    whose name PgBouncer does not read there goes by its pool's name as well.
    """
    wanted = collections.Counter(name for pool in pools for name in {pool["database"], pool["name"]})
    return {
        pool["name"]: pool["database"]
        if wanted[pool["database"]] == 1 and re.fullmatch(r"[A-Za-z0-9_.-]+", pool["database"])
        else pool["name"]
        for pool in pools
    }


def _servers(inventory: Inventory) -> dict[str, str]:
    return {inventory.server(host): inventory.address(host) for host in inventory.hosts(inventory.database)}


def _with_own_settings(
    inventory: Inventory, host: str, variable: str, planned: Mapping[str, Any], free: Sequence[str] = ()
) -> dict[str, Any]:
    """The planned settings with the operator's own; those that the plan stands on are changed in its inputs."""
    own = inventory.get(host, variable) or {}
    if not isinstance(own, Mapping):
        raise ValueError(f"host {host}: {variable} is a mapping of setting to value")
    for key, value in own.items():
        if key in planned and key not in free and value != planned[key]:
            raise ValueError(
                f"host {host}: {variable}.{key} is {value}, the plan's is {planned[key]}; change it where the plan "
                f"takes it from (pooling_pool_mode, pooling_timeouts, pooling_postgres, pooling_pools)"
            )
    return {**planned, **own}


def _check_users(pools: Sequence[Mapping[str, Any]]) -> None:
    """PgBouncer keeps one secret for a user, and each server salts its own: a user belongs to one server."""
    servers: dict[str, str] = {}
    for pool in pools:
        other = servers.setdefault(pool["user"], pool["server"])
        if other != pool["server"]:
            raise ValueError(
                f"pooling_pools: user '{pool['user']}' is on servers '{other}' and '{pool['server']}', whose verifiers "
                f"differ; use a user for each server"
            )


def _auth_user(
    fleet: Mapping[str, Any], inventory: Inventory, host: str, pools: Sequence[Mapping[str, Any]]
) -> str:
    """Whom PgBouncer asks as about the users, empty when it asks nobody and has a userlist of them."""
    if not fleet.get("poolers", {}).get("auth_query"):
        return ""
    declared = inventory.get(host, "pooling_auth_query")
    user = declared.get("user") if isinstance(declared, Mapping) else None
    if not isinstance(user, str) or not user or not isinstance(declared.get("password"), str):
        raise ValueError(
            f"host {host}: pooling_poolers.auth_query needs the variable pooling_auth_query, a mapping with user and "
            f"password, both text, of the role that PgBouncer asks as"
        )
    if user in {pool["user"] for pool in pools}:
        raise ValueError(
            f"host {host}: pooling_auth_query.user '{user}' is the user of a pool too; take a role of its own, which may "
            f"do nothing but ask"
        )
    if any(inventory.get(name, "pooling_managed") for name in inventory.hosts(inventory.database)):
        raise ValueError(
            "pooling_poolers.auth_query: nobody may read verifiers on a managed server (pooling_managed); plan without"
        )
    return user


def _looked_up(
    pgbouncer: Mapping[str, Any], pools: Sequence[Mapping[str, Any]], fleet: Mapping[str, Any]
) -> dict[str, Any]:
    """What a pooler that asks the servers is told otherwise: room for the backend that asks, and no settings by user.

    PgBouncer before 1.23 does not look up a user that has settings of its own.
    """
    names = entry_names(pools)
    databases = {name: dict(entry) for name, entry in pgbouncer["databases"].items()}
    for pool in pools:
        entry = databases.get(names[pool["name"]])
        if entry is None:
            continue
        asked = names[pool["name"]]
        if fleet["poolers"].get("auth_dbname"):
            here = [names[other["name"]] for other in pools if other["server"] == pool["server"]]
            asked = min(name for name in here if name in databases)
            entry["auth_dbname"] = asked
        if asked == names[pool["name"]]:
            entry["max_db_connections"] += 1
    return {"databases": databases, "user_settings": {}}


def _auth_type(inventory: Inventory, host: str) -> str:
    declared = str(inventory.get(host, "pooling_auth_type", AUTH_TYPES[0]))
    if declared not in AUTH_TYPES:
        raise ValueError(f"host {host}: pooling_auth_type '{declared}' is none of {', '.join(AUTH_TYPES)}")
    return declared


def _client_hosts(inventory: Inventory) -> list[str]:
    """Hosts that connect to PostgreSQL: the poolers, and the app hosts for their direct aliases."""
    return list(dict.fromkeys(inventory.poolers() + inventory.hosts(inventory.app)))


def _networks(inventory: Inventory, host: str) -> list[str]:
    """Addresses that a host may connect from, as pg_hba.conf wants them: with a prefix length."""
    declared = inventory.get(host, "pooling_client_addresses")
    facts = inventory.get(host, "ansible_facts") or {}
    if declared is not None and (isinstance(declared, str) or not isinstance(declared, Sequence)):
        raise ValueError(
            f"host {host}: pooling_client_addresses: a list is expected, such as ['192.0.2.10/32']"
        )
    found = declared or [*facts.get("all_ipv4_addresses", []), *facts.get("all_ipv6_addresses", [])]
    try:
        networks = [ipaddress.ip_network(str(address), strict=False) for address in found]
    except ValueError as exc:
        raise ValueError(f"host {host}: pooling_client_addresses: {exc}") from exc
    if not declared:
        networks = [network for network in networks if not network.is_link_local]
    if not networks:
        raise ValueError(
            f"host {host}: its addresses are unknown, so PostgreSQL cannot be told to let it in. Gather facts, or "
            f"declare pooling_client_addresses, a list such as ['192.0.2.10/32']."
        )
    return [str(network) for network in networks]


def _postgresql(
    server: Mapping[str, Any],
    pools: list[dict[str, Any]],
    inventory: Inventory,
    auth_type: str,
    auth_user: str,
) -> dict[str, Any]:
    limits = server["role_connection_limit"]
    settings = {
        "listen_addresses": "*",
        "password_encryption": "scram-sha-256",
        "max_connections": server["max_connections"],
        "superuser_reserved_connections": server["superuser_reserved_connections"],
        # bounds the backends of clients that vanished in mid-query; PostgreSQL 14 and newer
        "client_connection_check_interval": server["client_connection_check_interval"],
        # PostgreSQL 16 and newer
        "reserved_connections": server["reserved_connections"] or None,
    }
    databases = sorted({pool["database"] for pool in pools})
    return {
        "settings": {name: value for name, value in settings.items() if value is not None},
        "users": {user: {"connection_limit": limits[user]} for user in sorted(limits)},
        "databases": {name: _owner_and_writers(name, pools) for name in databases},
        "hba": [
            {
                "type": "host",
                "databases": databases,
                "users": sorted({*limits, *([auth_user] if auth_user else [])}),
                "address": network,
                "method": auth_type,
            }
            for client in _client_hosts(inventory)
            for network in _networks(inventory, client)
        ],
    }


def _owner_and_writers(database: str, pools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first pool's user owns the database and migrates it, the users of its other pools write in it."""
    owner, *others = dict.fromkeys(pool["user"] for pool in pools if pool["database"] == database)
    return {"owner": owner, **({"writers": others} if others else {})}


def _memory(planned: Mapping[str, Any] | None) -> dict[str, str]:
    """What the planned backends mean for the server's memory; empty where the memory is not known."""
    if planned is None:
        return {}
    return {
        "shared_buffers": f"{planned['shared_buffers_mib']}MB",
        "work_mem": f"{planned['work_mem_kib']}kB",
    }


def _expected_sessions(
    plan: Mapping[str, Any], fleet: Mapping[str, Any], server: str, pools: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Sessions at worst by role, as the plan counts them; of the reserved slots only what is beyond them."""
    extra = int(to_fraction(fleet.get("poolers", {}).get("restart_extra", 0)) or 0)
    expected: collections.Counter[str] = collections.Counter()
    for instance in plan["instances"].values():
        hold = instance["hosts"] * instance["processes"] + extra
        for pool in pools:
            sizes = instance["pools"].get(pool["name"], {"pool_size": 0, "reserve_pool_size": 0})
            expected[pool["user"]] += hold * (sizes["pool_size"] + sizes["reserve_pool_size"])
    others = 0
    privileged = {"superuser": 0, "reserved": 0}
    for entry in fleet.get("postgres", {}).get(server, {}).get("direct") or []:
        count = int(entry.get("connections", 1))
        kind = next((key for key in privileged if entry.get(key)), None)
        if entry.get("walsender"):
            continue
        if kind:
            privileged[kind] += count
        elif entry.get("user"):
            expected[str(entry["user"])] += count
        else:
            others += count
    numbers = plan["servers"][server]
    others += max(0, privileged["superuser"] - numbers["superuser_reserved_connections"])
    others += max(0, privileged["reserved"] - numbers["reserved_connections"])
    return {"roles": dict(sorted(expected.items())), "others": others}


def _pgbouncer(
    instance: Mapping[str, Any],
    timeouts: Mapping[str, Any],
    pools: list[dict[str, Any]],
    fleet: Mapping[str, Any],
    servers: Mapping[str, str],
) -> dict[str, Any]:
    names = entry_names(pools)
    databases = {}
    for pool in pools:
        if pool["name"] not in instance["pools"]:
            continue
        sizes = instance["pools"][pool["name"]]
        databases[names[pool["name"]]] = {
            "host": servers[pool["server"]],
            "port": POSTGRESQL_PORT,
            "dbname": pool["database"],
            "pool_size": sizes["pool_size"],
            "min_pool_size": sizes["min_pool_size"],
            "reserve_pool_size": sizes["reserve_pool_size"],
            "max_db_connections": sizes["pool_size"] + sizes["reserve_pool_size"],
        }
    keys = ("server_idle_timeout", "client_idle_timeout", "query_wait_timeout", "server_lifetime")
    return {
        "databases": databases,
        "settings": {
            "listen_port": PGBOUNCER_PORT,
            "pool_mode": fleet.get("pool_mode", "transaction"),
            "max_client_conn": instance["max_client_conn"],
            "default_pool_size": instance["default_pool_size"],
            "reserve_pool_timeout": instance["reserve_pool_timeout"],
            "listen_backlog": instance["listen_backlog"],
            **{key: timeouts[key] for key in keys},
        },
        "user_settings": {
            user: {"max_user_connections": limit} for user, limit in instance["max_user_connections"].items()
        },
        "limit_nofile": instance["limit_nofile"],
    }


def _processes(
    instance: Mapping[str, Any], fleet: Mapping[str, Any], inventory: Inventory, host: str
) -> dict[str, Any]:
    """Processes of a pooler host and their peers. Central poolers may stand behind one address, local ones do not."""
    poolers = fleet.get("poolers", {})
    hosts = [host] if poolers.get("placement") == "local" else list(inventory.hosts(inventory.pooler))
    ids = {name: 1 + number * instance["processes"] for number, name in enumerate(hosts)}
    return {
        "processes": instance["processes"],
        "peering": poolers.get("peering", True),
        "first_peer_id": ids[host],
        "peers": {
            str(first + offset): {"host": inventory.address(name), "port": PGBOUNCER_PORT}
            for name, first in ids.items()
            if name != host
            for offset in range(instance["processes"])
        },
    }


def password_variable(user: str) -> str:
    """Environment variable that carries a database user's password to Django: WEB_DB_PASSWORD for web."""
    return re.sub(r"\W", "_", user, flags=re.ASCII).upper() + "_DB_PASSWORD"


def _check_password_variables(users: set[str]) -> None:
    owners: dict[str, str] = {}
    for user in sorted(users):
        other = owners.setdefault(password_variable(user), user)
        if other != user:
            raise ValueError(
                f"pooling_pools: the passwords of users '{other}' and '{user}' would both be {password_variable(user)} "
                f"in Django's environment; rename one"
            )


# What pooling_django may say, for an app host.
DJANGO_KEYS = ("OPTIONS", "password_directory", "passwords", "psycopg", "replicas", "version")
# Where Django's passwords are -> the key of an alias that says so; the third are put in by the role.
PASSWORDS = {"environment": "password_variable", "file": "password_file", "embedded": ""}
# pool_mode and whether Django has a pool of its own -> strategy
STRATEGY = {
    ("transaction", False): "pgbouncer_transaction",
    ("session", False): "pgbouncer_session",
    ("transaction", True): "hybrid",
    ("session", True): "hybrid_session",
}


def _django_settings(
    timeouts: Mapping[str, Any],
    inventory: Inventory,
    host: str,
    pools: list[dict[str, Any]],
    fleet: Mapping[str, Any],
    pooler: str,
) -> dict[str, Any]:
    """Parameters of the role django_settings; what Django would refuse is refused before any host is touched."""
    django = inventory.get(host, "pooling_django") or {}
    path = f"host {host}: pooling_django"
    if not isinstance(django, Mapping):
        raise ValueError(f"{path} is a mapping, for instance {{version: '5.2', psycopg: 3}}")
    for key in django:
        if key not in DJANGO_KEYS:
            near = difflib.get_close_matches(str(key), DJANGO_KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(DJANGO_KEYS)}"
            raise ValueError(f"{path}: unknown key '{key}'; {hint}")
    passwords = str(django.get("passwords", "environment"))
    if passwords not in PASSWORDS:
        raise ValueError(f"{path}.passwords: '{passwords}' is none of {', '.join(PASSWORDS)}")
    if (passwords == "file") != ("password_directory" in django):
        raise ValueError(f"{path}.password_directory: needed with passwords file, and only there")
    pgbouncer = next(
        (inventory.get(name, "pooling_pgbouncer_settings") for name in inventory.poolers()), None
    )
    common = {
        "OPTIONS": django.get("OPTIONS"),
        "client_idle_timeout": timeouts.get("client_idle_timeout"),
        "max_prepared_statements": (pgbouncer or {}).get("max_prepared_statements"),
    }
    databases = _django(
        services(inventory, host),
        pools,
        fleet,
        pooler,
        inventory,
        {k: v for k, v in common.items() if v},
    )
    for settings in databases.values():
        # the password is the role's, also where a provider's pooler wants the name with a suffix
        user = settings.pop("role", settings["USER"])
        if passwords == "file":
            settings["password_file"] = f"{str(django['password_directory']).rstrip('/')}/{user}"
        elif passwords == "environment":
            settings["password_variable"] = password_variable(user)
    for alias, primary in (django.get("replicas") or {}).items():
        if alias not in databases:
            raise ValueError(
                f"{path}.replicas: there is no alias '{alias}'; there are {', '.join(databases)}"
            )
        databases[alias]["replica_of"] = primary
    result = {
        "databases": databases,
        "version": django.get("version", ""),
        "psycopg": django.get("psycopg", 3),
    }
    try:
        # an embedded password is not known here, and does not matter
        checked = {name: {**settings} for name, settings in databases.items()}
        for settings in checked.values():
            if passwords == "embedded":
                settings["password"] = "x"
        aliases(checked, result["version"], result["psycopg"])
    except ValueError as exc:
        raise ValueError(f"host {host}: {exc}") from exc
    return result


def _django(
    running: Mapping[str, Mapping[str, Any]],
    pools: list[dict[str, Any]],
    fleet: Mapping[str, Any],
    pooler: str,
    inventory: Inventory,
    common: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Django's DATABASES for a host: every alias of its services pooled, and the same once more direct."""
    servers, providers = _servers(inventory), inventory.provider_poolers()
    names = entry_names(pools)
    by_name = {pool["name"]: pool for pool in pools}
    result: dict[str, dict[str, Any]] = {}
    for service_name, service in running.items():
        for alias, pool_name in service["databases"].items():
            pool = by_name[pool_name]
            native = service.get("native_pool") not in (None, False)
            pooled = {
                "strategy": STRATEGY[fleet.get("pool_mode", "transaction"), native],
                "interface": str(service.get("interface", "wsgi")),
                "NAME": names[pool_name],
                "USER": pool["user"],
                "HOST": SOCKET_DIR if pooler == LOCALHOST and service.get("unix_socket") else pooler,
                "PORT": PGBOUNCER_PORT,
                "CONN_MAX_AGE": int(to_fraction(service.get("conn_max_age", 0)) or 0),
                **({"pool": service["native_pool"]} if native else {}),
                **common,
            }
            if provider := providers.get(pool["server"]):
                pooled |= {
                    **({"strategy": provider["strategy"]} if "strategy" in provider else {}),
                    "role": pool["user"],
                    "NAME": pool["database"],
                    "USER": f"{pool['user']}{provider.get('user_suffix', '')}",
                    "HOST": str(provider["host"]),
                    "PORT": provider.get("port", POSTGRESQL_PORT),
                }
            direct = {
                "strategy": "direct",
                "NAME": pool["database"],
                "USER": pool["user"],
                "HOST": servers[pool["server"]],
                "PORT": POSTGRESQL_PORT,
                **({"OPTIONS": common["OPTIONS"]} if "OPTIONS" in common else {}),
            }
            for name, settings in ((alias, pooled), (alias + DIRECT, direct)):
                other = result.setdefault(name, settings)
                if not INTERFACES.get(str(settings.get("interface", "wsgi")), True):
                    other["interface"] = settings["interface"]
                differing = [
                    key
                    for key in dict.fromkeys([*settings, *other])
                    if settings.get(key) != other.get(key) and key != "interface"
                ]
                if differing:
                    raise ValueError(
                        f"service {service_name}: alias '{name}' means something else already on this host "
                        f"({', '.join(differing)}); name it differently in databases, or declare the services alike"
                    )
    return result
