# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_login_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_login_problems
short_description: Find settings, users and rules of PgBouncer that do not go together
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - PgBouncer starts with many a configuration that lets nobody log in, for instance md5 hashes with
    C(auth_type=scram-sha-256), or a SCRAM verifier of a user whose clients prove themselves by a certificate. This filter
    tells them before they are written, with the variable and the remedy, for the version that is installed.
  - It derives no keys, so it is fast for many users, and its sentences contain no secret.
options:
  _input:
    description:
      - The variables of the role P(djangoops.pooling.pgbouncer#role) without their prefix, V(settings), V(databases),
        V(user_settings), V(users), V(hba), V(ident) and V(plain_allowed).
    type: dictionary
    required: true
  version:
    description:
      - The version of PgBouncer.
    type: string
    required: true
seealso:
  - plugin: djangoops.pooling.pgbouncer_ini
    plugin_type: filter
  - plugin: djangoops.pooling.pgbouncer_userlist
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show what does not go together
  ansible.builtin.debug:
    msg: "{{ config | djangoops.pooling.pgbouncer_login_problems(version='1.24.1') }}"
    # Should result in ["pgbouncer_users: old: md5 hashes, which auth_type scram-sha-256 refuses. Set
    # pgbouncer_settings.auth_type to md5, which takes both, or store SCRAM verifiers"]
  vars:
    config:
      settings:
        auth_type: scram-sha-256
      databases:
        app:
          host: 192.0.2.10
      users:
        old: md5bcd9ed0a9dbc2b4ff5a9d7b4a2c4e8d5
"""

RETURN = r"""
_value:
  description:
    - One sentence for each problem.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_hba import rules
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_login import Config, problems
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_users import kinds


def pgbouncer_login_problems(config: Mapping[str, Any], version: str) -> list[str]:
    """Return one sentence for each problem."""
    try:
        return problems(
            Config(
                version=version,
                settings=config["settings"],
                databases=config["databases"],
                user_settings=config.get("user_settings", {}),
                kinds=kinds(
                    config.get("users", {}), plain_allowed=frozenset(config.get("plain_allowed", ()))
                ),
                hba=rules(config.get("hba", []), ident=config.get("ident", []), version=version),
            )
        )
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_login_problems: {exc}") from None


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Filters of this file by name."""
        return {"pgbouncer_login_problems": pgbouncer_login_problems}
