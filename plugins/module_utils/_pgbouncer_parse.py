# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pgbouncer.ini read back: what the files that this collection renders say.

Private to this collection. The counterpart of _pgbouncer_ini.render, no parser for what others write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ENTRY = re.compile(r"""(?:'(?P<quoted>(?:[^']|'')*)'|(?P<bare>[^\s=']+))\s*=\s*(?P<value>.*)""")
_PAIR = re.compile(r"""\s*(?P<key>[A-Za-z0-9_]+)\s*=\s*(?:'(?P<quoted>(?:[^']|'')*)'|(?P<bare>\S+))\s*""")


def sections(path: str, texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Section -> key -> value of the file at a path, with what it includes among the texts (path -> text)."""
    result: dict[str, dict[str, str]] = {}
    _read(path, texts, result, [""])
    return result


def included(path: str, texts: Mapping[str, str]) -> set[str]:
    """The file at a path and all that it includes, each other among the texts too."""
    names = re.findall(r"^%include[ \t]+(\S+)", texts[path], re.MULTILINE)
    return {path}.union(*(included(name, texts) for name in names))


def _read(path: str, texts: Mapping[str, str], result: dict[str, dict[str, str]], section: list[str]) -> None:
    # an included file goes on in the section of the line that includes it, and the other way round
    for line in map(str.strip, texts[path].split("\n")):
        if not line or line[0] in ";#":
            continue
        if line.startswith("%include "):
            _read(line.removeprefix("%include ").strip(), texts, result, section)
        elif line.startswith("["):
            section[0] = line.strip("[]")
            result.setdefault(section[0], {})
        else:
            name, value = _entry(line)
            result[section[0]][name] = value


def _entry(line: str) -> tuple[str, str]:
    match = _ENTRY.fullmatch(line)
    if match is None:
        raise ValueError("a line of pgbouncer.ini is neither a section nor key = value")
    return match["quoted"].replace("''", "'") if match["bare"] is None else match["bare"], match["value"]


def connect_string(text: str) -> dict[str, str]:
    """Key -> value of the right side of an entry in [databases], [users] or [peers]."""
    return {
        match["key"]: match["bare"] if match["quoted"] is None else match["quoted"].replace("''", "'")
        for match in _PAIR.finditer(text)
    }
