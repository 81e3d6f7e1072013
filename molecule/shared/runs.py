"""Runs of ansible-playbook on the hosts of a scenario, as an operator starts them: how they ended and what they printed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# the directory has the links to the scenario's variables
INVENTORY = str(Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent)
# Molecule forces colours; what a run prints is read here
ENVIRONMENT = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
SECONDS = 900
REFUSALS = Path(__file__).with_name("refusals.yml")


@dataclass(frozen=True)
class Run:
    """How a run ended, and what it printed."""

    code: int
    output: str

    @property
    def words(self) -> str:
        """The output with line breaks folded, as messages are wrapped."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed something, for each host."""
        return self._recap("changed")

    @property
    def failed(self) -> set[str]:
        """The hosts on which a task failed."""
        return {host for host, count in self._recap("failed").items() if count}

    def _recap(self, word: str) -> dict[str, int]:
        found = re.finditer(rf"^(\S+)\s+: ok=\d+.* {word}=(\d+)", self.output, re.M)
        return {match[1]: int(match[2]) for match in found}


def command(playbook: str | Path, *arguments: str, **variables: Any) -> list[str]:
    """Command line of a run with extra variables."""
    return ["ansible-playbook", "-i", INVENTORY, str(playbook), "-e", json.dumps(variables), *arguments]


def run(
    playbook: str | Path,
    *arguments: str,
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
    **variables: Any,
) -> Run:
    """Run a playbook with options and extra variables; environment is laid over that of the tests."""
    done = subprocess.run(
        command(playbook, *arguments, **variables),
        env=ENVIRONMENT | (environment or {}),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return Run(done.returncode, done.stdout + done.stderr)


def refused(
    role: str,
    cases: dict[str, tuple[dict[str, Any], tuple[str, ...]]],
    otherwise: dict[str, Any],
    hosts: list[str],
    directory: Path,
) -> None:
    """Give a role one bad input after another: each host refuses each of them and says the words.

    otherwise has all variables of all cases, as they are in those that do not name them.
    """
    chosen = {name: f"{{{{ case.value.{name} | default(refusals_otherwise.{name}) }}}}" for name in otherwise}
    done = run(
        REFUSALS,
        refusals_role=role,
        refusals_cases={name: variables for name, (variables, _words) in cases.items()},
        refusals_otherwise=otherwise,
        refusals_directory=str(directory),
        **chosen,
    )
    assert done.code == 0, done.output
    for host in hosts:
        said = json.loads((directory / f"{host}.json").read_text(encoding="utf-8"))
        for name, (_variables, words) in cases.items():
            message = _message(said[name])
            assert [word for word in words if word not in message] == [], f"{host}, {name}: {message}"


def _message(result: dict[str, Any]) -> str:
    messages = (str(each.get("msg", "")) for each in (result, *result.get("results", [])))
    return " ".join(" ".join(messages).split())


def kill(playbook: str | Path, task: str, **variables: Any) -> None:
    """Run a playbook and kill it, with all its children, as soon as a task of the given name begins."""
    process = subprocess.Popen(
        command(playbook, **variables),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("TASK") and task in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert process.returncode == -signal.SIGKILL, f"the run ended before the task {task}"
