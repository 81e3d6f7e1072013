#!/usr/bin/env python
"""What 10,000 users cost the role pgbouncer on the controller, on one core. Prints seconds, ratios and memory.

Given verifiers are quoted and written. Passwords are derived once each, when they are new and when they are checked
against the verifiers that are there; compared with the derivation alone, which no program can do without. The whole is
one call of a filter in a template of Ansible, as the role makes it.
"""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

# the checkout as the installed collection, as lab/setup.sh links it
init_plugin_loader([str(Path(__file__).resolve().parents[1] / ".ansible/collections")])
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import parse

USERS = 10_000
ITERATIONS = 4096
TEMPLATE = "{{ users | djangoops.pooling.pgbouncer_userlist(existing) }}"


def seconds(work: Callable[[], object]) -> tuple[float, Any]:
    """Processor time of a piece of work, and its result."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def userlist(users: dict[str, object], existing: str = "") -> str:
    """The file, as Ansible renders it."""
    templar = Templar(loader=DataLoader(), variables={"users": users, "existing": existing})
    return str(templar.template(trust_as_template(TEMPLATE)))


def derivation(passwords: dict[str, str]) -> None:
    """The part of SCRAM that is slow on purpose."""
    for password in passwords.values():
        hashlib.pbkdf2_hmac("sha256", password.encode(), b"sixteen bytes it", ITERATIONS)


def main() -> None:
    passwords = {f"user{number}": f"password {number}" for number in range(USERS)}
    declared: dict[str, object] = {name: {"password": password} for name, password in passwords.items()}
    userlist({"warm": {"password": "up"}})
    bare, _nothing = seconds(lambda: derivation(passwords))
    computing, text = seconds(lambda: userlist(declared))
    checking, again = seconds(lambda: userlist(declared, text))
    stored: dict[str, object] = dict(parse(text))
    writing, _text = seconds(lambda: userlist(stored))
    adding, more = seconds(lambda: userlist({**stored, "new": {"password": "x"}}, text))
    assert again == text
    assert more.startswith(text)
    print(f"{USERS} users, {ITERATIONS} iterations, one core")
    print(f"bare key derivation:         {bare:6.2f} s")
    print(f"computed from passwords:     {computing:6.2f} s, {computing / bare:.2f} times the derivation")
    print(f"checked against passwords:   {checking:6.2f} s, {checking / bare:.2f} times the derivation")
    print(f"verifiers given:             {writing:6.2f} s")
    print(f"one user more:               {adding:6.2f} s")
    print(f"memory:                      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
