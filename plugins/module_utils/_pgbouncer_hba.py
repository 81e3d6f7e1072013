# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PgBouncer's auth_hba_file and auth_ident_file.

Private to this collection. PgBouncer skips a line that it does not read, with no more than a warning, and then lets in
whom a later line lets in. So what it would not read is refused here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.djangoops.pooling.plugins.module_utils._versions import is_older

TYPES = ("local", "host", "hostssl", "hostnossl")
# Method -> the first version that reads it.
METHODS = {
    "cert": "1.7",
    "ldap": "1.25.0",
    "md5": "1.7",
    "password": "1.7",
    "peer": "1.7",
    "reject": "1.7",
    "scram-sha-256": "1.11.0",
    "trust": "1.7",
}
_MAPS_SINCE = "1.23.0"
_ADDRESS_ALL_SINCE = "1.23.0"
_KEYS = ("type", "databases", "users", "address", "method", "map", "options")
_IDENT_KEYS = ("map", "system_user", "user")
# Words with a meaning of their own; any other name is written in quotes, which take it from every word.
_WORDS = {"databases": ("all", "sameuser"), "users": ("all",)}
_ALL_ADDRESSES = ("0.0.0.0/0", "::/0")
_BARE = re.compile(r"[A-Za-z0-9_.-]+")


class Rule(NamedTuple):
    """One rule, checked."""

    type: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    addresses: tuple[str, ...]
    method: str
    # what follows the method
    rest: str


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value or any(char in value for char in "\0\r\n"):
        raise ValueError(f"{what}: text on one line is expected, not empty (quote it in YAML)")
    return str(value)


def _chosen(value: object, what: str, choices: Iterable[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{what}: one of {', '.join(choices)} is expected")
    return str(value)


def _names(value: object, what: str) -> tuple[str, ...]:
    if value is None:
        return ("all",)
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise ValueError(f"{what}: a list of names is expected")
    return tuple(_text(name, what) for name in value)


def _addresses(kind: str, value: object, version: str) -> tuple[str, ...]:
    if kind == "local":
        if value is not None:
            raise ValueError("address: a rule of type local has none")
        return ()
    text = _text(value, "address")
    if text == "all":
        return _ALL_ADDRESSES if is_older(version, _ADDRESS_ALL_SINCE) else ("all",)
    try:
        return (str(ipaddress.ip_network(text)),)
    except ValueError:
        raise ValueError(
            f"address: {text!r} is neither all nor a network such as 192.0.2.0/24 or 192.0.2.10/32; PgBouncer reads no "
            f"host names"
        ) from None


def _rest(rule: Mapping[str, object], method: str, maps: Iterable[str], version: str) -> str:
    options, name = rule.get("options"), rule.get("map")
    if options is not None and method != "ldap":
        raise ValueError("options: only method ldap has some")
    if name is None:
        return _text(options, "options") if options is not None else ""
    if method not in ("cert", "peer"):
        raise ValueError("map: only the methods cert and peer take a map")
    if is_older(version, _MAPS_SINCE):
        raise ValueError(f"map: came with PgBouncer {_MAPS_SINCE}; installed is {version}")
    if _text(name, "map") not in maps:
        raise ValueError(f"map: pgbouncer_ident has no map {name!r}")
    return f"map={name}"


def _rule(rule: object, maps: Iterable[str], version: str) -> Rule:
    if not isinstance(rule, Mapping):
        raise ValueError(f"a mapping with {', '.join(_KEYS)} is expected")
    if unknown := [str(key) for key in rule if key not in _KEYS]:
        raise ValueError(f"unknown keys {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    kind = _chosen(rule.get("type"), "type", TYPES)
    method = _chosen(rule.get("method"), "method", METHODS)
    if is_older(version, METHODS[method]):
        raise ValueError(f"method: {method} came with PgBouncer {METHODS[method]}; installed is {version}")
    if method == "peer" and kind != "local":
        raise ValueError("method: peer asks the operating system, which works with type local only")
    if method == "cert" and kind in ("local", "hostnossl"):
        raise ValueError("method: cert needs TLS, hence type hostssl or host")
    return Rule(
        kind,
        _names(rule.get("databases"), "databases"),
        _names(rule.get("users"), "users"),
        _addresses(kind, rule.get("address"), version),
        method,
        _rest(rule, method, maps, version),
    )


def rules(given: object, *, ident: object, version: str) -> list[Rule]:
    """The rules of pgbouncer_hba, checked for one version of PgBouncer and the maps of pgbouncer_ident."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError("pgbouncer_hba: a list of rules is expected")
    maps = {name for name, _system_user, _user in _mappings(ident)}
    result = []
    for position, rule in enumerate(given):
        try:
            result.append(_rule(rule, maps, version))
        except ValueError as exc:
            raise ValueError(f"pgbouncer_hba[{position}]: {exc}") from None
    return result


def _quoted(name: str, words: Iterable[str] = ()) -> str:
    return name if name in words else '"' + name.replace('"', '""') + '"'


def _lines(rule: Rule) -> list[str]:
    databases, users = (
        ",".join(_quoted(name, _WORDS[kind]) for name in names)
        for kind, names in (("databases", rule.databases), ("users", rule.users))
    )
    return [
        " ".join(part for part in (rule.type, databases, users, address, rule.method, rule.rest) if part)
        for address in rule.addresses or ("",)
    ]


def render(given: object, *, ident: object, version: str) -> str:
    """The text of auth_hba_file, without a header."""
    lines = [line for rule in rules(given, ident=ident, version=version) for line in _lines(rule)]
    return "".join(f"{line}\n" for line in lines)


def _mapping(entry: object) -> tuple[str, str, str]:
    if not isinstance(entry, Mapping) or set(entry) != set(_IDENT_KEYS):
        raise ValueError(f"a mapping with {', '.join(_IDENT_KEYS)} is expected")
    name, system_user, user = (_text(entry[key], key) for key in _IDENT_KEYS)
    if not _BARE.fullmatch(name):
        raise ValueError("map: a name of letters, digits and _ . - is expected")
    return name, system_user, user


def _mappings(given: object) -> list[tuple[str, str, str]]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError("pgbouncer_ident: a list of mappings is expected")
    result = []
    for position, entry in enumerate(given):
        try:
            result.append(_mapping(entry))
        except ValueError as exc:
            raise ValueError(f"pgbouncer_ident[{position}]: {exc}") from None
    return result


def render_ident(given: object) -> str:
    """The text of auth_ident_file, without a header."""
    return "".join(
        f"{name} {_quoted(system_user)} {_quoted(user, ('all',))}\n"
        for name, system_user, user in _mappings(given)
    )


__all__ = ("METHODS", "TYPES", "Rule", "render", "render_ident", "rules")
