"""A disposable host for a benchmark, and runs of a role on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# as molecule.yml of the scenarios has it
OPTIONS = [
    "--cgroupns=private",
    "--cap-add=SYS_ADMIN",
    "--security-opt=apparmor=unconfined",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp",
]
CONNECTION = {
    "ansible_connection": "community.docker.docker",
    "ansible_python_interpreter": "/usr/bin/python3",
    "ansible_pipelining": True,
}


def docker(*arguments: str, stdin: str | None = None) -> str:
    """Output of docker."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


@contextmanager
def host(name: str, suite: str) -> Iterator[None]:
    """A container of this name with nothing installed, gone afterwards."""
    remove = ["docker", "rm", "--force", name]
    subprocess.run(remove, capture_output=True, check=False)
    try:
        docker("run", "-d", "--name", name, "--hostname", name, *OPTIONS, f"djangoops-pooling-lab:{suite}")
        ready = ["docker", "exec", name, "systemctl", "is-system-running", "--wait"]
        # degraded counts too
        subprocess.run(ready, capture_output=True, check=False)
        yield
    finally:
        subprocess.run(remove, capture_output=True, check=False)


def converge(name: str, role: str, variables: dict[str, Any]) -> tuple[float, int]:
    """Seconds of a whole run of ansible-playbook with a role, and how many tasks changed something."""
    play = {"hosts": "all", "gather_facts": False, "roles": [role], "vars": CONNECTION | variables}
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as playbook:
        playbook.write(json.dumps([play]))
        playbook.flush()
        begin = time.perf_counter()
        done = subprocess.run(
            ["ansible-playbook", "-i", f"{name},", playbook.name], capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - begin
    changed = re.search(r"changed=(\d+)", done.stdout)
    if done.returncode or not changed:
        sys.exit(done.stdout + done.stderr)
    return seconds, int(changed[1])
