# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter django_databases."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: django_databases
short_description: Write Django's DATABASES as Python source or as URLs
version_added: 0.1.0
author:
  - The djangoops.pooling authors
description:
  - Returns the text of a settings file, a module that defines C(DATABASES) and nothing else, or a line with a
    C(DATABASE_URL) for each alias. In a module values are Python literals; in a URL every part is percent-encoded.
  - What cannot work is refused with the reason and a remedy.
positional: form, path, version, psycopg, users
options:
  _input:
    description:
      - Alias to settings, see O(djangoops.pooling.django_settings#role:main:django_settings_databases) for the keys.
    type: dictionary
    required: true
  form:
    description:
      - V(module), or who will read the URLs, V(django-environ) or V(dj-database-url). A URL carries its password.
    type: string
    choices: [module, django-environ, dj-database-url]
    default: module
  path:
    description:
      - The file that will hold a module; its name has to be one that Python can import.
    type: string
    default: pooling_databases.py
  version:
    description:
      - Django's version, V(4.2) to V(6.0); empty where it is not known.
    type: string
    default: ""
  psycopg:
    description:
      - Major version of psycopg.
    type: integer
    choices: [2, 3]
    default: 3
  users:
    description:
      - Role of PostgreSQL to a mapping with its C(password), for aliases that do not say where their password is.
    type: dictionary
"""

EXAMPLES = r"""
---
- name: Show the settings
  ansible.builtin.debug:
    msg: "{{ databases | djangoops.pooling.django_databases(version='5.2') }}"
  vars:
    databases:
      default:
        strategy: pgbouncer_transaction
        NAME: app
        USER: app
        password_variable: APP_DB_PASSWORD
        HOST: pooler.example.com
        PORT: 6432
      default_direct:
        strategy: direct
        NAME: app
        USER: app
        password_variable: APP_DB_PASSWORD
        HOST: db.example.com
        PORT: 5432
"""

RETURN = r"""
_value:
  description:
    - The text. Its first line says who wrote it, comments say which alias is for what.
  type: string
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._django_text import settings_file


def django_databases(
    databases: Mapping[str, Mapping[str, Any]],
    form: str = "module",
    path: str = "pooling_databases.py",
    version: str = "",
    psycopg: int = 3,
    users: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Return the text of a settings file."""
    try:
        return settings_file(databases, form, path, version, psycopg, users)
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.django_databases: {exc}") from exc


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by name."""
        return {"django_databases": django_databases}
