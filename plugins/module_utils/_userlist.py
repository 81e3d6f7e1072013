# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PgBouncer's userlist.txt (auth_file): write it, and read it the way PgBouncer does.

Private to this collection. No message ever contains a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Bytes between the quotes, doubled quotes counted twice: PgBouncer's buffers less a terminating byte. (1.26 reads
# longer secrets; no password that a person or a generator makes needs them.)
_NAME_LIMIT = 127
_SECRET_LIMIT = 2047

# Blanks, a comment, or an entry. What stands between its two texts, or after them on the line, is skipped.
_TOKEN = re.compile(
    r"""\s+ | ;[^\n]* | "(?P<name>(?:[^"\0]|"")*+)" [^"\0]* "(?P<secret>(?:[^"\0]|"")*+)" [^\n]*""",
    re.ASCII | re.VERBOSE,
)


def _size(escaped: str) -> int:
    return len(escaped.encode("utf-8", "surrogateescape"))


def _quoted(text: str, limit: int, what: str) -> str:
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


def line(name: str, secret: str) -> str:
    """The line of one user; an empty secret refuses every login."""
    if not name:
        raise ValueError("the name must not be empty")
    return f"{_quoted(name, _NAME_LIMIT, 'the name')} {_quoted(secret, _SECRET_LIMIT, 'the secret')}\n"


def render(secrets: Mapping[str, str]) -> str:
    """The text of userlist.txt, without a header, for names and their secrets."""
    return "".join(line(name, secret) for name, secret in secrets.items())


def parse(text: str, *, strict: bool = True) -> dict[str, str]:
    """Names and secrets that PgBouncer reads from the text.

    PgBouncer ignores everything from the first mistake on, and so leaves users without a secret. Strictly, a mistake is
    a ValueError; otherwise the users before it are returned.
    """
    users: dict[str, str] = {}
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        too_long = (
            token is not None
            and token["name"] is not None
            and (_size(token["name"]) > _NAME_LIMIT or _size(token["secret"]) > _SECRET_LIMIT)
        )
        if token is None or too_long:
            if not strict:
                break
            number = text.count("\n", 0, position) + 1
            limits = f"at most {_NAME_LIMIT} bytes of name and {_SECRET_LIMIT} of secret"
            raise ValueError(f'line {number}: "name" "secret" is expected, {limits}')
        position = token.end()
        if token["name"] is not None:
            users[token["name"].replace('""', '"')] = token["secret"].replace('""', '"')
    return users


__all__ = ("line", "parse", "render")
