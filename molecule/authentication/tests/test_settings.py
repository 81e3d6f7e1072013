"""The table of settings against the versions that are there: what they know, what they reload, what they accept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from conftest import Machine

# the checkout as the installed collection, as lab/setup.sh links it
sys.path.insert(0, str(Path(os.environ["ANSIBLE_HOME"]) / "collections"))
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import (
    config_differences,
    render,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_keys import (
    DATABASES,
    PEERS,
    PGBOUNCER,
    USERS,
    Key,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_process import CHECK_LINES, refusal
from ansible_collections.djangoops.pooling.plugins.module_utils._versions import is_older

SECTIONS = {"settings": PGBOUNCER, "databases": DATABASES, "users": USERS, "peers": PEERS}
# human values, as an operator writes them
VALUES: dict[str, object] = {
    "bool": True,
    "duration": "5min",
    "int": 5,
    "list": ["a", "b"],
    "mode": "0770",
    "string": "text",
}
UNITS = {"seconds": "1min", "milliseconds": "5s", "bytes": "8kB"}
# what the check itself sets, or what names a file or another thing that has to be there
ELSEWHERE = {
    *("listen_addr", "unix_socket_dir", "pidfile", "logfile", "user", "syslog", "conffile", "resolv_conf"),
    *("auth_file", "auth_hba_file", "auth_ident_file", "unix_socket_group", "syslog_facility"),
    *(name for name in PGBOUNCER if "_tls" in name),
}


def known(keys: dict[str, Key], version: str) -> dict[str, Key]:
    """The keys of a version."""
    return {
        name: key
        for name, key in keys.items()
        if not is_older(version, key.since) and not (key.removed and not is_older(version, key.removed))
    }


def value(key: Key) -> object:
    """A value of the key's type."""
    return key.values[0] if key.values else UNITS.get(key.unit, VALUES[key.type])


def judge(machine: Machine, text: str) -> str:
    """Why the installed binary refuses a file; empty when it does not."""
    machine.run(f"cat >/tmp/check.ini <<'END'\n{text}\n{CHECK_LINES}\nEND")
    result = machine.host.run("cd / && timeout 10 runuser -u postgres -- /usr/sbin/pgbouncer /tmp/check.ini")
    return refusal(result.stdout + result.stderr)


def test_show_config_has_the_keys_of_the_table(machine: Machine) -> None:
    """Not one more and not one less, and the same of them need a restart."""
    rows = {row["key"]: row["changeable"] == "yes" for row in machine.console("SHOW CONFIG")}
    table = {name: key.reloadable for name, key in known(PGBOUNCER, machine.version).items()}
    # the file that is read is changed by nobody
    assert rows | {"conffile": True} == table | {"conffile": True}


def test_every_key_of_the_version_is_accepted(machine: Machine) -> None:
    """One file with all keys of the version in all sections, written as an operator writes values."""
    values = {
        section: {
            name: value(key) for name, key in known(keys, machine.version).items() if name not in ELSEWHERE
        }
        for section, keys in SECTIONS.items()
    }
    if "load_balance_hosts" in values["databases"]:
        values["databases"]["load_balance_hosts"] = "disable"
    config = {
        "settings": {**values["settings"], "auth_type": "scram-sha-256"},
        "databases": {"app": values["databases"]},
        "users": {"web": values["users"]},
    }
    if values["peers"]:
        config["peers"] = {"1": values["peers"]}
    if "reserve_pool" in values["databases"] and "reserve_pool_size" in values["databases"]:
        del values["databases"]["reserve_pool"]
    assert judge(machine, render(config, version=machine.version)) == ""


def test_every_other_key_is_refused_by_the_version(machine: Machine) -> None:
    """What the table says a version does not have, its binary does not have; the role says so before."""
    for section, keys in SECTIONS.items():
        for name, key in keys.items():
            if name in known(keys, machine.version):
                continue
            entry = (
                {name: value(key)}
                if section == "settings"
                else {"x": {name: value(key), **HOST.get(section, {})}}
            )
            if section != "peers" and not key.formerly:
                with pytest.raises(ValueError, match=rf"{name}: .*installed is {machine.version}"):
                    render({section: entry}, version=machine.version)
            line = f"{name} = 1" if section == "settings" else f"x = {name}=1"
            head = f"[{SECTION_NAMES[section]}]\n"
            text = f"{head}{line}\n" + ("" if section == "settings" else "[pgbouncer]")
            assert judge(machine, text), f"{section}.{name}"


HOST = {"peers": {"host": "h"}}
SECTION_NAMES = {"settings": "pgbouncer", "databases": "databases", "users": "users", "peers": "peers"}


def test_human_values_arrive(machine: Machine) -> None:
    """2s and a list of names are what PgBouncer runs with."""
    wanted = {"query_wait_timeout": "2s", "idle_transaction_timeout": 2, "admin_users": ["admin"]}
    assert config_differences(wanted, machine.console("SHOW CONFIG")) == []
