"""The package from a signed repository other than the distribution's, with a pinned version; on one host."""

from __future__ import annotations

from collections.abc import Callable

from conftest import Machine, Run

URI = "http://127.0.0.1:8099"


def test_a_pinned_version_of_another_repository(
    machines: list[Machine], run_playbook: Callable[..., Run]
) -> None:
    """The version that is asked for replaces the one that is there, stays, and serves; nothing else comes from there."""
    machine = machines[1]
    version = machine.run("sh -e /usr/local/lib/pooling-authentication/repository.sh").strip()
    installed = "dpkg-query -W -f '${Version}' pgbouncer"
    assert machine.run(installed) != version
    wanted = {
        "pgbouncer_package_source": "pgdg",
        "pgbouncer_package_version": version[:-1] + "*",
        "pgbouncer_pgdg_uri": URI,
        "pgbouncer_pgdg_suite": "lab",
        "pgbouncer_pgdg_key": f"{URI}/key.asc",
    }
    limit = ("--limit", machine.name)
    run = run_playbook(*limit, **wanted)
    assert run.code == 0, run.output
    assert machine.run(installed) == version
    assert machine.logins([{"user": "plain", "password": "right"}])[0] == ("ok", "plain")
    policy = machine.run("apt-cache policy pgbouncer")
    assert f"Candidate: {version}" in policy
    assert "100 http://127.0.0.1:8099" in machine.run("apt-cache policy")
    again = run_playbook(*limit, **wanted)
    assert again.changed(machine) == 0, again.output
    # a version that is nowhere is refused by apt, and the one that serves stays
    run = run_playbook(*limit, **{**wanted, "pgbouncer_package_version": "7.0*"})
    assert run.code != 0
    assert machine.run(installed) == version
    assert machine.logins([{"user": "plain", "password": "right"}])[0] == ("ok", "plain")
