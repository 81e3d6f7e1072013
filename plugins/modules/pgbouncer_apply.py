#!/usr/bin/python
# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module pgbouncer_apply."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pgbouncer_apply
short_description: Change all files of a PgBouncer at once, checked before and proven after
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - A task list cannot promise that a change takes effect as a whole or not at all when the run is killed or the new
    configuration turns out not to work. This module can, and the role P(djangoops.pooling.pgbouncer#role) is its user.
  - It compares the wanted files with those in use, and the running processes with the wanted configuration. When something
    differs, it writes the files into a private directory, lets the installed binary check them as a whole there, keeps
    the files in use, replaces each atomically, restarts a process when a reload would not be enough or reloads it
    otherwise, and proves by the console and the journal that the process runs with what was written.
  - When the proof fails, the files from before come back and are applied, and the module fails. When a run is killed in
    the middle, the next one starts from the last proven files, which are kept in O(journal) until then.
options:
  files:
    description: Every file the configuration consists of.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file stands.
        type: str
        required: true
      content:
        description: What stands in it.
        type: str
        required: true
      mode:
        description: Permissions, as octal text.
        type: str
        default: "0644"
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      secret:
        description: Whether the content must never be shown or logged.
        type: bool
        default: false
  owned:
    description: Patterns of paths. What matches and is in none of the lists is removed.
    type: list
    elements: str
    default: []
  processes:
    description: The processes that must run with these files, in the order in which they are changed.
    type: list
    elements: dict
    required: true
    suboptions:
      service:
        description: The unit.
        type: str
        required: true
      config:
        description: The file the process is started with, one of the wanted ones.
        type: str
        required: true
      socket_dir:
        description: Directory of the unix socket on which its console answers.
        type: str
        required: true
  binary:
    description: The installed PgBouncer.
    type: str
    default: /usr/sbin/pgbouncer
  user:
    description: The operating system user PgBouncer runs as.
    type: str
    default: postgres
  journal:
    description: Where the files from before are kept until the new ones are proven. Readable by root alone.
    type: str
    default: /var/lib/djangoops-pooling/pgbouncer.json
attributes:
  check_mode:
    support: full
    description: The candidate is checked by the installed binary, and what would be done is returned.
  diff_mode:
    support: full
    description: Of secret files only that they change.
"""

EXAMPLES = r"""
- name: Apply a configuration of two files
  djangoops.pooling.pgbouncer_apply:
    files:
      - path: /etc/pgbouncer/pgbouncer.ini
        content: "{{ lookup('ansible.builtin.template', 'pgbouncer.ini.j2') }}"
        group: postgres
        mode: "0640"
      - path: /etc/pgbouncer/userlist.txt
        content: "{{ lookup('ansible.builtin.template', 'userlist.txt.j2') }}"
        group: postgres
        mode: "0640"
        secret: true
    processes:
      - service: pgbouncer.service
        config: /etc/pgbouncer/pgbouncer.ini
        socket_dir: /var/run/postgresql
"""

RETURN = r"""
actions:
  description: What was done to the processes, or would be in check mode, a sentence each; empty when nothing was.
  returned: success
  type: list
  elements: str
  sample: ["reloaded pgbouncer.service, because its files are newer than what it has read"]
"""

import grp
import os
import pwd
import shutil
import tempfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.djangoops.pooling.plugins.module_utils import _pgbouncer_process as process
from ansible_collections.djangoops.pooling.plugins.module_utils import _pgbouncer_tls as tls
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_parse import (
    connect_string,
    sections,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._transaction import File, Transaction
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import parse

UNIT_FILES = "/etc/systemd/system/"
PROOF_SECONDS = 10
ENVIRONMENT = {"LC_ALL": "C", "PGCONNECT_TIMEOUT": "5"}


class Failure(Exception):
    """A sentence for the operator."""


class Host:
    """The programs of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.user: str = module.params["user"]

    def run(self, *command: str, check: bool = True) -> str:
        """Output of a program that succeeds."""
        code, out, err = self.module.run_command(list(command), environ_update=ENVIRONMENT, cwd="/")
        if check and code != 0:
            raise Failure(f"{' '.join(command[:3])}: {(err or out).strip()}")
        return str(out)

    def refusal(self, config: str) -> str:
        """Why the installed binary refuses a file; empty when it does not."""
        check = f"{config}.check"
        with open(check, "w", encoding="utf-8") as stream:
            stream.write(f"%include {config}\n{process.CHECK_LINES}")
        _code, out, err = self.module.run_command(
            ["timeout", "10", "runuser", "-u", self.user, "--", self.module.params["binary"], check], cwd="/"
        )
        return process.refusal(out + err)

    def tls_problems(self, settings: dict[str, str]) -> list[str]:
        """What openssl says about the TLS files that the settings name, read as PgBouncer's user."""

        def run(*command: str) -> tuple[int, str]:
            argv = ["timeout", "10", "runuser", "-u", self.user, "--", *command]
            code, out, _err = self.module.run_command(argv, cwd="/")
            return code, out

        return tls.problems(settings, run)

    def units(self, names: list[str]) -> dict[str, dict[str, str]]:
        """State of each unit."""
        wanted = "Id,ActiveState,UnitFileState,ActiveEnterTimestamp,StateChangeTimestamp,NeedDaemonReload"
        return process.units(
            self.run("systemctl", "show", "--timestamp=us+utc", f"--property={wanted}", *names)
        )

    def console(self, directory: str, port: str) -> dict[str, process.Rows]:
        """Answers to the questions of the proof; nothing when no console answers."""
        commands = f";\n\\echo {process.SEPARATOR}\n".join([*process.QUESTIONS, ""])
        psql = [
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--csv",
            f"--host={directory}",
            f"--port={port}",
            "--username=pgbouncer",
        ]
        code, out, _err = self.module.run_command(
            ["timeout", "10", "runuser", "-u", self.user, "--", *psql, "--dbname=pgbouncer", "--file=-"],
            data=commands,
            environ_update=ENVIRONMENT,
            cwd="/",
        )
        return process.answers(out) if code == 0 else {}

    def journal_end(self, unit: str) -> str:
        """Where the journal of a unit ends now."""
        shown = self.run("journalctl", "--quiet", f"--unit={unit}", "--lines=0", "--show-cursor")
        return shown.partition("cursor: ")[2].strip()

    def journal_after(self, unit: str, cursor: str) -> str:
        """What a unit has logged since."""
        self.run("journalctl", "--sync", check=False)
        after = [f"--after-cursor={cursor}"] if cursor else []
        return self.run("journalctl", "--quiet", f"--unit={unit}", "--output=cat", *after)


class Process:
    """One PgBouncer: what it should run with, and what it runs with."""

    def __init__(self, host: Host, declared: dict[str, str], texts: dict[str, str]) -> None:
        self.host = host
        self.unit = declared["service"]
        self.config = declared["config"]
        self.socket_dir = declared["socket_dir"]
        wanted = sections(self.config, texts)
        self.settings = wanted["pgbouncer"]
        self.databases = {name: connect_string(text) for name, text in wanted.get("databases", {}).items()}
        userlist = texts.get(self.settings.get("auth_file", ""), "")
        self.users = list(parse(userlist))
        self.answers: dict[str, process.Rows] = {}

    def look(self, state: dict[str, str], texts: dict[str, str] | None = None) -> None:
        """Ask the console, unless nobody is there: a connection would start a process that somebody stopped.

        ``texts`` are the files by which it runs, when those are not the wanted ones.
        """
        settings = self.settings if texts is None else _settings(self.config, texts)
        directory = settings.get("unix_socket_dir") or self.socket_dir
        port = settings.get("listen_port", self.settings["listen_port"])
        running = state.get("ActiveState") in ("active", "reloading")
        self.answers = self.host.console(directory, port) if running else {}

    def differences(self) -> list[str]:
        """How it differs from what is wanted."""
        return process.differences(self.answers, self.settings, self.databases, self.users)


def _settings(config: str, texts: dict[str, str]) -> dict[str, str]:
    """What a file says that may be anybody's; nothing when it cannot be read."""
    try:
        return sections(config, texts).get("pgbouncer", {})
    except (KeyError, ValueError):
        return {}


class Change:
    """From what is there to what is wanted."""

    def __init__(self, module: AnsibleModule) -> None:
        parameters = module.params
        self.module, self.host = module, Host(module)
        files = [_file(file) for file in parameters["files"]]
        self.transaction = Transaction(parameters["journal"], files, parameters["owned"])
        texts = {file.path: file.content.decode() for file in files}
        self.processes = [Process(self.host, each, texts) for each in parameters["processes"]]
        self.names = [each.unit for each in self.processes]
        self.states: dict[str, dict[str, str]] = {}
        self.actions: list[str] = []
        self.running_before: dict[str, Any] = {}
        self.texts_before: dict[str, str] = {}

    def look(self) -> None:
        """Find out what runs."""
        self.states = self.host.units(self.names)
        live = self.transaction.live.items()
        self.texts_before = {path: file.content.decode("utf-8", "replace") for path, file in live if file}
        for each in self.processes:
            each.look(self.states[each.unit], self.texts_before)
        self.running_before = {each.unit: each.answers.get("SHOW CONFIG") for each in self.processes}

    def reasons(self, each: Process) -> tuple[str, list[str]]:
        """What a process needs, restart, reload or nothing, and why."""
        state = self.states[each.unit]
        unit_time, file_time = self._times(each)
        restart = process.needs_restart(state, each.answers, each.settings, unit_time)
        restart = restart or process.needs_lookup(
            self._users_before(each), each.users, each.settings, each.databases
        )
        if restart:
            return "restarted", restart
        reload = process.needs_reload(state, each.answers, each.settings, each.databases, file_time)
        if self.transaction.unfinished:
            reload.insert(0, "an earlier run was interrupted")
        return ("reloaded", reload) if reload else ("", [])

    def _users_before(self, each: Process) -> set[str]:
        """Users of the userlist that is in use, and of the last proven one when a run was killed."""
        path = each.settings.get("auth_file", "")
        files = [file for file in (self.transaction.live.get(path), self.transaction.proven(path)) if file]
        return {
            name for file in files for name in parse(file.content.decode("utf-8", "replace"), strict=False)
        }

    def _times(self, each: Process) -> tuple[float, float]:
        """When the newest unit file and the newest other file were written: now, for those about to be."""
        changed = set(self.transaction.changed)
        times: dict[bool, list[float]] = {True: [0.0], False: [0.0]}
        for path in self.transaction.paths:
            if path in changed:
                times[path.startswith(UNIT_FILES)].append(time.time())
            elif self.transaction.live[path]:
                times[path.startswith(UNIT_FILES)].append(os.stat(path).st_mtime)
        # files of somebody else's that it reads, such as certificates that certbot renews
        others = [path for name in tls.SETTINGS if (path := each.settings.get(name, ""))]
        times[False] += [os.stat(path).st_mtime for path in others if os.path.exists(path)]
        return max(times[True]), max(times[False])

    def check(self) -> None:
        """Let the installed binary judge the candidate as a whole."""
        directory = tempfile.mkdtemp(prefix="djangoops-pooling-", dir="/run")
        try:
            os.chmod(
                directory, 0o711
            )  # the files have their own modes, so that what PgBouncer cannot read shows
            self.transaction.stage(directory)
            for each in self.processes:
                refused = self.host.refusal(directory + each.config)
                if refused:
                    raise Failure(
                        f"the installed PgBouncer refuses {each.config}: {refused.replace(directory, '')}"
                    )
                staged = {
                    name: directory + value if value in self.transaction.wanted else value
                    for name, value in each.settings.items()
                }
                wrong = self.host.tls_problems(staged)
                if wrong:
                    raise Failure("; ".join(wrong).replace(directory, ""))
        finally:
            shutil.rmtree(directory)

    def apply(self) -> None:
        """Bring each process to what is written, and prove it."""
        if any(state.get("NeedDaemonReload") == "yes" for state in self.states.values()) or any(
            path.startswith(UNIT_FILES) for path in self.transaction.changed
        ):
            self.host.run("systemctl", "daemon-reload")
        for each in self.processes:
            verb, why = self.reasons(each)
            if verb:
                self._bring(each, verb, why)
        disabled = [name for name, state in self.states.items() if state.get("UnitFileState") != "enabled"]
        if disabled:
            self.host.run("systemctl", "enable", *disabled)

    def _bring(self, each: Process, verb: str, why: list[str]) -> None:
        self.actions.append(f"{verb} {each.unit}, because {'; '.join(why)}")
        cursor = self.host.journal_end(each.unit)
        if verb == "restarted":
            self.host.run("systemctl", "reset-failed", each.unit, check=False)
            self.host.run("systemctl", "restart", each.unit)
        else:
            self.host.run("systemctl", "reload", each.unit)
        self._prove(each, verb, cursor)

    def _prove(self, each: Process, verb: str, cursor: str) -> None:
        end = time.monotonic() + PROOF_SECONDS
        while True:
            journal = self.host.journal_after(each.unit, cursor)
            # the signal is asynchronous: before this line nothing has been read
            heard = verb == "restarted" or "got SIGHUP" in journal
            each.look(self.host.units([each.unit])[each.unit])
            wrong = each.differences() if heard else ["it has not begun to reload"]
            if not wrong or time.monotonic() > end:
                break
            time.sleep(0.2)
        wrong += process.reload_errors(self.host.journal_after(each.unit, cursor))
        if wrong:
            raise Failure(f"{each.unit} was {verb}, and then: {'; '.join(wrong)}")

    def roll_back(self) -> str:
        """Put the files from before back and apply them; returns a sentence about how that went."""
        self.transaction.roll_back()
        self.host.run("systemctl", "daemon-reload")
        for each in self.processes:
            restarted = f"restarted {each.unit}" in " ".join(self.actions)
            before = self.running_before[each.unit]
            verb = "restart" if restarted or not before else "reload"
            self.host.run("systemctl", "reset-failed", each.unit, check=False)
            self.host.run("systemctl", verb, each.unit, check=False)
            end = time.monotonic() + PROOF_SECONDS
            while time.monotonic() < end:
                each.look(self.host.units([each.unit])[each.unit], self.texts_before)
                if each.answers.get("SHOW CONFIG") and before in (None, each.answers["SHOW CONFIG"]):
                    break
                time.sleep(0.2)
            else:
                return "The files from before are back, but the process does not run as it did before; see its journal."
        return "The files from before are back and in effect."


def _file(declared: dict[str, Any]) -> File:
    try:
        uid, gid = pwd.getpwnam(declared["owner"]).pw_uid, grp.getgrnam(declared["group"]).gr_gid
    except KeyError as exc:
        raise Failure(f"{declared['path']}: {exc.args[0]}") from None
    mode = int(declared["mode"], 8)
    return File(declared["path"], declared["content"].encode(), mode, uid, gid, declared["secret"])


def apply(module: AnsibleModule) -> dict[str, Any]:
    """Do all of it, and return the result."""
    change = Change(module)
    change.look()
    transaction = change.transaction
    needs = [(each, *change.reasons(each)) for each in change.processes]
    result = {
        "changed": bool(
            transaction.changed or transaction.unfinished or any(verb for _each, verb, _why in needs)
        ),
        "diff": transaction.diff(),
        "actions": [f"{verb} {each.unit}, because {'; '.join(why)}" for each, verb, why in needs if verb],
    }
    if not module.check_mode:
        transaction.tidy()
    if not result["changed"]:
        return result
    try:
        change.check()
    except Failure as failure:
        if module.check_mode or not transaction.unfinished:
            raise
        # what a killed run left half-done does not stay only because this one cannot go on
        raise Failure(f"{failure}. {change.roll_back()}") from None
    if module.check_mode:
        return result
    transaction.swap()
    try:
        change.apply()
    except Failure as failure:
        raise Failure(f"{failure}. {change.roll_back()}") from None
    transaction.finish()
    return {**result, "actions": change.actions}


def main() -> None:
    """What Ansible runs."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": text,
                    "content": text,
                    "mode": {"type": "str", "default": "0644"},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "secret": {"type": "bool", "default": False},
                },
            },
            "owned": {"type": "list", "elements": "str", "default": []},
            "processes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"service": text, "config": text, "socket_dir": text},
            },
            "binary": {"type": "str", "default": "/usr/sbin/pgbouncer"},
            "user": {"type": "str", "default": "postgres"},
            "journal": {"type": "str", "default": "/var/lib/djangoops-pooling/pgbouncer.json"},
        },
        supports_check_mode=True,
        no_log=True,  # the host's log of the invocation, which would have all of it
    )
    module.no_log_values.update(file["content"] for file in module.params["files"] if file["secret"])
    try:
        module.exit_json(**apply(module))
    except Failure as failure:
        module.fail_json(msg=str(failure))


if __name__ == "__main__":
    main()
