# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that change together or not at all, whenever the process that changes them is killed.

Private to this collection. Each file is replaced atomically. What stood there before is kept in one journal file from
before the first change until the new files are proven; a journal that is found at the start belongs to a run that was
killed, and holds the last proven state.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class File:
    """What has to stand at a path; the content of a secret one is never shown."""

    path: str
    content: bytes
    mode: int
    uid: int
    gid: int
    secret: bool = False


def read(path: str) -> File | None:
    """What stands at a path, if anything."""
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            return File(path, stream.read(), status.st_mode & 0o7777, status.st_uid, status.st_gid)
    except FileNotFoundError:
        return None


def _write(file: File) -> None:
    """Replace a file atomically; it is private until it has its owner."""
    os.makedirs(os.path.dirname(file.path), exist_ok=True)
    scratch = _scratch(file.path)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(file.content)
        stream.flush()
        os.fchown(descriptor, file.uid, file.gid)
        os.fchmod(descriptor, file.mode)
        os.fsync(descriptor)
    os.replace(scratch, file.path)


def _scratch(path: str) -> str:
    directory, name = os.path.split(path)
    return f"{directory}/.{name}.djangoops-new"


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


class Transaction:
    """The wanted files, those that stand there, and the journal between them.

    ``owned`` are patterns of paths: what matches and is not wanted is removed with the rest.
    """

    def __init__(self, journal: str, files: Sequence[File], owned: Iterable[str] = ()) -> None:
        self.journal = journal
        self.wanted = {file.path: file for file in files}
        surplus = {path for pattern in owned for path in glob.glob(pattern)} - set(self.wanted)
        self.paths = [*self.wanted, *sorted(surplus)]
        self.live = {path: read(path) for path in self.paths}
        found = read(journal)
        self.unfinished = found is not None
        self._previous: dict[str, Any] = json.loads(found.content) if found else {}

    @property
    def changed(self) -> list[str]:
        """Paths whose content, mode or owner is not the wanted one."""
        return [path for path in self.paths if _differs(self.live[path], self.wanted.get(path))]

    def proven(self, path: str) -> File | None:
        """What stood at a path before the first change that was never proven, if a run was killed."""
        return _unpacked(path, self._previous.get(path))

    def diff(self) -> list[dict[str, str]]:
        """What changes, as Ansible shows it."""
        return [_diff(path, self.live[path], self.wanted.get(path)) for path in self.changed]

    def stage(self, directory: str) -> None:
        """Write the wanted files below a directory, referring to each other there and not to those in use."""
        for file in self.wanted.values():
            content = staged_references(file.content, directory, self.wanted)
            _write(File(directory + file.path, content, file.mode, file.uid, file.gid))

    def keep(self) -> None:
        """Keep what stands there. From here on a killed run is an unfinished one."""
        # a path that a killed run has kept already has its proven state there
        self._previous = {**{path: _packed(file) for path, file in self.live.items()}, **self._previous}
        os.makedirs(os.path.dirname(self.journal), mode=0o700, exist_ok=True)
        _write(File(self.journal, json.dumps(self._previous).encode(), 0o600, os.geteuid(), os.getegid()))

    def stood(self, path: str) -> bool:
        """Whether something stood at a path before the first change that was never proven."""
        return self._previous.get(path) is not None

    def swap(self) -> None:
        """Put the wanted files in the place of those that were kept."""
        for path in self.changed:
            if path in self.wanted:
                _write(self.wanted[path])
            else:
                _remove(path)

    def roll_back(self) -> None:
        """Put everything back as it stood before the first change that was never proven."""
        for path, packed in self._previous.items():
            file = _unpacked(path, packed)
            if file is None:
                _remove(path)
            elif _differs(read(path), file):
                _write(file)
        self.finish()

    def finish(self) -> None:
        """What stands there is proven: forget what was before."""
        self.tidy()
        _remove(self.journal)

    def tidy(self) -> None:
        """Remove what a killed run was just writing."""
        for path in [*self.paths, self.journal]:
            _remove(_scratch(path))


def staged_references(content: bytes, directory: str, paths: Iterable[str]) -> bytes:
    """Let each ``key = path`` and ``%include path`` that names one of the paths name it below the directory."""
    alternatives = "|".join(re.escape(path) for path in paths)
    pattern = rf"^([ \t]*(?:%include[ \t]+|[a-z0-9_]+[ \t]*=[ \t]*))({alternatives})[ \t]*$"
    return re.sub(
        pattern.encode(),
        lambda match: match[1] + directory.encode() + match[2],
        content,
        flags=re.MULTILINE,
    )


def _access(file: File) -> tuple[int, int, int]:
    return file.mode, file.uid, file.gid


def _differs(live: File | None, wanted: File | None) -> bool:
    if live is None or wanted is None:
        return live is not wanted
    return live.content != wanted.content or _access(live) != _access(wanted)


def _diff(path: str, live: File | None, wanted: File | None) -> dict[str, str]:
    secret = wanted is None or wanted.secret  # nobody knows whether a file that goes is one
    with_access = live is None or wanted is None or _access(live) != _access(wanted)
    before, after = (_shown(file, secret, with_access) for file in (live, wanted))
    if secret and live and wanted and live.content != wanted.content:
        after += "(changed)\n"
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def _shown(file: File | None, secret: bool, with_access: bool) -> str:
    if file is None:
        return ""
    text = "(hidden)\n" if secret else file.content.decode("utf-8", "replace")
    return text + (f"(mode {file.mode:04o}, owner {file.uid}:{file.gid})\n" if with_access else "")


def _packed(file: File | None) -> dict[str, Any] | None:
    if file is None:
        return None
    content = base64.b64encode(file.content).decode()
    return {"content": content, "mode": file.mode, "uid": file.uid, "gid": file.gid}


def _unpacked(path: str, packed: Mapping[str, Any] | None) -> File | None:
    if packed is None:
        return None
    return File(path, base64.b64decode(packed["content"]), packed["mode"], packed["uid"], packed["gid"])
