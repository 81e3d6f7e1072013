# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a running PgBouncer needs to become as wanted, and whether it has: from what systemd, console and journal say.

Private to this collection. Texts in, sentences out; nothing here asks a process.
"""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._compare import database_differences
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import (
    config_differences,
    restart_reasons,
)

ACCEPTED = "FATAL nowhere to listen on"
# What the process asks of the console in one go, in this order.
QUESTIONS = ("SHOW CONFIG", "SHOW DATABASES", "SHOW USERS", "SHOW PEERS")
SEPARATOR = "-- next"
# Appended to a candidate file, these leave it nothing to listen on: PgBouncer reads everything, and ends there.
CHECK_LINES = "\n".join(
    [
        *(f"{key} =" for key in ("listen_addr", "unix_socket_dir", "pidfile", "logfile", "user")),
        "syslog = 0",
        "",
    ]
)
# A reload that went wrong says so in its log only (before 1.25 always, later for all but the ini file).
_RELOAD_ERRORS = (
    "config file loading failed",
    "broken auth file",
    "could not open",
    "could not parse hba config line",
    "could not parse ident config line",
    "TLS configuration could not be reloaded",
)

Rows = list[dict[str, str]]


def refusal(output: str) -> str:
    """Why the installed binary does not take a candidate file; empty when it does.

    PgBouncer has no option for a check. The last thing an accepted configuration says is that it has nothing to listen
    on; what it only warns of (an HBA line, the userlist) is refused as well, because it would lock clients out.
    """
    lines = output.strip().splitlines()
    bad = [line for line in lines if re.search(r" (ERROR|WARNING|FATAL) ", line) and ACCEPTED not in line]
    if bad:
        return "; ".join(re.sub(r"^.* (?=(ERROR|WARNING|FATAL) )", "", line) for line in bad)
    return "" if lines and ACCEPTED in lines[-1] else output.strip() or "it said nothing"


def units(text: str) -> dict[str, dict[str, str]]:
    """What ``systemctl show`` printed of several units, by their Id."""
    blocks = (
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")
    )
    return {block["Id"]: block for block in blocks if "Id" in block}


def moment(timestamp: str) -> float:
    """Seconds since the epoch of a time as ``systemctl show --timestamp=us+utc`` prints it, 0 for none."""
    if not timestamp:
        return 0.0
    parsed = datetime.datetime.strptime(timestamp, "%a %Y-%m-%d %H:%M:%S.%f UTC")
    return parsed.replace(tzinfo=datetime.UTC).timestamp()


def answers(text: str) -> dict[str, Rows]:
    """What the console answered to QUESTIONS, as rows; an answer that did not come is left out."""
    parts = text.split(SEPARATOR + "\n")
    return {
        question: list(csv.DictReader(io.StringIO(part, newline="")))
        for question, part in zip(QUESTIONS, parts, strict=False)
        if part.strip()
    }


def needs_listening(socket: Mapping[str, str], unit_file_time: float) -> list[str]:
    """Why the sockets that systemd holds for a process must be opened anew. ``unit_file_time``: its newest unit file's."""
    if socket.get("ActiveState") != "active":
        return ["its socket is not listening"]
    if unit_file_time > moment(socket.get("ActiveEnterTimestamp", "")):
        return ["its socket unit is newer than its socket"]
    return []


def needs_restart(
    unit: Mapping[str, str], running: Mapping[str, Rows], settings: Mapping[str, Any], unit_file_time: float
) -> list[str]:
    """Why this process must be restarted: a sentence for each reason. ``unit_file_time`` is that of its newest unit file."""
    if unit.get("ActiveState") not in ("active", "reloading"):
        return ["it is not running"]
    if not running.get("SHOW CONFIG"):
        return ["its console does not answer on the configured socket"]
    reasons = restart_reasons(settings, running["SHOW CONFIG"])
    if unit_file_time > moment(unit.get("ActiveEnterTimestamp", "")):
        reasons.append("its unit is newer than its start")
    return reasons


def needs_lookup(
    before: Iterable[str],
    users: Iterable[str],
    settings: Mapping[str, Any],
    databases: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Why auth_query is not asked about users that left the userlist: PgBouncer remembers them until it is restarted."""
    gone = sorted(set(before) - set(users))
    asks = "auth_user" in settings or any("auth_user" in database for database in databases.values())
    return [f"auth_query takes over from the userlist for {', '.join(gone[:3])}"] if gone and asks else []


def needs_reload(
    unit: Mapping[str, str],
    running: Mapping[str, Rows],
    settings: Mapping[str, Any],
    databases: Mapping[str, Any],
    file_time: float,
) -> list[str]:
    """Why a process that needs no restart must read its files again."""
    reasons = differences(running, settings, databases)
    if file_time > moment(unit.get("StateChangeTimestamp", "")):
        reasons.insert(0, "its files are newer than what it has read")
    return reasons


def differences(
    running: Mapping[str, Rows],
    settings: Mapping[str, Any],
    databases: Mapping[str, Any],
    users: Sequence[str] = (),
    peers: Sequence[str] = (),
) -> list[str]:
    """How the running process differs from what is wanted; empty is the proof."""
    if not running.get("SHOW CONFIG") or "SHOW DATABASES" not in running:
        return ["its console does not answer"]
    result = config_differences(settings, running["SHOW CONFIG"])
    result += database_differences(databases, running["SHOW DATABASES"])
    for kind, column, wanted in (("user", "name", users), ("peer", "peer_id", peers)):
        known = {row[column] for row in running.get(f"SHOW {kind.upper()}S", ())}
        result += [
            f"{kind} {name}: wanted, unknown to the running process" for name in wanted if name not in known
        ]
    return result


def reload_errors(journal: str) -> list[str]:
    """Lines by which PgBouncer says that it did not take a file."""
    return [line for line in journal.splitlines() if any(error in line for error in _RELOAD_ERRORS)]
