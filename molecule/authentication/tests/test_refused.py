"""What cannot work is refused with the variable and the reason, and nothing changes: neither files nor what runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SUITES, Machine
from runs import Run

# variable -> value on the host that the case is tried on, and what the message has
CASES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    (
        {
            "scenario_changed_tls": {
                "client_tls_cert_file": "expired.crt",
                "client_tls_key_file": "expired.key",
            }
        },
        ("client_tls_cert_file", "has expired"),
    ),
    (
        {"scenario_changed_tls": {"client_tls_key_file": "stranger.key"}},
        ("client_tls",),
    ),
    (
        {"scenario_changed_tls": {"server_tls_ca_file": "broken.crt"}},
        ("server_tls_ca_file", "no certificates"),
    ),
    (
        {"scenario_changed_tls": {"server_tls_key_file": "stranger.key"}},
        ("server_tls_key_file", "does not belong to the certificate"),
    ),
    ({"scenario_changed_tls": {"client_tls_cert_file": "broken.crt"}}, ("client_tls",)),
    (
        {"scenario_changed_tls": {"client_tls_ca_file": "pooler.key"}},
        ("pgbouncer_tls_files.client_tls_ca_file", "PEM text with a certificate"),
    ),
    (
        {"scenario_changed_settings": {"server_tls_ca_file": "/etc/ssl/none.pem"}},
        ("server_tls_ca_file", "/etc/ssl/none.pem has no certificates"),
    ),
    (
        {"scenario_changed_settings": {"query_wait_timeuot": "2s"}},
        ("pgbouncer_settings.query_wait_timeuot", "the nearest one here is query_wait_timeout"),
    ),
    (
        {"scenario_changed_users": {"scram": {"password": "Huflattich", "method": "md5"}}},
        ("pgbouncer_hba", "scram: md5 hashes"),
    ),
    # the tenth is tried on Debian 12
    (
        {
            "scenario_changed_databases": {
                "forced": {"host": "localhost", "dbname": "app", "user": "boss", "password": "Huflattich"}
            }
        },
        ("pgbouncer_databases.forced.password", "before PgBouncer 1.26", "method plain"),
    ),
    (
        {"scenario_more_rules": [{"type": "host", "address": "db.example.com", "method": "trust"}]},
        ("pgbouncer_hba[0]", "db.example.com"),
    ),
    ({"scenario_changed_users": {"boss": "Huflattich"}}, ("pgbouncer_users.boss", "{password: ...}")),
    (
        {"scenario_changed_users": {"boss": {"password": "Huflattich"}}},
        ("pgbouncer_databases.forced.user", "boss has a SCRAM verifier"),
    ),
    (
        {"scenario_changed_users": {"dora": {"password": "Huflattich", "verifier": "md5" + "0" * 32}}},
        ("pgbouncer_users.dora", "verifier does not belong to password"),
    ),
    ({"scenario_changed_users": {"auth_query": "", "x\ny": ""}}, ("pgbouncer_users.x", "line break")),
]


@pytest.mark.parametrize("turn", range(len(CASES) // len(SUITES)))
def test_is_refused_and_nothing_changes(
    turn: int, machines: list[Machine], run_playbook: Callable[..., Run], certificates: Path
) -> None:
    """Each host is told something else, so that three cases are tried in one run."""
    broken = "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n"
    (certificates / "broken.crt").write_text(broken, encoding="utf-8")
    cases = {machine.name: CASES[turn * len(SUITES) + number] for number, machine in enumerate(machines)}
    names = {name for variables, _texts in cases.values() for name in variables}
    nothing = {"scenario_more_rules": "[]"}
    chosen = {
        name: f"{{{{ scenario_cases[inventory_hostname].{name} | default({nothing.get(name, '{}')}) }}}}"
        for name in names
    }
    before = {machine.name: machine.state() for machine in machines}
    given = {name: variables for name, (variables, _texts) in cases.items()}
    run = run_playbook("--diff", scenario_cases=given, **chosen)
    for machine in machines:
        assert f"{machine.name} : ok=" in run.words
        failed = run.words.partition("PLAY RECAP")[2].partition(machine.name)[2]
        assert int(failed.partition("failed=")[2][0]) == 1, run.output
        for text in cases[machine.name][1]:
            assert text in run.words, run.output
    assert "Huflattich" not in run.output
    assert {machine.name: machine.state() for machine in machines} == before
