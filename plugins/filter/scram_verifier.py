# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter scram_verifier."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: scram_verifier
short_description: Turn a password into the SCRAM-SHA-256 verifier that PostgreSQL stores
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Computes what PostgreSQL keeps in C(pg_authid.rolpassword) and PgBouncer reads from C(userlist.txt).
    See RFC 5802, RFC 7677 and, for the preparation of non-ASCII passwords, RFC 4013.
  - A verifier has a random salt. Give the stored one as O(existing), and the result stays the same as long as
    the password does.
positional: existing
options:
  _input:
    description:
      - The password. Text that already is a verifier is returned as it is.
    type: string
    required: true
  existing:
    description:
      - The verifier that is stored now, if there is one. It is returned unchanged when it belongs to the
        password, whatever its salt and iterations. Anything else, an md5 hash for example, is replaced.
    type: string
  iterations:
    description:
      - The number of PBKDF2 iterations of a new verifier.
    type: integer
    default: 4096
seealso:
  - plugin: djangoops.pooling.pgbouncer_userlist
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Keep the stored verifier when it belongs to the password
  ansible.builtin.set_fact:
    app_verifier: "{{ 'pencil' | djangoops.pooling.scram_verifier(existing=stored) }}"
    # Should result in the text of stored
  vars:
    stored: "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
      $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
"""

RETURN = r"""
_value:
  description:
    - The verifier, C(SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey), with the last three in base64.
  type: string
"""

import secrets
from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import is_verifier, matches, verifier


def scram_verifier(password: object, existing: str | None = None, iterations: int = 4096) -> str:
    """Return the given, the existing or a new verifier."""
    if not isinstance(password, str):
        raise AnsibleFilterError(
            "djangoops.pooling.scram_verifier: the password must be text (quote it in YAML)"
        )
    try:
        if is_verifier(password):
            return password
        if existing and matches(existing, password):
            return existing
        return verifier(password, salt=secrets.token_bytes(16), iterations=iterations)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.scram_verifier: {exc}") from exc


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Filters of this file by name."""
        return {"scram_verifier": scram_verifier}
