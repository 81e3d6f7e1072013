# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pgbouncer_tls_files."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: pgbouncer_tls_files
short_description: Turn certificates and keys into files and the settings that name them
version_added: 0.2.0
author:
  - The djangoops.pooling authors
description:
  - Gives each certificate, key and authority of PgBouncer its path, mode and owner. Whether a key belongs to its
    certificate, and whether that has expired, is checked on the host before the files are put into place.
  - No message ever contains a key.
positional: directory
options:
  _input:
    description:
      - Setting to PEM text. The settings are C(client_tls_cert_file), C(client_tls_key_file), C(client_tls_ca_file) and the
        same with C(server).
    type: dictionary
    required: true
  directory:
    description:
      - Directory of the files on the host.
    type: string
    required: true
  group:
    description:
      - Group that may read the keys.
    type: string
    default: postgres
seealso:
  - plugin: djangoops.pooling.pgbouncer_ini
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show where an authority will stand
  ansible.builtin.debug:
    msg: "{{ tls | djangoops.pooling.pgbouncer_tls_files('/etc/pgbouncer/tls') }}"
    # Should result in:
    # server_tls_ca_file:
    #   path: /etc/pgbouncer/tls/server_tls_ca.pem
    #   content: "-----BEGIN CERTIFICATE-----\nMIIB...\n"
    #   mode: "0644"
    #   group: postgres
    #   secret: false
  vars:
    tls:
      server_tls_ca_file: |
        -----BEGIN CERTIFICATE-----
        MIIB...
"""

RETURN = r"""
_value:
  description:
    - Setting to a file as the module M(djangoops.pooling.pgbouncer_apply) takes it.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_tls import files


def pgbouncer_tls_files(tls: object, directory: str, group: str = "postgres") -> dict[str, dict[str, Any]]:
    """Return a file for each setting."""
    try:
        return {name: {**file._asdict(), "group": group} for name, file in files(tls, directory).items()}
    except ValueError as exc:
        raise AnsibleFilterError(f"djangoops.pooling.pgbouncer_tls_files: {exc}") from None


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., dict[str, dict[str, Any]]]]:
        """Filters of this file by name."""
        return {"pgbouncer_tls_files": pgbouncer_tls_files}
