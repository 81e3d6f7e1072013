"""Units, files, sockets and peers of the processes of one host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import render
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_parse import sections
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_processes import (
    MAIN_CONFIG,
    layout,
)

SETTINGS: dict[str, Any] = {
    "listen_addr": "*",
    "listen_port": 6432,
    "listen_backlog": 128,
    "unix_socket_dir": "/var/run/postgresql",
    "unix_socket_mode": "0777",
    "logfile": "/var/log/postgresql/pgbouncer.log",
    "pidfile": "/var/run/postgresql/pgbouncer.pid",
}


def laid_out(count: object = 1, settings: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "version": "1.24.1",
        "ipv6": True,
        "peering": True,
        "first_peer_id": 1,
        "other_peers": {},
        **changes,
    }
    return layout({**SETTINGS, **(settings or {})}, count, **arguments)


def test_one_process_has_no_files_and_no_peers_of_its_own() -> None:
    result = laid_out()
    assert result["configs"] == [] and result["peers"] == {}
    assert result["settings"] == {"unix_socket_dir": ""}
    assert [each["service"] for each in result["processes"]] == ["pgbouncer.service"]


@pytest.mark.parametrize("count", [3, "3"])
def test_every_process_has_its_own_names_and_all_the_rest_alike(count: object) -> None:
    result = laid_out(count, first_peer_id=4)
    config = {"peers": result["peers"], "settings": {**SETTINGS, **result["settings"]}}
    texts = {MAIN_CONFIG: render(config, version="1.24.1")}
    texts |= {each["path"]: each["content"] for each in result["configs"]}
    read = [sections(each["config"], texts) for each in result["processes"]]
    own = ("peer_id", "pidfile", "logfile")
    for key in own:
        assert len({each["pgbouncer"][key] for each in read}) == 3
    rest = [{key: value for key, value in each["pgbouncer"].items() if key not in own} for each in read]
    assert rest[0] == rest[1] == rest[2]
    # each is found where its peers look for it
    for each, settings in zip(result["processes"], read, strict=True):
        assert result["peers"][settings["pgbouncer"]["peer_id"]] == {"host": each["socket_dir"], "port": 6432}
    assert len({each[key] for each in result["processes"] for key in ("service", "socket", "config")}) == 9


def test_a_process_keeps_its_names_when_others_come_and_go() -> None:
    assert laid_out(4)["processes"][:2] == laid_out(2)["processes"]
    assert laid_out(4)["configs"][:1] == laid_out(2)["configs"]


@pytest.mark.parametrize(("version", "peering"), [("1.18.0", True), ("1.24.1", False)])
def test_no_peers_where_the_version_has_none_or_nobody_wants_them(version: str, peering: bool) -> None:
    result = laid_out(2, version=version, peering=peering)
    assert result["peers"] == {} and "peer_id" not in result["settings"]
    assert "peer_id" not in result["configs"][0]["content"]


def test_peers_on_other_hosts() -> None:
    other = {"3": {"host": "pooler2", "port": 6432}}
    result = laid_out(1, first_peer_id=2, other_peers=other)
    assert result["peers"] == {"2": {"host": "/run/postgresql", "port": 6432}, **other}
    assert result["settings"]["peer_id"] == 2


@pytest.mark.parametrize(
    ("addresses", "ipv6", "streams"),
    [
        ("*", True, ["0.0.0.0:6432", "[::]:6432"]),
        ("*", False, ["0.0.0.0:6432"]),
        ("localhost", True, ["127.0.0.1:6432", "[::1]:6432"]),
        (["192.0.2.1", "2001:db8::1"], False, ["192.0.2.1:6432", "[2001:db8::1]:6432"]),
        ("", True, []),
    ],
)
def test_what_systemd_listens_on(addresses: object, ipv6: bool, streams: list[str]) -> None:
    assert laid_out(1, {"listen_addr": addresses}, ipv6=ipv6)["socket"]["ListenStream"] == streams


def test_the_rest_of_the_socket_is_as_the_settings_say() -> None:
    changed = {"unix_socket_mode": 0o770, "listen_backlog": 4096, "unix_socket_group": "app"}
    socket = laid_out(1, changed)["socket"]
    assert socket | {"ListenStream": []} == {
        "ListenStream": [],
        "Backlog": "4096",
        "SocketMode": "0770",
        "SocketGroup": "app",
    }


@pytest.mark.parametrize(
    ("count", "settings", "message"),
    [
        (0, {}, "pgbouncer_processes: a whole number from 1 to 64"),
        (65, {}, "pgbouncer_processes: a whole number from 1 to 64"),
        (True, {}, "pgbouncer_processes: a whole number from 1 to 64"),
        ("two", {}, "pgbouncer_processes: a whole number from 1 to 64"),
        (1, {"listen_addr": "db.example.com"}, "'db.example.com' is a name"),
        (1, {"unix_socket_dir": ""}, "pgbouncer_settings.unix_socket_dir: a directory"),
        (1, {"listen_port": 0}, "pgbouncer_settings.listen_port: 0 is not possible"),
    ],
)
def test_what_is_refused(count: object, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        laid_out(count, settings)
