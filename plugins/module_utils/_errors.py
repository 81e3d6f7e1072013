# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error of the sizing formula: a code, a sentence, and the changes that would help."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any


class SizingError(ValueError):
    """Inputs that cannot be served.

    ``code`` is one of docs/sizing.md section 10. ``fixes`` holds, smallest relative change first, mappings
    ``{path, from, to, rel, text}``; ``rel`` is ``|to - from| / from``, 0 for a change that is not a number.
    """

    def __init__(self, code: str, message: str, fixes: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        # The sort is stable: equal changes stay in the order they are given in, which section 10 fixes.
        self.fixes = sorted(fixes, key=lambda fix: fix["rel"])

    def __str__(self) -> str:
        """The code, the sentence and every fix: what a user has to see."""
        texts = "; ".join(fix["text"] for fix in self.fixes)
        return f"{self.code}: {self.message}" + (f" (fixes, smallest first: {texts})" if texts else "")


def advice(path: str, before: Any, after: Any, text: str) -> dict[str, Any]:
    """A fix that is not a change of a number."""
    return {"path": path, "from": before, "to": after, "rel": 0.0, "text": text}


def change(path: str, before: int, after: int, label: str) -> dict[str, Any]:
    """A fix that changes the number at ``path``; ``label`` is the path as the text shows it."""
    rel = float(Fraction(abs(after - before), before)) if before else 1.0
    return {"path": path, "from": before, "to": after, "rel": rel, "text": f"{label} {before} -> {after}"}
