# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates, keys and authorities: the files of them, and what openssl has to say before they are installed.

Private to this collection. The installed binary checks what it shows to clients when it starts. What it shows to servers,
and the authorities it trusts there, it reads at the first connection; and an expired certificate it takes without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

_CERTIFICATE = re.compile(r"-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----")
_KEY = re.compile(r"-----BEGIN ([A-Z0-9]+ )?PRIVATE KEY-----")
# Setting -> what its file has, and whether it is secret.
SETTINGS = {
    f"{side}_tls_{part}_file": (pattern, part == "key")
    for side in ("client", "server")
    for part, pattern in (("cert", _CERTIFICATE), ("key", _KEY), ("ca", _CERTIFICATE))
}

# Runs a command without a shell; returns its status and standard output.
Run = Callable[..., tuple[int, str]]


class TlsFile(NamedTuple):
    """One file as the module pgbouncer_apply takes it."""

    path: str
    content: str
    mode: str
    secret: bool


def files(given: object, directory: str) -> dict[str, TlsFile]:
    """Setting -> its file in the directory, for setting -> PEM text."""
    if not isinstance(given, Mapping):
        raise ValueError("pgbouncer_tls_files: a mapping of settings to PEM text is expected")
    result = {}
    for setting, text in given.items():
        if setting not in SETTINGS:
            raise ValueError(f"pgbouncer_tls_files.{setting}: one of {', '.join(SETTINGS)} is expected")
        pattern, secret = SETTINGS[setting]
        if not isinstance(text, str) or not pattern.search(text):
            what = "private key" if secret else "certificate"
            raise ValueError(
                f"pgbouncer_tls_files.{setting}: PEM text with a {what} is expected, for instance by "
                f"lookup('ansible.builtin.file', ...); a path on the host goes to pgbouncer_settings.{setting}"
            )
        path = f"{directory}/{str(setting).removesuffix('_file')}.pem"
        result[str(setting)] = TlsFile(path, text.rstrip("\n") + "\n", "0640" if secret else "0644", secret)
    return result


def problems(settings: Mapping[str, str], run: Run) -> list[str]:
    """What is wrong with the files that the settings name, a sentence each. run runs openssl as PgBouncer's user."""
    return [
        problem
        for side in ("client", "server")
        for problem in (*_pair(side, settings, run), *_authority(side, settings, run))
    ]


def _pair(side: str, settings: Mapping[str, str], run: Run) -> list[str]:
    names = {part: f"{side}_tls_{part}_file" for part in ("cert", "key")}
    paths = {part: settings.get(name, "") for part, name in names.items()}
    if not any(paths.values()):
        return []
    for part, other in (("cert", "key"), ("key", "cert")):
        if not paths[part]:
            return [f"{names[part]}: needed with {names[other]}"]
    code, of_certificate = run("openssl", "x509", "-in", paths["cert"], "-noout", "-pubkey")
    if code != 0:
        return [f"{names['cert']}: {paths['cert']} is no certificate that PgBouncer's user can read"]
    # without a passphrase: PgBouncer could not ask for one
    code, of_key = run("openssl", "pkey", "-in", paths["key"], "-passin", "pass:", "-pubout")
    if code != 0:
        return [
            f"{names['key']}: {paths['key']} is no key without a passphrase that PgBouncer's user can read"
        ]
    if of_certificate.split() != of_key.split():
        return [f"{names['key']}: {paths['key']} does not belong to the certificate {paths['cert']}"]
    if run("openssl", "x509", "-in", paths["cert"], "-noout", "-checkend", "0")[0] != 0:
        return [f"{names['cert']}: {paths['cert']} has expired"]
    return []


def _authority(side: str, settings: Mapping[str, str], run: Run) -> list[str]:
    name = f"{side}_tls_ca_file"
    path = settings.get(name, "")
    # x509 reads the first certificate only, crl2pkcs7 the whole bundle, but is content with none
    commands = (["x509", "-noout", "-in"], ["crl2pkcs7", "-nocrl", "-out", "/dev/null", "-certfile"])
    if path and any(run("openssl", *command, path)[0] != 0 for command in commands):
        return [f"{name}: {path} has no certificates that PgBouncer's user can read"]
    return []


__all__ = ("SETTINGS", "TlsFile", "files", "problems")
