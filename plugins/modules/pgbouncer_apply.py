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
    description:
      - The processes that must run with these files, in the order in which they are changed, as
        P(djangoops.pooling.pgbouncer_processes#filter) lays them out. Other instances of its template unit are stopped.
    type: list
    elements: dict
    required: true
    suboptions:
      service:
        description: The unit.
        type: str
        required: true
      socket:
        description: The unit of its sockets.
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
        socket: pgbouncer.socket
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

import contextlib
import fcntl
import glob
import grp
import os
import pwd
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.djangoops.pooling.plugins.module_utils import _pgbouncer_process as process
from ansible_collections.djangoops.pooling.plugins.module_utils import _pgbouncer_processes as processes
from ansible_collections.djangoops.pooling.plugins.module_utils import _pgbouncer_tls as tls
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_parse import (
    connect_string,
    included,
    sections,
)
from ansible_collections.djangoops.pooling.plugins.module_utils._transaction import File, Transaction
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import parse

UNIT_FILES = "/etc/systemd/system/"
PROOF_SECONDS = 10
LOCK = "/run/djangoops-pooling-pgbouncer.lock"
LOCK_SECONDS = 60
ENVIRONMENT = {"LC_ALL": "C", "PGCONNECT_TIMEOUT": "5"}
PROPERTIES = "Id,ActiveState,UnitFileState,ActiveEnterTimestamp,StateChangeTimestamp,NeedDaemonReload"
Texts = dict[str, str]


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

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        """Output of systemctl."""
        return self.run("systemctl", *arguments, check=check)

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

    def units(self, *names: str) -> dict[str, dict[str, str]]:
        """State of each unit."""
        return process.units(self.systemctl("show", "--timestamp=us+utc", f"--property={PROPERTIES}", *names))

    def instances(self) -> set[int]:
        """Numbers of the further processes that run or are to run at boot, wanted or not."""
        listed = self.systemctl("list-units", "--all", "--plain", "--no-legend", "pgbouncer@*")
        enabled = " ".join(glob.glob(f"{UNIT_FILES}*.wants/pgbouncer@*"))
        return {int(number) for number in re.findall(r"pgbouncer@([0-9]+)\.", f"{listed} {enabled}")}

    def console(self, directory: str, port: str) -> dict[str, process.Rows]:
        """Answers to the questions of the proof; nothing when no console answers."""
        commands = f";\n\\echo {process.SEPARATOR}\n".join([*process.QUESTIONS, ""])
        psql = ["psql", "--no-psqlrc", "--quiet", "--csv", f"--host={directory}", f"--port={port}"]
        psql += ["--username=pgbouncer", "--dbname=pgbouncer", "--file=-"]
        code, out, _err = self.module.run_command(
            ["timeout", "10", "runuser", "-u", self.user, "--", *psql],
            data=commands,
            environ_update=ENVIRONMENT,
            cwd="/",
        )
        return process.answers(out) if code == 0 else {}

    def journal_end(self, unit: str) -> str:
        """Where the journal of a unit ends now."""
        shown = self.run("journalctl", "--quiet", f"--unit={unit}", "--lines=0", "--show-cursor", check=False)
        return shown.partition("cursor: ")[2].strip()

    def journal_after(self, unit: str, cursor: str, *options: str) -> str:
        """What a unit has logged since."""
        self.run("journalctl", "--sync", check=False)
        after = [f"--after-cursor={cursor}"] if cursor else []
        return self.run(
            "journalctl", "--quiet", f"--unit={unit}", "--output=cat", *after, *options, check=False
        )


class Process:
    """One PgBouncer: its units, and what its console says."""

    def __init__(self, host: Host, declared: dict[str, str]) -> None:
        self.host = host
        self.unit, self.socket = declared["service"], declared["socket"]
        self.config, self.socket_dir = declared["config"], declared["socket_dir"]
        self.state: dict[str, str] = {}
        self.socket_state: dict[str, str] = {}
        self.answers: dict[str, process.Rows] = {}

    @property
    def running(self) -> bool:
        """Whether systemd has it running."""
        return self.state.get("ActiveState") in ("active", "reloading")

    def look(self, texts: Texts) -> None:
        """Ask systemd and the console of the process that runs by these files.

        Nobody asks the console of one that does not run: a connection would start a process that somebody stopped.
        """
        states = self.host.units(self.unit, self.socket)
        self.state, self.socket_state = states[self.unit], states[self.socket]
        settings = _settings(self.config, texts)
        directory = settings.get("unix_socket_dir") or self.socket_dir
        port = settings.get("listen_port", "6432")
        self.answers = self.host.console(directory, port) if self.running else {}

    def reload(self) -> None:
        """Let it read its files again."""
        self.host.systemctl("reload", self.unit)

    def restart(self, listen_anew: bool) -> None:
        """Restart it. Its sockets stay open meanwhile, unless they are to be others."""
        self.host.systemctl("reset-failed", self.unit, self.socket, check=False)
        if listen_anew:
            self.host.systemctl("stop", self.unit)
            self.host.systemctl("restart", self.socket)
        self.host.systemctl("restart", self.unit)

    def remove(self) -> None:
        """Stop it for good: first no new connection is handed to it, then it finishes what it has."""
        self.host.systemctl("disable", "--quiet", self.socket, self.unit, check=False)
        self.host.systemctl("stop", self.socket, check=False)
        self.host.systemctl("stop", self.unit, check=False)
        self.host.systemctl("reset-failed", self.socket, self.unit, check=False)

    def enable(self) -> None:
        """Let it start at boot."""
        states = self.host.units(self.unit, self.socket)
        missing = [name for name, state in states.items() if state.get("UnitFileState") != "enabled"]
        if missing:
            self.host.systemctl("enable", "--quiet", *missing)


def _settings(config: str, texts: Texts) -> dict[str, str]:
    """What a file says that may be anybody's; nothing when it cannot be read."""
    try:
        return sections(config, texts).get("pgbouncer", {})
    except (KeyError, ValueError):
        return {}


class Wanted:
    """What one process must run with."""

    def __init__(self, config: str, texts: Texts) -> None:
        read = sections(config, texts)
        self.files = included(config, texts)
        self.settings = read["pgbouncer"]
        self.databases = {name: connect_string(text) for name, text in read.get("databases", {}).items()}
        self.peers = list(read.get("peers", {}))
        self.users = list(parse(texts.get(self.settings.get("auth_file", ""), "")))

    def differences(self, answers: dict[str, process.Rows]) -> list[str]:
        """How a process differs from it."""
        return process.differences(answers, self.settings, self.databases, self.users, self.peers)


class Change:
    """From what is there to what is wanted."""

    def __init__(self, module: AnsibleModule) -> None:
        parameters = module.params
        self.host = Host(module)
        files = [_file(file) for file in parameters["files"]]
        self.transaction = Transaction(parameters["journal"], files, parameters["owned"])
        self.texts = {file.path: file.content.decode() for file in files}
        live = self.transaction.live.items()
        self.texts_before = {path: file.content.decode("utf-8", "replace") for path, file in live if file}
        self.processes = [Process(self.host, each) for each in parameters["processes"]]
        self.wanted = {each.unit: Wanted(each.config, self.texts) for each in self.processes}
        names = {each.unit for each in self.processes}
        instances = [processes.process(number, "") for number in sorted(self.host.instances())]
        self.surplus = [
            Process(self.host, processes.as_mapping(each)) for each in instances if each.service not in names
        ]
        for each in self.processes + self.surplus:
            each.look(self.texts_before)
        self.before = {each.unit: each.answers.get("SHOW CONFIG") for each in self.processes + self.surplus}
        self.actions: list[str] = []

    def needs(self, each: Process) -> tuple[str, list[str]]:
        """What a process needs: to listen anew, a restart, a reload, to be enabled or nothing; and why."""
        wanted = self.wanted[each.unit]
        listen = process.needs_listening(each.socket_state, self._written(each.socket))
        restart = process.needs_restart(each.state, each.answers, wanted.settings, self._written(each.unit))
        restart += process.needs_lookup(
            self._users_before(wanted), wanted.users, wanted.settings, wanted.databases
        )
        if listen or restart:
            return "listen" if listen else "restart", listen + restart
        why = process.needs_reload(
            each.state, each.answers, wanted.settings, wanted.databases, self._read(wanted)
        )
        if self.transaction.unfinished:
            why.insert(0, "an earlier run was interrupted")
        if why:
            return "reload", why
        if {each.state.get("UnitFileState"), each.socket_state.get("UnitFileState")} != {"enabled"}:
            return "enable", ["it would not start at boot"]
        return "", []

    def _users_before(self, wanted: Wanted) -> set[str]:
        """Users of the userlist that is in use, and of the last proven one when a run was killed."""
        path = wanted.settings.get("auth_file", "")
        files = [file for file in (self.transaction.live.get(path), self.transaction.proven(path)) if file]
        return {
            name for file in files for name in parse(file.content.decode("utf-8", "replace"), strict=False)
        }

    def _written(self, unit: str) -> float:
        """When the newest file of a unit was written."""
        prefix = _unit_files(unit)
        return self._time(path for path in self.transaction.wanted if path.startswith(prefix))

    def _read(self, wanted: Wanted) -> float:
        """When the newest file that a process reads was written."""
        others = {each.config for each in self.processes} - wanted.files
        own = {path for path in self.transaction.wanted if not path.startswith(UNIT_FILES)} - others
        # somebody else's that it reads, such as certificates that certbot renews
        named = {path for setting in tls.SETTINGS if (path := wanted.settings.get(setting, ""))}
        return self._time(own | {path for path in named if os.path.exists(path)})

    def _time(self, paths: Any) -> float:
        changed = set(self.transaction.changed)
        return max(
            (time.time() if path in changed else os.stat(path).st_mtime for path in paths), default=0.0
        )

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
                settings = self.wanted[each.unit].settings.items()
                staged = {
                    name: directory + value if value in self.transaction.wanted else value
                    for name, value in settings
                }
                wrong = self.host.tls_problems(staged)
                if wrong:
                    raise Failure("; ".join(wrong).replace(directory, ""))
        finally:
            shutil.rmtree(directory)

    def apply(self) -> None:
        """Write the files, bring each process to them, and prove it. What takes connections away comes first."""
        self.transaction.keep()
        for each in self.surplus:
            self.actions.append(f"stop {each.unit}, because it is one too many")
            each.remove()
        self.transaction.swap()
        states = [state for each in self.processes for state in (each.state, each.socket_state)]
        if any(path.startswith(UNIT_FILES) for path in self.transaction.changed) or any(
            state.get("NeedDaemonReload") == "yes" for state in states
        ):
            self.host.systemctl("daemon-reload")
        for each in sorted(self.processes, key=lambda each: not each.running):
            need, why = self.needs(each)
            if not need:
                continue
            self.actions.append(_sentence(need, each, why))
            if need != "enable":
                self._bring(each, need)
            each.enable()

    def _bring(self, each: Process, need: str) -> None:
        cursor = self.host.journal_end(each.unit)
        try:
            if need == "reload":
                each.reload()
            else:
                each.restart(listen_anew=need == "listen")
        except Failure:
            said = self.host.journal_after(each.unit, cursor, "--priority=err").splitlines()
            raise Failure(f"{each.unit} does not {need}: {'; '.join(dict.fromkeys(said))}") from None
        end = time.monotonic() + PROOF_SECONDS
        while True:
            journal = self.host.journal_after(each.unit, cursor)
            # the signal is asynchronous: before this line nothing has been read
            heard = need != "reload" or "got SIGHUP" in journal
            each.look(self.texts)
            wrong = (
                self.wanted[each.unit].differences(each.answers) if heard else ["it has not begun to reload"]
            )
            if not wrong or time.monotonic() > end:
                break
            time.sleep(0.2)
        wrong += process.reload_errors(self.host.journal_after(each.unit, cursor))
        if wrong:
            raise Failure(f"{each.unit} does not run as written: {'; '.join(wrong)}")

    def roll_back(self) -> str:
        """Put the files from before back and apply them; returns a sentence about how that went."""
        known = self.surplus + self.processes
        for each in known:
            if not self.transaction.stood(each.config):
                each.remove()  # while its unit is still there to say how
        self.transaction.roll_back()
        self.host.systemctl("daemon-reload")
        wrong = [each.unit for each in known if os.path.exists(each.config) and not self._restore(each)]
        if wrong:
            return f"The files from before are back, but look at {', '.join(wrong)}: not as it was."
        return "The files from before are back and in effect."

    def _restore(self, each: Process) -> bool:
        """Let a process run by the files from before again, however far it has come."""
        prefix = _unit_files(each.socket)
        with_socket = any(path.startswith(prefix) and os.path.exists(path) for path in self.transaction.paths)
        try:
            each.look(self.texts_before)
            if not with_socket:
                each.remove()
                self.host.systemctl("enable", "--quiet", each.unit)
                self.host.systemctl("start", each.unit)
            else:
                if self.before[each.unit] and each.answers.get("SHOW CONFIG"):
                    each.reload()
                    if self._as_before(each, 2):
                        return True
                anew = any(path.startswith(prefix) for path in self.transaction.changed)
                each.restart(listen_anew=anew or each.socket_state.get("ActiveState") != "active")
                each.enable()
        except Failure:
            return False
        return self._as_before(each, PROOF_SECONDS)

    def _as_before(self, each: Process, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            each.look(self.texts_before)
            shown = each.answers.get("SHOW CONFIG")
            if shown and self.before[each.unit] in (None, shown):
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.2)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One run at a time; the end of one whose controller is gone is waited for."""
    end = time.monotonic() + LOCK_SECONDS
    with open(LOCK, "a+", encoding="ascii") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Failure(f"another run changes this PgBouncer, see the process in {LOCK}") from None
            time.sleep(0.2)
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


def _unit_files(unit: str) -> str:
    """What the paths of a unit's files begin with; instances have those of their template."""
    return UNIT_FILES + re.sub("@.*(?=[.])", "@", unit)


def _sentence(need: str, each: Process, why: list[str]) -> str:
    verb = "restart" if need == "listen" else need
    return f"{verb} {each.unit}, because {'; '.join(why)}"


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
    transaction = change.transaction
    actions = [f"stop {each.unit}, because it is one too many" for each in change.surplus]
    for each in change.processes:
        need, why = change.needs(each)
        actions += [_sentence(need, each, why)] if need else []
    changed = bool(transaction.changed or transaction.unfinished or actions)
    result = {"changed": changed, "diff": transaction.diff(), "actions": actions}
    if not module.check_mode:
        transaction.tidy()
    if not changed:
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
                "options": {"service": text, "socket": text, "config": text, "socket_dir": text},
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
        with _alone():
            result = apply(module)
        module.exit_json(**result)
    except Failure as failure:
        module.fail_json(msg=str(failure))


if __name__ == "__main__":
    main()
