"""From a real plan to what the roles write on each kind of host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._emission import (
    entry_names,
    password_variable,
    role_parameters,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._fleet import Inventory, fleet
from ansible_collections.djangoops.pooling.plugins.module_utils._sizing import plan
from fleet_inventory import inventory
from hypothesis import given
from hypothesis import strategies as st

WEB = {"processes": 4, "threads": 2}


def parameters(read: Inventory, host: str) -> dict[str, dict[str, Any]]:
    planned_for, _warnings = fleet(read)
    return role_parameters(plan(planned_for), planned_for, read, host)


def refusal(read: Inventory, host: str) -> str:
    planned_for, _warnings = fleet(read)
    made = plan(planned_for)
    with pytest.raises(ValueError) as caught:
        role_parameters(made, planned_for, read, host)
    return str(caught.value)


def databases(read: Inventory, host: str = "app1") -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = parameters(read, host)["django_settings"]["databases"]
    return result


def addresses(read: Inventory) -> list[str]:
    return [rule["address"] for rule in parameters(read, "db1")["postgresql"]["hba"]]


def test_a_database_host() -> None:
    made = plan(fleet(inventory())[0])["servers"]["primary"]
    result = parameters(inventory(), "db1")
    assert list(result) == ["postgresql", "verify"]
    assert result["postgresql"] == {
        "auth_databases": [],
        "settings": {
            "listen_addresses": "*",
            "password_encryption": "scram-sha-256",
            "max_connections": 100,
            "superuser_reserved_connections": 3,
            "client_connection_check_interval": "2s",
        },
        "users": {"web": {"connection_limit": made["role_connection_limit"]["web"]}},
        "databases": {"app": {"owner": "web"}},
        "hba": [
            {
                "type": "host",
                "databases": ["app"],
                "users": ["web"],
                "address": address,
                "method": "scram-sha-256",
            }
            for address in ("192.0.2.3/32", "192.0.2.1/32", "192.0.2.2/32")
        ],
        "memory_settings": {
            "shared_buffers": f"{made['memory']['shared_buffers_mib']}MB",
            "work_mem": f"{made['memory']['work_mem_kib']}kB",
        },
        "expected_sessions": {"roles": {"web": made["pool_total"] + made["reserve_total"]}, "others": 0},
    }
    assert result["verify"]["postgresql_settings"] == result["postgresql"]["settings"]
    assert result["verify"]["postgresql_connection_limits"] == made["role_connection_limit"]
    assert result["verify"]["pgbouncer_logins"] == []


def test_a_pooler_host() -> None:
    made = plan(fleet(inventory())[0])
    central = made["instances"]["central"]
    sizes = central["pools"]["app"]
    result = parameters(inventory(), "pooler1")
    assert list(result) == ["pgbouncer", "verify"]
    assert result["pgbouncer"] == {
        "auth_query": False,
        "databases": {
            "app": {
                "host": "db1",
                "port": 5432,
                "dbname": "app",
                "pool_size": sizes["pool_size"],
                "min_pool_size": sizes["min_pool_size"],
                "reserve_pool_size": sizes["reserve_pool_size"],
                "max_db_connections": central["max_db_connections"]["app"],
            }
        },
        "settings": {
            "listen_port": 6432,
            "pool_mode": "transaction",
            "max_client_conn": central["max_client_conn"],
            "default_pool_size": central["default_pool_size"],
            "reserve_pool_timeout": central["reserve_pool_timeout"],
            "listen_backlog": central["listen_backlog"],
            "server_idle_timeout": 120,
            "client_idle_timeout": 0,
            "query_wait_timeout": 15,
            "server_lifetime": 3600,
            "auth_type": "scram-sha-256",
        },
        "user_settings": {"web": {"max_user_connections": central["max_user_connections"]["web"]}},
        "limit_nofile": central["limit_nofile"],
        "processes": 1,
        "peering": True,
        "first_peer_id": 1,
        "peers": {},
    }
    assert result["verify"] == {
        "postgresql_settings": {},
        "postgresql_connection_limits": {},
        "pgbouncer_settings": result["pgbouncer"]["settings"],
        "pgbouncer_databases": result["pgbouncer"]["databases"],
        "pgbouncer_processes": 1,
        "pgbouncer_host": "",
        "pgbouncer_logins": [{"database": "app", "user": "web"}],
    }


@pytest.mark.parametrize(
    ("listen_addr", "host"),
    [
        ("*", ""),
        (["*"], ""),
        ("0.0.0.0, ::", ""),
        ("127.0.0.1, ::1", "127.0.0.1"),
        (["10.0.0.5", "127.0.0.1"], "10.0.0.5"),
        ("::", "::1"),
        ("", "/var/run/postgresql"),
    ],
)
def test_the_login_is_tried_where_the_pooler_listens(listen_addr: str | list[str], host: str) -> None:
    read = inventory(pooler1={"pooling_pgbouncer_settings": {"listen_addr": listen_addr}})
    assert parameters(read, "pooler1")["verify"]["pgbouncer_host"] == host


def test_every_process_is_verified() -> None:
    read = inventory(pooler1={"pooling_poolers": {"processes": 2}})
    assert parameters(read, "pooler1")["verify"]["pgbouncer_processes"] == 2


def test_the_socket_stays_where_the_proofs_look() -> None:
    read = inventory(pooler1={"pooling_pgbouncer_settings": {"unix_socket_dir": "/run/pool"}})
    assert "pooler1: pooling_pgbouncer_settings.unix_socket_dir" in refusal(read, "pooler1")


def test_an_app_host() -> None:
    result = parameters(inventory(), "app1")
    assert list(result) == ["django_settings", "verify"]
    login = {"USER": "web", "password_variable": "WEB_DB_PASSWORD"}
    assert result["django_settings"]["databases"] == {
        "default": {
            "strategy": "pgbouncer_transaction",
            "interface": "wsgi",
            "NAME": "app",
            **login,
            "HOST": "pooler1",
            "PORT": 6432,
            "CONN_MAX_AGE": 60,
        },
        "default_direct": {"strategy": "direct", "NAME": "app", **login, "HOST": "db1", "PORT": 5432},
    }
    assert (result["django_settings"]["version"], result["django_settings"]["psycopg"]) == ("", 3)


def django(variables: Any, **shared: Any) -> dict[str, Any]:
    """Parameters of the role for pooling_django."""
    read = inventory(shared=shared, app1={"pooling_services": {"web": WEB}, "pooling_django": variables})
    result: dict[str, Any] = parameters(read, "app1")["django_settings"]
    return result


def test_what_the_inventory_says_of_django() -> None:
    result = django({"version": "5.2", "psycopg": 2, "OPTIONS": {"sslmode": "require"}})
    assert (result["version"], result["psycopg"]) == ("5.2", 2)
    assert [alias["OPTIONS"] for alias in result["databases"].values()] == [{"sslmode": "require"}] * 2


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"password_variable": "WEB_DB_PASSWORD"}),
        ({"passwords": "file", "password_directory": "/run/secrets/"}, {"password_file": "/run/secrets/web"}),
        ({"passwords": "embedded"}, {}),
    ],
)
def test_where_the_passwords_are(variables: dict[str, Any], expected: dict[str, str]) -> None:
    """Embedded ones are put in by the role: the parameters are kept as facts, and hold no secret."""
    for alias in django(variables)["databases"].values():
        assert {key: value for key, value in alias.items() if key.startswith("password")} == expected


def test_a_replica_is_one_for_the_test_runner_too() -> None:
    services = {"web": {**WEB, "databases": {"default": "app", "reads": "app"}}}
    read = inventory(
        app1={"pooling_services": services, "pooling_django": {"replicas": {"reads": "default"}}}
    )
    assert databases(read)["reads"]["replica_of"] == "default"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("5.2", "pooling_django is a mapping"),
        ({"verison": "5.2"}, "pooling_django: unknown key 'verison'; did you mean version?"),
        ({"passwords": "vault"}, "pooling_django.passwords: 'vault' is none of environment, file, embedded"),
        ({"passwords": "file"}, "pooling_django.password_directory: needed with passwords file"),
        ({"password_directory": "/run"}, "pooling_django.password_directory: needed with passwords file"),
        ({"version": "3.2"}, "django_settings_version: '3.2' is not known"),
        ({"psycopg": 1}, "django_settings_psycopg: '1' is not a whole number from 2 to 3"),
        ({"replicas": {"reads": "default"}}, "pooling_django.replicas: there is no alias 'reads'"),
        ({"OPTIONS": {"options": "-c x=y"}}, "django_settings_databases.default.OPTIONS.options: the pooler"),
    ],
)
def test_what_the_inventory_cannot_say_of_django(variables: Any, message: str) -> None:
    read = inventory(app1={"pooling_services": {"web": WEB}, "pooling_django": variables})
    assert refusal(read, "app1").startswith(f"host app1: {message}")


def test_the_pooler_tells_django_what_it_keeps() -> None:
    """Prepared statements need max_prepared_statements there; and clients are not closed before Django does."""
    prepare = {"OPTIONS": {"prepare_threshold": 5}}
    with pytest.raises(
        ValueError, match="prepare_threshold: a prepared statement is on one server connection"
    ):
        django(prepare)
    result = django(
        prepare,
        pooling_pgbouncer_settings={"max_prepared_statements": 100},
        pooling_timeouts={"client_idle_timeout": 300},
    )
    assert result["databases"]["default"]["max_prepared_statements"] == 100
    assert result["databases"]["default"]["client_idle_timeout"] == 300


def test_kept_connections_under_asgi_are_refused() -> None:
    asgi = {"interface": "asgi", "processes": 2, "concurrency": 10}
    assert databases(inventory(app1={"pooling_services": {"web": asgi}}))["default"]["CONN_MAX_AGE"] == 0
    read = inventory(app1={"pooling_services": {"web": {**asgi, "conn_max_age": 60}}})
    assert "CONN_MAX_AGE: 60 would leak connections: with asgi" in refusal(read, "app1")


@pytest.mark.parametrize("order", [("web", "worker"), ("worker", "web")])
def test_an_alias_of_two_services_is_as_short_lived_as_one_of_them(order: tuple[str, str]) -> None:
    two = {
        "web": {"interface": "asgi", "processes": 2, "concurrency": 10},
        "worker": {"interface": "celery", "conn_max_age": 0},
    }
    read = inventory(app1={"pooling_services": {name: two[name] for name in order}})
    assert databases(read)["default"]["interface"] == "asgi"


def test_a_host_of_no_group() -> None:
    result = parameters(inventory(other={}), "other")
    assert list(result) == ["verify"]
    assert not any(result["verify"].values())


def test_a_host_that_is_all_three() -> None:
    """The same as three hosts of one kind each, and PostgreSQL lets the host itself in."""
    alone = inventory(
        {"app": ["solo"], "pooler": ["solo"], "database": ["solo"]},
        solo={"pooling_services": {"web": WEB}, "pooling_postgres": {"cores": 8, "ram_mib": 9000}},
    )
    result = parameters(alone, "solo")
    assert list(result) == ["postgresql", "pgbouncer", "django_settings", "verify"]
    assert [rule["address"] for rule in result["postgresql"]["hba"]] == ["192.0.2.5/32"]
    assert result["pgbouncer"]["databases"]["app"]["host"] == "solo"
    assert result["django_settings"]["databases"]["default"]["HOST"] == "solo"
    assert result["verify"]["postgresql_connection_limits"]
    assert result["verify"]["pgbouncer_databases"] == result["pgbouncer"]["databases"]


def test_addresses_may_be_declared() -> None:
    read = inventory(pooler1={"pooling_address": "192.0.2.99"}, db1={"pooling_address": "2001:db8::7"})
    result = databases(read)
    assert (result["default"]["HOST"], result["default_direct"]["HOST"]) == ("192.0.2.99", "2001:db8::7")
    assert parameters(read, "pooler1")["pgbouncer"]["databases"]["app"]["host"] == "2001:db8::7"


def test_several_poolers_are_tried_in_turn() -> None:
    read = inventory({"pooler": ["pooler1", "pooler2"]}, pooler2={})
    assert databases(read)["default"]["HOST"] == "pooler1,pooler2"
    first, second = (parameters(read, name)["pgbouncer"] for name in ("pooler1", "pooler2"))
    peers = ("first_peer_id", "peers")
    assert {key: value for key, value in first.items() if key not in peers} == {
        key: value for key, value in second.items() if key not in peers
    }


def test_local_placement() -> None:
    """Each app host asks the pooler on itself, and each pooler has the sizes of its own set of services."""
    hosts = ["app1", "app2", "app3"]
    read = inventory(
        {"app": hosts, "pooler": hosts},
        {"pooling_poolers": {"placement": "local"}},
        app3={"pooling_services": {"web": {"processes": 12, "threads": 2}}},
    )
    made = plan(fleet(read)[0])["instances"]
    for host, instance in (("app1", "web"), ("app2", "web"), ("app3", "web@app3")):
        result = parameters(read, host)
        assert result["django_settings"]["databases"]["default"]["HOST"] == "127.0.0.1"
        sizes = made[instance]["pools"]["app"]
        assert result["pgbouncer"]["databases"]["app"]["pool_size"] == sizes["pool_size"]
    assert made["web"]["pools"]["app"]["pool_size"] != made["web@app3"]["pools"]["app"]["pool_size"]


def test_local_placement_has_the_pools_of_the_host_alone() -> None:
    hosts = ["app1", "app2"]
    read = inventory(
        {"app": hosts, "pooler": hosts},
        {"pooling_poolers": {"placement": "local"}, "pooling_pools": [{"name": "app"}, {"name": "jobs"}]},
        app2={"pooling_services": {"worker": {"interface": "celery", "databases": {"default": "jobs"}}}},
    )
    for host, pool in (("app1", "app"), ("app2", "jobs")):
        result = parameters(read, host)
        assert list(result["pgbouncer"]["databases"]) == [pool]
        assert result["verify"]["pgbouncer_logins"] == [{"database": pool, "user": "app"}]


def test_a_pool_that_no_host_uses_is_left_out() -> None:
    """Under local placement it is not in the plan, so its user gets no connections and can own nothing."""
    hosts = ["app1", "app2"]
    pools = [{"name": "app"}, {"name": "jobs", "user": "jobs"}, {"name": "idle", "user": "nobody"}]
    read = inventory(
        {"app": hosts, "pooler": hosts},
        {"pooling_poolers": {"placement": "local"}, "pooling_pools": pools},
        app2={"pooling_services": {"worker": {"interface": "celery", "databases": {"default": "jobs"}}}},
    )
    server = parameters(read, "db1")["postgresql"]
    assert list(server["databases"]) == ["app", "jobs"]
    assert {database["owner"] for database in server["databases"].values()} <= server["users"].keys()


@pytest.mark.parametrize("declared", [None, "scram-sha-256", "md5"])
def test_servers_and_poolers_agree_on_the_proof(declared: str | None) -> None:
    read = inventory(shared={"pooling_auth_type": declared})
    expected = declared or "scram-sha-256"
    assert {rule["method"] for rule in parameters(read, "db1")["postgresql"]["hba"]} == {expected}
    assert parameters(read, "pooler1")["pgbouncer"]["settings"]["auth_type"] == expected


def test_a_proof_that_is_none() -> None:
    message = refusal(inventory(shared={"pooling_auth_type": "trust"}), "pooler1")
    assert message == "host pooler1: pooling_auth_type 'trust' is none of scram-sha-256, md5"


@pytest.mark.parametrize("processes", [2, "2", 4])
def test_processes_and_their_peers_on_all_hosts(processes: Any) -> None:
    """Peer ids are unique over the hosts, and each host knows those of the others."""
    number = int(processes)
    shared = {"pooling_poolers": {"processes": processes}}
    read = inventory({"pooler": ["pooler1", "pooler2"]}, shared=shared, pooler2={})
    made = plan(fleet(read)[0])
    for host, other, first in (("pooler1", "pooler2", 1), ("pooler2", "pooler1", 1 + number)):
        result = parameters(read, host)["pgbouncer"]
        assert result["processes"] == number and result["first_peer_id"] == first
        others = {str(peer): {"host": other, "port": 6432} for peer in range(1, 2 * number + 1)}
        assert result["peers"] == {
            peer: at for peer, at in others.items() if not first <= int(peer) < first + number
        }
        # the sizes are those of one process
        sizes = made["instances"]["central"]["pools"]["app"]
        assert result["databases"]["app"]["pool_size"] == sizes["pool_size"]


def test_a_local_pooler_has_no_peers_elsewhere() -> None:
    hosts = ["app1", "app2"]
    shared = {"pooling_poolers": {"placement": "local", "processes": 2, "peering": False}}
    result = parameters(inventory({"app": hosts, "pooler": hosts}, shared=shared), "app2")["pgbouncer"]
    assert (result["processes"], result["peering"], result["first_peer_id"]) == (2, False, 1)
    assert result["peers"] == {}


@pytest.mark.parametrize("processes", [1, "1", 1.0])
def test_one_process_may_be_said(processes: Any) -> None:
    assert parameters(inventory(shared={"pooling_poolers": {"processes": processes}}), "pooler1")


ASKS = {"pooling_poolers": {"auth_query": True}, "pooling_auth_query": {"user": "asks", "password": "x"}}


def test_auth_query() -> None:
    """Nobody is in the userlist, the server lets in who asks, and there is room for it."""
    plain = parameters(inventory(), "pooler1")["pgbouncer"]["databases"]["app"]["max_db_connections"]
    read = inventory(shared=ASKS)
    pooler = parameters(read, "pooler1")["pgbouncer"]
    assert pooler["user_settings"] == {}
    assert pooler["databases"]["app"]["max_db_connections"] == plain + 1
    assert "auth_dbname" not in pooler["databases"]["app"]
    server = parameters(read, "db1")["postgresql"]
    assert server["auth_databases"] == ["app"]
    assert all(rule["users"] == ["asks", "web"] for rule in server["hba"])
    assert parameters(inventory(), "db1")["postgresql"]["auth_databases"] == []


def test_auth_query_in_one_database() -> None:
    """With auth_dbname, the first database of a server is asked for all of them."""
    pools = [{"name": name, "database": name, "user": name} for name in ("app", "shop")]
    services = {"web": {**WEB, "databases": {"default": "app", "shop": "shop"}}}
    shared = {**ASKS, "pooling_pools": pools, "pooling_services": services}
    plain = parameters(inventory(shared={**shared, "pooling_poolers": {}}), "pooler1")["pgbouncer"][
        "databases"
    ]
    shared["pooling_poolers"] = {"auth_query": True, "auth_dbname": True}
    found = parameters(inventory(shared=shared), "pooler1")["pgbouncer"]["databases"]
    assert [found[name]["auth_dbname"] for name in ("app", "shop")] == ["app", "app"]
    more = [found[name]["max_db_connections"] - plain[name]["max_db_connections"] for name in ("app", "shop")]
    assert more == [1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pooling_auth_query": None},
            "host app1: pooling_poolers.auth_query needs the variable pooling_auth_query",
        ),
        ({"pooling_auth_query": {"user": "asks"}}, "host app1: pooling_poolers.auth_query needs"),
        (
            {"pooling_auth_query": {"user": "web", "password": "x"}},
            "host app1: pooling_auth_query.user 'web' is",
        ),
        ({"pooling_managed": True}, "pooling_poolers.auth_query: nobody may read verifiers"),
    ],
)
def test_auth_query_is_refused(changes: dict[str, Any], message: str) -> None:
    assert refusal(inventory(shared={**ASKS, **changes}), "app1").startswith(message)


def test_session_mode_reaches_the_pooler_and_django() -> None:
    read = inventory(shared={"pooling_pool_mode": "session"})
    assert parameters(read, "pooler1")["pgbouncer"]["settings"]["pool_mode"] == "session"
    assert databases(read)["default"]["strategy"] == "pgbouncer_session"


@pytest.mark.parametrize(
    ("version", "reserved", "present"),
    [
        (13, 0, set()),
        (15, 0, {"client_connection_check_interval"}),
        (17, 5, {"client_connection_check_interval", "reserved_connections"}),
    ],
)
def test_settings_that_older_servers_do_not_have(version: int, reserved: int, present: set[str]) -> None:
    postgres = {"cores": 8, "ram_mib": 9000, "version": version, "reserved_connections": reserved}
    settings = parameters(inventory(db1={"pooling_postgres": postgres}), "db1")["postgresql"]["settings"]
    assert {"client_connection_check_interval", "reserved_connections"} & settings.keys() == present


MATRIX = [
    {"name": "app", "user": "web"},
    {"name": "jobs", "database": "app", "user": "jobs"},
    {"name": "log", "database": "logs", "user": "web"},
]


def test_two_users_on_one_database_have_an_entry_each() -> None:
    both = {
        "pooling_services": {"web": {**WEB, "databases": {"default": "app", "jobs": "jobs", "log": "log"}}}
    }
    read = inventory(shared={"pooling_pools": MATRIX}, app1=both)
    pooler = parameters(read, "pooler1")
    entries = pooler["pgbouncer"]["databases"]
    assert {name: entry["dbname"] for name, entry in entries.items()} == {
        "app": "app",
        "jobs": "app",
        "logs": "logs",
    }
    assert pooler["verify"]["pgbouncer_logins"] == [
        {"database": "app", "user": "web"},
        {"database": "jobs", "user": "jobs"},
        {"database": "logs", "user": "web"},
    ]
    assert {alias: settings["NAME"] for alias, settings in databases(read).items()} == {
        "default": "app",
        "default_direct": "app",
        "jobs": "jobs",
        "jobs_direct": "app",
        "log": "logs",
        "log_direct": "logs",
    }
    server = parameters(read, "db1")["postgresql"]
    assert server["databases"] == {"app": {"owner": "web", "writers": ["jobs"]}, "logs": {"owner": "web"}}
    assert server["hba"][0]["users"] == ["jobs", "web"]
    assert server["hba"][0]["databases"] == ["app", "logs"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")),
        max_size=4,
        unique_by=lambda pair: pair[0],
    )
)
def test_entries_never_share_a_name(pairs: list[tuple[str, str]]) -> None:
    """A second pool under the same entry would silently take the place of the first."""
    names = entry_names([{"name": name, "database": database} for name, database in pairs])
    assert len(set(names.values())) == len(pairs)
    assert all(names[name] in (name, database) for name, database in pairs)


def test_a_replica_has_its_own_pools_and_rules() -> None:
    pools = [{"name": "app"}, {"name": "ro", "database": "app", "user": "report", "server": "replica"}]
    both = {"pooling_services": {"web": {**WEB, "databases": {"default": "app", "replica": "ro"}}}}
    read = inventory(
        {"database": ["db1", "db2"]},
        {"pooling_pools": pools},
        app1=both,
        app2=both,
        db1={"pooling_server": "primary"},
        db2={"pooling_server": "replica", "pooling_postgres": {"cores": 2, "ram_mib": 2048}},
    )
    assert list(parameters(read, "db1")["postgresql"]["users"]) == ["app"]
    assert list(parameters(read, "db2")["postgresql"]["users"]) == ["report"]
    entries = parameters(read, "pooler1")["pgbouncer"]["databases"]
    assert {name: entry["host"] for name, entry in entries.items()} == {"app": "db1", "ro": "db2"}
    assert databases(read)["replica_direct"]["HOST"] == "db2"


def test_a_server_that_no_pool_uses() -> None:
    read = inventory(
        {"database": ["db1", "db2"]}, db1={"pooling_server": "primary"}, db2={"pooling_server": "spare"}
    )
    assert refusal(read, "db2").startswith(
        "host db2: no service uses a pool on its server 'spare'; name it in"
    )
    assert parameters(read, "db1")


def test_two_services_may_declare_an_alias_alike() -> None:
    """And 60 as text is 60: an inventory may say either."""
    two = {"web": {**WEB, "conn_max_age": "60"}, "worker": {"interface": "celery"}}
    assert list(databases(inventory(app1={"pooling_services": two}))) == ["default", "default_direct"]


@pytest.mark.parametrize(
    ("worker", "differing"),
    [
        ({"interface": "script"}, "CONN_MAX_AGE"),
        ({"native_pool": True}, "strategy, CONN_MAX_AGE, pool"),
        ({"databases": {"default": "log"}}, "NAME"),
        ({"databases": {"default": "jobs"}}, "NAME, USER"),
    ],
)
def test_two_services_declare_an_alias_differently(worker: dict[str, Any], differing: str) -> None:
    read = inventory(
        shared={"pooling_pools": MATRIX}, app1={"pooling_services": {"web": WEB, "worker": worker}}
    )
    assert refusal(read, "app1") == (
        f"service worker: alias 'default' means something else already on this host ({differing}); "
        "name it differently in databases, or declare the services alike"
    )


@pytest.mark.parametrize("aliases", [["default", "default_direct"], ["default_direct", "default"]])
def test_an_alias_may_not_take_the_place_of_a_direct_one(aliases: list[str]) -> None:
    service = {**WEB, "databases": dict.fromkeys(aliases, "app")}
    message = refusal(inventory(app1={"pooling_services": {"web": service}}), "app1")
    assert "alias 'default_direct' means something else" in message


def test_the_native_pool_reaches_django() -> None:
    native = {"min_size": 1, "max_size": 4}
    read = inventory(app1={"pooling_services": {"web": {**WEB, "native_pool": native}}})
    result = databases(read)
    assert (result["default"]["CONN_MAX_AGE"], result["default"]["pool"]) == (0, native)
    assert (result["default"]["strategy"], result["default_direct"]["strategy"]) == ("hybrid", "direct")
    session = inventory(
        shared={"pooling_pool_mode": "session"},
        app1={"pooling_services": {"web": {"processes": 2, "native_pool": native}}},
    )
    assert databases(session)["default"]["strategy"] == "hybrid_session"


def test_what_django_would_refuse_is_refused_here() -> None:
    """The formula counts max(min_size, max_size); psycopg_pool raises when Django connects."""
    native = {"native_pool": {"max_size": 2}}
    assert refusal(inventory(app1={"pooling_services": {"web": native}}), "app1").startswith(
        "host app1: django_settings_databases.default.pool: max_size 2 is below 1 or min_size 4"
    )


@pytest.mark.parametrize(
    ("user", "expected"),
    [("web", "WEB_DB_PASSWORD"), ("my-app.2", "MY_APP_2_DB_PASSWORD"), ("käse", "K_SE_DB_PASSWORD")],
)
def test_password_variable(user: str, expected: str) -> None:
    assert password_variable(user) == expected


def test_two_users_with_one_password_variable() -> None:
    pools = [{"name": "app", "user": "a-b"}, {"name": "jobs", "user": "a_b"}]
    assert refusal(inventory(shared={"pooling_pools": pools}), "app1").startswith(
        "pooling_pools: the passwords of users 'a-b' and 'a_b' would both be A_B_DB_PASSWORD"
    )


def test_link_local_addresses_are_left_out() -> None:
    facts = {
        "all_ipv4_addresses": ["192.0.2.50", "169.254.7.7"],
        "all_ipv6_addresses": ["fe80::1", "2001:db8::50"],
    }
    assert addresses(inventory(pooler1={"ansible_facts": facts}))[:2] == ["192.0.2.50/32", "2001:db8::50/128"]


def test_declared_client_addresses_win_over_facts() -> None:
    declared = ["198.51.100.0/24", "2001:db8:1::/48", "198.51.100.7", "198.51.7.9/24", "fe80::/10"]
    read = inventory(pooler1={"pooling_client_addresses": declared})
    assert addresses(read) == [
        "198.51.100.0/24",
        "2001:db8:1::/48",
        "198.51.100.7/32",
        "198.51.7.0/24",
        "fe80::/10",
        "192.0.2.1/32",
        "192.0.2.2/32",
    ]


@pytest.mark.parametrize("facts", [None, {}, {"all_ipv4_addresses": []}, {"all_ipv6_addresses": ["fe80::1"]}])
def test_unknown_addresses(facts: dict[str, Any] | None) -> None:
    read = inventory(app2={"ansible_facts": facts})
    assert refusal(read, "db1").startswith(
        "host app2: its addresses are unknown, so PostgreSQL cannot be told"
    )
    assert parameters(read, "pooler1")


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("192.0.2.10/32", "a list is expected"),
        ({"192.0.2.10": 32}, "a list is expected"),
        (["192.0.2.300"], "'192.0.2.300' does not appear to be"),
        (["web1.example.com"], "'web1.example.com' does not appear to be"),
        ([7], "'7' does not appear to be"),
    ],
)
def test_client_addresses_that_are_none(value: Any, start: str) -> None:
    read = inventory(app2={"pooling_client_addresses": value})
    assert refusal(read, "db1").startswith(f"host app2: pooling_client_addresses: {start}")


def test_own_settings_are_laid_over_the_planned_ones() -> None:
    read = inventory(
        shared={
            "pooling_pgbouncer_settings": {"log_connections": False, "pool_mode": "transaction"},
            "pooling_postgresql_settings": {"listen_addresses": "10.0.0.5", "work_mem": "8MB"},
        }
    )
    assert parameters(read, "pooler1")["pgbouncer"]["settings"]["log_connections"] is False
    settings = parameters(read, "db1")["postgresql"]["settings"]
    assert (settings["listen_addresses"], settings["work_mem"]) == ("10.0.0.5", "8MB")
    assert parameters(read, "db1")["verify"]["postgresql_settings"] == settings


@pytest.mark.parametrize(
    ("host", "variable", "own"),
    [
        ("pooler1", "pooling_pgbouncer_settings", {"listen_port": 7000}),
        ("pooler1", "pooling_pgbouncer_settings", {"pool_mode": "session"}),
        ("db1", "pooling_postgresql_settings", {"max_connections": 5000}),
    ],
)
def test_own_settings_do_not_contradict_the_plan(host: str, variable: str, own: dict[str, Any]) -> None:
    message = refusal(inventory(shared={variable: own}), host)
    assert f"{variable}.{next(iter(own))} is {next(iter(own.values()))}, the plan's is " in message


def test_a_user_belongs_to_one_server() -> None:
    pools = [
        {"name": "here", "user": "app"},
        {"name": "there", "user": "app", "server": "second"},
    ]
    read = inventory(
        {"database": ["db1", "db2"]},
        {"pooling_pools": pools},
        db1={"pooling_server": "primary"},
        db2={"pooling_server": "second"},
    )
    assert refusal(read, "app1").startswith("pooling_pools: user 'app' is on servers 'primary' and 'second'")


def test_a_database_with_a_space_goes_by_its_pools_name() -> None:
    assert entry_names([{"name": "jobs", "database": "app jobs"}, {"name": "app", "database": "app"}]) == {
        "jobs": "jobs",
        "app": "app",
    }


def test_local_pooler_is_asked_over_its_unix_socket_where_the_fleet_says_so() -> None:
    hosts = ["app1", "app2"]
    web = {"web": {"processes": 4, "unix_socket": True}}
    read = inventory({"pooler": hosts}, {"pooling_poolers": {"placement": "local"}, "pooling_services": web})
    assert databases(read)["default"]["HOST"] == "/var/run/postgresql"


def test_addresses_are_needed_for_postgresql_alone() -> None:
    """The playbook plan asks for the pooler's parameters alone, on hosts whose facts nobody has gathered."""
    read = inventory({"pooler": ["db1"]}, {"ansible_facts": None})
    made = plan(fleet(read)[0])
    assert role_parameters(made, fleet(read)[0], read, "db1", roles=["pgbouncer"])["pgbouncer"]["databases"]
    with pytest.raises(ValueError, match="addresses are unknown"):
        role_parameters(made, fleet(read)[0], read, "db1")


def test_expected_sessions_are_those_of_the_plan() -> None:
    """Roles, others and the reserved slots are together what the plan calls the worst case."""
    direct = [
        {"name": "migrate", "connections": 2, "user": "web"},
        {"name": "cron", "connections": 3},
        {"name": "backup", "connections": 5, "superuser": True},
        {"name": "replica", "connections": 9, "walsender": True},
    ]
    read = inventory(db1={"pooling_postgres": {"cores": 8, "max_connections": 100, "direct": direct}})
    planned = plan(fleet(read)[0])["servers"]["primary"]
    expected = parameters(read, "db1")["postgresql"]["expected_sessions"]
    assert expected["roles"] == {"web": planned["pool_total"] + planned["reserve_total"] + 2}
    assert expected["others"] == 3 + (5 - planned["superuser_reserved_connections"])
    total = sum(expected["roles"].values()) + expected["others"] + planned["superuser_reserved_connections"]
    assert total == planned["worst_case"]


def test_the_first_user_of_a_database_owns_it_and_the_others_write() -> None:
    pools = [{"name": "app", "user": "web"}, {"name": "jobs", "database": "app", "user": "jobs"}]
    services = {"web": {**WEB, "databases": {"default": "app", "jobs": "jobs"}}}
    read = inventory(shared={"pooling_pools": pools, "pooling_services": services})
    assert parameters(read, "db1")["postgresql"]["databases"] == {
        "app": {"owner": "web", "writers": ["jobs"]}
    }


def test_a_managed_server() -> None:
    """No rules and no address to listen on; the facts of whoever speaks SQL for it are not those of the server."""
    facts = {"processor_vcpus": 64, "memtotal_mb": 1024, "all_ipv4_addresses": ["192.0.2.9"]}
    db1 = {"pooling_managed": True, "ansible_facts": facts, "pooling_postgres": {"max_connections": 100}}
    read = inventory(db1=db1)
    planned_for, warnings = fleet(read)
    assert planned_for["postgres"]["primary"] == {"max_connections": 100}
    assert len(warnings) == 2
    made = parameters(read, "db1")["postgresql"]
    assert made["hba"] == [] and made["memory_settings"] == {}
    assert not {"listen_addresses", "password_encryption"} & set(made["settings"])
    assert parameters(read, "db1")["verify"]["postgresql_settings"] == {}


PROVIDER = {"host": "pool.example.com", "port": 6543, "user_suffix": ".abc"}


def test_a_provider_that_pools() -> None:
    """Django connects to the provider's pooler, persistent and without server-side cursors; no PgBouncer is planned."""
    read = inventory(
        groups={"pooler": []},
        db1={"pooling_managed": True, "pooling_provider_pooler": PROVIDER, "pooling_address": "db"},
    )
    assert fleet(read)[0]["poolers"] == {"hosts": 1}
    made = databases(read)
    assert {key: made["default"][key] for key in ("HOST", "PORT", "USER", "NAME")} == {
        "HOST": "pool.example.com",
        "PORT": 6543,
        "USER": "web.abc",
        "NAME": "app",
    }
    # which follows from the strategy: persistent, without server-side cursors
    assert (made["default"]["strategy"], made["default"]["CONN_MAX_AGE"]) == ("pgbouncer_transaction", 60)
    assert (made["default_direct"]["HOST"], made["default_direct"]["USER"]) == ("db", "web")
    # one password, whatever the pooler calls the user
    assert {settings["password_variable"] for settings in made.values()} == {"WEB_DB_PASSWORD"}
    assert all("role" not in settings for settings in made.values())
    assert "pgbouncer" not in parameters(read, "db1")


def test_a_provider_with_a_strategy_of_its_own() -> None:
    """Supabase's pooler keeps no prepared statements, which only its strategy knows."""
    read = inventory(
        groups={"pooler": []},
        db1={"pooling_managed": True, "pooling_provider_pooler": {**PROVIDER, "strategy": "supabase"}},
    )
    assert databases(read)["default"]["strategy"] == "supabase"


@pytest.mark.parametrize(
    ("groups", "declared", "message"),
    [
        ({}, PROVIDER, "a second pooler has no use; empty the group 'pooler'"),
        ({"pooler": []}, {"port": 1}, "is a mapping with the host, and port"),
        (
            {"pooler": []},
            {**PROVIDER, "user": "x"},
            "unknown key 'user'; known are host, port, strategy, user_suffix",
        ),
        ({"pooler": []}, None, "no host in group 'pooler'"),
    ],
)
def test_a_provider_that_cannot_pool(groups: dict[str, list[str]], declared: object, message: str) -> None:
    read = inventory(groups=groups, db1={"pooling_provider_pooler": declared})
    with pytest.raises(ValueError, match=message):
        fleet(read)
