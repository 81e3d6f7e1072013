# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_userlist."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_userlist
short_description: Compute the secrets of PgBouncer's users and render userlist.txt
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Writes one line for each user, quoted the way PgBouncer reads it, and refuses what it would not read.
    PgBouncer ignores all of the file that follows a mistake, and goes on with users that have no password.
  - Secrets are handed in, or computed from passwords by RFC 5802 and RFC 7677 with SASLprep (RFC 4013), or as md5 hashes.
    A SCRAM verifier in the present file that belongs to the password stays byte by byte, so that nothing changes as long
    as the password does not.
  - All users are done in one call. Messages name the user and the rule, never the secret.
positional: existing
options:
  _input:
    description:
      - Name of a user to its secret, as the variable C(pgbouncer_users) of the role
        P(djangoops.pooling.pgbouncer#role) describes them. A name is at most 127 bytes long, a secret 2047 bytes, each C(")
        counted twice, and neither has a line break.
    type: dictionary
    required: true
  existing:
    description:
      - Text of the present userlist.txt.
    type: string
    default: ""
  iterations:
    description:
      - Number of PBKDF2 iterations of a SCRAM verifier that is computed. An existing one with another number is replaced.
    type: integer
    default: 4096
  plain_allowed:
    description:
      - Names of the users that may have C(method=plain), that is, the password itself in the file.
    type: list
    elements: string
    default: []
  tombstones:
    description:
      - Whether a name that is in O(existing) only gets a line with an empty secret, which refuses every login. Without one,
        PgBouncer 1.25 and newer may go on letting in a user whose line is gone.
    type: boolean
    default: true
seealso:
  - plugin: djangoops.pooling.scram_verifier
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show the lines
  ansible.builtin.debug:
    msg: "{{ users | djangoops.pooling.pgbouncer_userlist(existing, plain_allowed=['app']) }}"
    # Should result in the lines
    # "app" "six "" inch"
    # "old" "md5bcd9ed0a9dbc2b4ff5a9d7b4a2c4e8d5"
    # "gone" ""
  vars:
    existing: |
      "gone" "a password"
    users:
      app:
        password: six " inch
        method: plain
      old: md5bcd9ed0a9dbc2b4ff5a9d7b4a2c4e8d5
"""

RETURN = r"""
_value:
  description:
    - The lines of the file, without a header, in the order of the users, and then the names that are gone.
  type: string
"""

from collections.abc import Callable, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_users import secrets
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import parse, render


def pgbouncer_userlist(
    users: object,
    existing: str = "",
    iterations: int = 4096,
    plain_allowed: Sequence[str] = (),
    tombstones: bool = True,
) -> str:
    """Return the text of the file."""
    try:
        return render(
            secrets(
                users,
                existing=parse(str(existing), strict=False),
                iterations=iterations,
                plain_allowed=frozenset(plain_allowed),
                tombstones=tombstones,
            )
        )
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_userlist: {exc}") from None


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Filters of this file by name."""
        return {"pgbouncer_userlist": pgbouncer_userlist}
