#!/usr/bin/env python
"""How long the role pgbouncer takes on a host with nothing installed, against a bare shell script that installs the same
package and writes the same files, and how long a second run takes. Prints seconds, of each round and the best of all.

Run it as lab/setup.sh sets the tools up: . lab/setup.sh && setup_tools && setup_lab trixie && bench/converge.py [SUITE]
The hosts are containers of its own, and gone afterwards.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
NAME = "pooling-bench-converge"
HOST = [
    "--cgroupns=private",
    "--cap-add=SYS_ADMIN",
    "--security-opt=apparmor=unconfined",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp",
]
FILES = (
    "/etc/pgbouncer/pgbouncer.ini",
    "/etc/pgbouncer/userlist.txt",
    "/etc/systemd/system/pgbouncer.service.d/djangoops-pooling.conf",
    "/etc/systemd/system/pgbouncer.socket.d/djangoops-pooling.conf",
)
VARIABLES = {
    "ansible_connection": "community.docker.docker",
    "ansible_python_interpreter": "/usr/bin/python3",
    "pgbouncer_databases": {"app": {"host": "192.0.2.1", "pool_size": 20, "reserve_pool_size": 5}},
    "pgbouncer_settings": {"auth_type": "md5", "max_client_conn": 500, "query_wait_timeout": "15s"},
    "pgbouncer_users": {"app": f"md5{'0' * 32}"},
}
PLAY = [{"hosts": "all", "gather_facts": False, "roles": ["djangoops.pooling.pgbouncer"], "vars": VARIABLES}]
SERVES = (
    "runuser -u postgres -- psql -Xh /run/postgresql -p 6432 -U pgbouncer -d pgbouncer -Atc 'SHOW VERSION'"
)


def docker(*arguments: str, stdin: str | None = None) -> str:
    """Output of docker."""
    return subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, check=True
    ).stdout


def fresh(suite: str) -> None:
    """A host with nothing installed, in place of the one before."""
    subprocess.run(["docker", "rm", "-f", NAME], capture_output=True, check=False)
    docker("run", "-d", "--name", NAME, "--hostname", NAME, *HOST, f"djangoops-pooling-lab:{suite}")
    subprocess.run(
        ["docker", "exec", NAME, "systemctl", "is-system-running", "--wait"], capture_output=True, check=False
    )


def converge(playbook: Path) -> tuple[float, str]:
    """Seconds of a run of the role, and its recap."""
    begin = time.perf_counter()
    done = subprocess.run(
        ["ansible-playbook", "-i", f"{NAME},", str(playbook)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - begin, done.stdout.split("PLAY RECAP")[1]


def script() -> str:
    """What installs the package and writes the files that the role has written on the present host."""
    lines = [
        "set -eu; export DEBIAN_FRONTEND=noninteractive",
        "apt-get update -qq",
        "apt-get install -y -qq pgbouncer postgresql-client >/dev/null",
    ]
    for path in FILES:
        content = docker("exec", NAME, "cat", path)
        mode, group = docker("exec", NAME, "stat", "-c", "%a %G", path).split()
        lines += [
            f"mkdir -p {Path(path).parent}",
            f"printf %s {shlex.quote(content)} >{path}",
            f"chown root:{group} {path}; chmod {mode} {path}",
        ]
    return "\n".join(
        [
            *lines,
            "systemctl daemon-reload; systemctl stop pgbouncer; systemctl enable --now -q pgbouncer.socket",
            "systemctl start pgbouncer; cd /",
            SERVES,
            "",
        ]
    )


def main() -> None:
    suite = sys.argv[1] if len(sys.argv) > 1 else "trixie"
    figures = []
    try:
        with tempfile.TemporaryDirectory() as scratch:
            playbook = Path(scratch, "play.yml")
            playbook.write_text(json.dumps(PLAY), encoding="utf-8")
            for _round in range(ROUNDS):
                fresh(suite)
                first, _recap = converge(playbook)
                second, recap = converge(playbook)
                assert "changed=0" in recap, recap
                written = script()
                fresh(suite)
                begin = time.perf_counter()
                docker("exec", "-i", NAME, "sh", stdin=written)
                bare = time.perf_counter() - begin
                figures.append((first, bare, second))
                print(
                    f"{suite}: role {first:.1f} s, bare script {bare:.1f} s, ratio {first / bare:.2f}; "
                    f"second run {second:.1f} s",
                    flush=True,
                )
    finally:
        subprocess.run(["docker", "rm", "-f", NAME], capture_output=True, check=False)
    # what else the machine does only ever adds
    first, bare, second = (min(column) for column in zip(*figures, strict=True))
    print(
        f"best of {ROUNDS}: role {first:.1f} s, bare script {bare:.1f} s, ratio {first / bare:.2f}; "
        f"second run {second:.1f} s"
    )


if __name__ == "__main__":
    main()
