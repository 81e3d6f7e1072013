"""The package from a signed repository other than the distribution's, the newest there or a pinned version."""

from __future__ import annotations

from collections.abc import Callable

from conftest import Machine
from runs import Run
from test_changes import ROTATED

URI = "http://127.0.0.1:8099"
INSTALLED = "dpkg-query -W -f '${Version}' pgbouncer"


def repository(machine: Machine) -> tuple[str, dict[str, object]]:
    """Make the repository on a host; returns the version there, and what makes the role take it."""
    version = machine.run("sh -e /usr/local/lib/pooling-authentication/repository.sh").strip()
    assert machine.run(INSTALLED) != version
    return version, {
        # the server shows what test_changes gave it
        "scenario_changed_tls": ROTATED,
        "pgbouncer_package_source": "pgdg",
        "pgbouncer_pgdg_uri": URI,
        "pgbouncer_pgdg_suite": "lab",
        "pgbouncer_pgdg_key": f"{URI}/key.asc",
    }


def test_the_newest_version_of_another_repository(
    machines: list[Machine], run_playbook: Callable[..., Run]
) -> None:
    """Where the distribution's is too old, that of the repository replaces it, and serves; nothing else comes from there."""
    machine = machines[0]
    version, wanted = repository(machine)
    limit = ("--limit", machine.name)
    run = run_playbook(*limit, **wanted)
    assert run.code == 0, run.output
    assert machine.run(INSTALLED) == version
    assert machine.logins([{"user": "plain", "password": "right"}])[0] == ("ok", "plain")
    assert "100 http://127.0.0.1:8099" in machine.run("apt-cache policy")
    again = run_playbook(*limit, **wanted)
    assert again.changed == {machine.name: 0}, again.output


def test_a_pinned_version_of_another_repository(
    machines: list[Machine], run_playbook: Callable[..., Run]
) -> None:
    """The version that is asked for replaces the one that is there, stays, and serves; nothing else comes from there."""
    machine = machines[1]
    version, wanted = repository(machine)
    wanted["pgbouncer_package_version"] = version[:-1] + "*"
    limit = ("--limit", machine.name)
    run = run_playbook(*limit, **wanted)
    assert run.code == 0, run.output
    assert machine.run(INSTALLED) == version
    assert machine.logins([{"user": "plain", "password": "right"}])[0] == ("ok", "plain")
    policy = machine.run("apt-cache policy pgbouncer")
    assert f"Candidate: {version}" in policy
    assert "100 http://127.0.0.1:8099" in machine.run("apt-cache policy")
    again = run_playbook(*limit, **wanted)
    assert again.changed == {machine.name: 0}, again.output
    # a version that is nowhere is refused by apt, and the one that serves stays
    run = run_playbook(*limit, **{**wanted, "pgbouncer_package_version": "7.0*"})
    assert run.code != 0
    assert machine.run(INSTALLED) == version
    assert machine.logins([{"user": "plain", "password": "right"}])[0] == ("ok", "plain")
