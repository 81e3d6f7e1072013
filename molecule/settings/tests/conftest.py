"""The role as an operator runs it, on all hosts at once."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

MOLECULE_FILE = os.environ["MOLECULE_INVENTORY_FILE"]
HOSTS: list[str] = sorted(AnsibleRunner(MOLECULE_FILE).get_hosts("all"))
SCENARIO = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Run:
    """How a run of the playbook ended, and what it printed."""

    code: int
    output: str

    @property
    def words(self) -> str:
        """The output with line breaks folded, as messages are wrapped."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> list[int]:
        """How many tasks changed something, for each host."""
        recap = [line for line in self.output.splitlines() if " changed=" in line]
        return [int(line.split("changed=")[1].split()[0]) for line in recap]


@pytest.fixture(scope="session")
def role() -> Callable[..., Run]:
    """Run the role with options and variables on all hosts; without companions, whose files cost seconds."""

    def run(*arguments: str, playbook: str = "converge.yml", **variables: Any) -> Run:
        command = ["ansible-playbook", "-i", str(Path(MOLECULE_FILE).parent), str(SCENARIO / playbook)]
        variables = {"django_settings_companions": False, **variables}
        done = subprocess.run(
            [*command, "-e", json.dumps(variables), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    return run


@pytest.fixture(scope="session")
def everywhere() -> Callable[[str], list[str]]:
    """Run a command of a shell on every host; returns what it printed on each."""

    def run(command: str) -> list[str]:
        results = [_server(name).run(command) for name in HOSTS]
        assert all(result.rc == 0 for result in results), results
        return [str(result.stdout).strip() for result in results]

    return run


def _server(name: str) -> Host:
    return testinfra.get_host(f"docker://{name}")
