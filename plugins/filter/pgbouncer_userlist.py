# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_userlist."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_userlist
short_description: Render PgBouncer's userlist.txt
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Writes one line for each user, quoted the way PgBouncer reads it, and refuses what it would not read.
    PgBouncer ignores all of the file that follows a mistake, and goes on with users that have no password.
  - Messages name the user and the rule, never the secret.
options:
  _input:
    description:
      - Mappings with the keys V(name), V(secret) and, if you like, V(kind).
      - V(name) is at most 127 bytes long and V(secret) at most 2047 bytes, a C(") counted twice.
        Neither may contain a line break. A name may appear once.
      - An empty V(secret) refuses every login of the user.
      - V(kind) is one of V(plain), V(md5) and V(scram). When given, the secret must be what PgBouncer takes
        for that kind. A plain password that looks like a hash would be used as one.
    type: list
    elements: dictionary
    required: true
seealso:
  - plugin: djangoops.pooling.scram_verifier
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show how a quote is written
  ansible.builtin.debug:
    msg: "{{ users | djangoops.pooling.pgbouncer_userlist }}"
    # Should result in the line "app" "six "" inch"
  vars:
    users:
      - name: app
        secret: six " inch
        kind: plain
"""

RETURN = r"""
_value:
  description:
    - The lines of the file, without a header, in the order of the users.
  type: string
"""

from collections.abc import Callable, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._userlist import render


def pgbouncer_userlist(users: object) -> str:
    """Return the text of the file."""
    if not isinstance(users, Sequence) or isinstance(users, str):
        raise AnsibleFilterError("djangoops.pooling.pgbouncer_userlist: a list of users is expected")
    try:
        return render(users)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_userlist: {exc}") from exc


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Filters of this file by name."""
        return {"pgbouncer_userlist": pgbouncer_userlist}
