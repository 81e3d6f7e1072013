# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter django_databases."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: django_databases
short_description: Write Django's DATABASES as Python source
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Returns the source of a module that defines C(DATABASES) and nothing else. Values are Python literals, passwords come
    from the environment.
options:
  _input:
    description:
      - Alias to settings, see O(djangoops.pooling.django_settings#role:main:django_settings_databases) for the keys.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
---
- name: Show the settings
  ansible.builtin.debug:
    msg: "{{ databases | djangoops.pooling.django_databases }}"
  vars:
    databases:
      default:
        NAME: app
        USER: app
        password_variable: APP_DB_PASSWORD
        HOST: pooler.example.com
        PORT: 6432
        CONN_MAX_AGE: 60
        DISABLE_SERVER_SIDE_CURSORS: true
"""

RETURN = r"""
_value:
  description:
    - Python source, one C(import) and one assignment.
  type: string
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._django import databases_source


def django_databases(databases: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the source of a module that defines DATABASES."""
    try:
        return databases_source(databases)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.django_databases: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"django_databases": django_databases}
