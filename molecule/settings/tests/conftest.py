"""The role as an operator runs it, on all hosts at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra
from runs import Run, run
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

HOSTS: list[str] = sorted(AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"]).get_hosts("all"))
SCENARIO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def role() -> Callable[..., Run]:
    """Run the role with options and variables on all hosts; without companions, whose files cost seconds."""

    def start(*arguments: str, playbook: str = "converge.yml", **variables: Any) -> Run:
        return run(SCENARIO / playbook, *arguments, **{"django_settings_companions": False, **variables})

    return start


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
