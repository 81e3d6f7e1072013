# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variable pgbouncer_users to the secrets that stand in userlist.txt.

Private to this collection. No message ever contains a secret.
"""

from __future__ import annotations

import hashlib
import secrets as random
from collections.abc import Container, Mapping
from typing import NamedTuple

from ansible_collections.djangoops.pooling.plugins.module_utils import _userlist
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import (
    iterations_of,
    matches,
    secret_kind,
    verifier,
)

METHODS = ("scram-sha-256", "md5", "plain")
_KEYS = ("password", "verifier", "method", "iterations")
_SALT_BYTES = 16


class _User(NamedTuple):
    """One entry of pgbouncer_users, checked."""

    name: str
    password: str | None
    stored: str | None
    method: str
    iterations: int


def _text(value: object, what: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{what} must be text (quote it in YAML)")
    # Ansible's tagged texts are slower than plain ones, which counts with ten thousand users.
    return None if value is None else str(value)


def _stored(text: str | None) -> str | None:
    """A verifier or hash that was handed in; an empty text is none, and refuses every login."""
    if text and secret_kind(text) == "plain":
        raise ValueError(
            "the text is neither a SCRAM verifier nor an md5 hash. If it is a password, write it as "
            "{password: ...}: what is stored is then computed from it"
        )
    return text


def _iterations(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2147483647:
        raise ValueError("iterations: a whole number from 1 to 2147483647 is expected")
    return value


def _user(name: object, value: object, iterations: int, plain_allowed: Container[str]) -> _User:
    if not isinstance(name, str):
        raise ValueError("the name must be text (quote it in YAML)")
    if not isinstance(value, Mapping):
        if value is None:
            raise ValueError("a secret is missing; an empty text refuses every login")
        return _User(str(name), None, _stored(_text(value, "the secret")) or "", "", iterations)
    if unknown := [str(key) for key in value if key not in _KEYS]:
        raise ValueError(f"unknown keys {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    password, stored = (
        _text(value.get("password"), "the password"),
        _stored(_text(value.get("verifier"), "verifier")),
    )
    if not password and not stored:
        raise ValueError(
            "password or verifier is missing; an empty text as the whole value refuses every login"
        )
    method = value.get("method", METHODS[0])
    if method not in METHODS:
        raise ValueError(f"method: one of {', '.join(METHODS)} is expected")
    if stored and "method" in value:
        raise ValueError(
            "method says what to compute from the password, and a verifier is given; leave one out"
        )
    if method == "plain" and name not in plain_allowed:
        raise ValueError(
            "method plain stores the password itself on the pooler, which pgbouncer_plain_allowed does not allow"
        )
    if method == "plain" and password and secret_kind(password) != "plain":
        raise ValueError(
            "this password looks like a hash, and PgBouncer would take it for one; choose another"
        )
    return _User(str(name), password, stored, str(method), _iterations(value.get("iterations", iterations)))


def md5_hash(name: str, password: str) -> str:
    """What PostgreSQL and PgBouncer store for the method md5."""
    try:
        return "md5" + hashlib.md5((password + name).encode(), usedforsecurity=False).hexdigest()
    except UnicodeEncodeError:
        # the original exception carries the password
        raise ValueError("the password is not valid Unicode text") from None


def _belongs(stored: str, user: _User, password: str) -> bool:
    if secret_kind(stored) == "md5":
        return stored == md5_hash(user.name, password)
    return matches(stored, password)


def _secret(user: _User, existing: str) -> str:
    password = user.password
    if user.stored is not None:
        if password is not None and not _belongs(user.stored, user, password):
            raise ValueError("verifier does not belong to password")
        return user.stored
    if password is None:
        return ""
    if user.method == "plain":
        return password
    if user.method == "md5":
        return md5_hash(user.name, password)
    if iterations_of(existing) == user.iterations and matches(existing, password):
        return existing
    return verifier(password, salt=random.token_bytes(_SALT_BYTES), iterations=user.iterations)


def secrets(
    users: object,
    *,
    existing: Mapping[str, str],
    iterations: int,
    plain_allowed: Container[str],
    tombstones: bool,
) -> dict[str, str]:
    """Name -> secret of userlist.txt.

    existing: what the pooler's userlist has now; a verifier there stays as it is while it belongs to the password and
    has the iterations asked for. plain_allowed: the users that may have method plain. tombstones: whether a name that
    left pgbouncer_users stays with an empty secret, which refuses every login.
    """
    if not isinstance(users, Mapping):
        raise ValueError("pgbouncer_users: a mapping of names to secrets is expected")
    result: dict[str, str] = {}
    for name, value in users.items():
        try:
            user = _user(name, value, iterations, plain_allowed)
            result[user.name] = _secret(user, existing.get(user.name, ""))
            _userlist.line(user.name, result[user.name])
        except ValueError as exc:
            raise ValueError(f"pgbouncer_users.{name}: {exc}") from None
    if tombstones:
        result |= dict.fromkeys((name for name in existing if name not in result), "")
    return result


def kinds(users: object, *, plain_allowed: Container[str]) -> dict[str, str]:
    """Name -> what PgBouncer will take its secret for: scram, md5, plain, or none. Derives no keys."""
    if not isinstance(users, Mapping):
        raise ValueError("pgbouncer_users: a mapping of names to secrets is expected")
    result: dict[str, str] = {}
    for name, value in users.items():
        try:
            user = _user(name, value, 1, plain_allowed)
        except ValueError as exc:
            raise ValueError(f"pgbouncer_users.{name}: {exc}") from None
        if user.stored is None:
            result[user.name] = "scram" if user.method == METHODS[0] else user.method
        else:
            result[user.name] = secret_kind(user.stored) if user.stored else "none"
    return result


__all__ = ("METHODS", "kinds", "md5_hash", "secrets")
