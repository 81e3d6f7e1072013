# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PgBouncer's userlist.txt (auth_file): write it, and read it the way PgBouncer does.

Private to this collection. No message ever contains a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ansible_collections.djangoops.pooling.plugins.module_utils._scram import secret_kind

# Bytes between the quotes, doubled quotes counted twice: PgBouncer's buffers less a terminating byte.
_NAME_LIMIT = 127
_SECRET_LIMIT = 2047
_ENTRY_KEYS = ("name", "secret", "kind")
_KINDS = ("plain", "md5", "scram")

# Blanks, a comment, or an entry. What stands between its two texts, or after them on the line, is skipped.
_TOKEN = re.compile(
    r"""\s+ | ;[^\n]* | "(?P<name>(?:[^"\0]|"")*+)" [^"\0]* "(?P<secret>(?:[^"\0]|"")*+)" [^\n]*""",
    re.ASCII | re.VERBOSE,
)


def _size(escaped: str) -> int:
    return len(escaped.encode("utf-8", "surrogateescape"))


def _quoted(text: object, limit: int, what: str) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{what} must be text (quote it in YAML)")
    if any(char in text for char in "\0\r\n"):
        raise ValueError(f"{what} must not contain a NUL character or a line break")
    escaped = text.replace('"', '""')
    try:
        size = _size(escaped)
    except UnicodeEncodeError:
        # The original exception carries the text.
        raise ValueError(f"{what} is not valid Unicode text") from None
    if size > limit:
        raise ValueError(f"{what} is {size} bytes long with quotes doubled, PgBouncer reads at most {limit}")
    return f'"{escaped}"'


def _check_kind(entry: Mapping[str, object], where: str) -> None:
    kind, seen = entry.get("kind"), secret_kind(str(entry["secret"]))
    if kind is None:
        return
    if kind not in _KINDS:
        raise ValueError(f"{where}: kind must be one of {', '.join(_KINDS)}, not {kind!r}")
    if kind != seen:
        # A plain password of this look is a hash to PgBouncer, and nobody could log in with it.
        raise ValueError(
            f"{where}: the secret is declared as {kind}, but PgBouncer takes text of this form as {seen}"
        )


def _line(entry: object, position: int) -> tuple[str, str]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise ValueError(
            f"user number {position}: a mapping with name (text, not empty) and secret is expected"
        )
    where = f"user {entry['name']!r}"
    unknown = [str(key) for key in entry if key not in _ENTRY_KEYS]
    if unknown:
        raise ValueError(f"{where}: unknown keys {', '.join(unknown)}; known are {', '.join(_ENTRY_KEYS)}")
    if "secret" not in entry:
        raise ValueError(f"{where}: secret is missing (an empty text refuses every login)")
    name = _quoted(entry["name"], _NAME_LIMIT, f"{where}: the name")
    secret = _quoted(entry["secret"], _SECRET_LIMIT, f"{where}: the secret")
    _check_kind(entry, where)
    return entry["name"], f"{name} {secret}\n"


def render(users: Iterable[object]) -> str:
    """The text of userlist.txt, without a header, for mappings with name, secret and optionally kind."""
    lines: dict[str, str] = {}
    for position, entry in enumerate(users, start=1):
        name, line = _line(entry, position)
        if name in lines:
            raise ValueError(f"user {name!r} is declared twice")
        lines[name] = line
    return "".join(lines.values())


def parse(text: str) -> list[dict[str, str]]:
    """The users PgBouncer reads from the text.

    PgBouncer ignores everything from the first mistake on, and so leaves users without a secret; here that is
    an error.
    """
    users: dict[str, str] = {}
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        line = text.count("\n", 0, position) + 1
        if token is None:
            raise ValueError(f'line {line}: "name" "secret" is expected')
        position = token.end()
        if token["name"] is None:
            continue
        if _size(token["name"]) > _NAME_LIMIT or _size(token["secret"]) > _SECRET_LIMIT:
            raise ValueError(
                f"line {line}: more than {_NAME_LIMIT} bytes of name or {_SECRET_LIMIT} of secret"
            )
        users[token["name"].replace('""', '"')] = token["secret"].replace('""', '"')
    return [{"name": name, "secret": secret} for name, secret in users.items()]


__all__ = ("parse", "render")
