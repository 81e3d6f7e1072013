# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets PostgreSQL and PgBouncer store: SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) and md5 hashes.

Private to this collection.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata

_VERIFIER = re.compile(
    r"SCRAM-SHA-256\$(?P<iterations>[1-9][0-9]{0,9}):(?P<salt>[A-Za-z0-9+/]+=*)"
    r"\$(?P<stored_key>[A-Za-z0-9+/]+=*):(?P<server_key>[A-Za-z0-9+/]+=*)"
)
_MD5_SECRET = re.compile(r"md5[0-9a-f]{32}")
_KEY_LENGTH = hashlib.sha256().digest_size
_PROHIBITED = (
    stringprep.in_table_a1,  # unassigned in Unicode 3.2
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _mapped(password: str) -> str:
    # A zero width space stands in both tables of RFC 3454; PostgreSQL takes it as a space.
    return "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if stringprep.in_table_c12(char) or not stringprep.in_table_b1(char)
    )


def _bidi_is_valid(text: str) -> bool:
    if not any(map(stringprep.in_table_d1, text)):
        return True
    no_left_to_right = not any(map(stringprep.in_table_d2, text))
    return no_left_to_right and stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])


def prepared(password: str) -> bytes:
    """The bytes PostgreSQL derives keys from: SASLprep (RFC 4013), or the raw ones where that refuses."""
    try:
        raw = password.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # The original exception carries the password.
        raise ValueError("the password is not valid Unicode text") from None
    if not raw or b"\0" in raw:
        raise ValueError("the password must not be empty and must not contain a NUL character")
    mapped = _mapped(password)
    # PostgreSQL looks for prohibited characters before the normalization, not after it as the RFC says.
    # Lone surrogates, which stand for bytes that are no UTF-8, are prohibited by table C.5.
    if (
        not mapped
        or any(table(char) for table in _PROHIBITED for char in mapped)
        or not _bidi_is_valid(mapped)
    ):
        return raw
    return unicodedata.normalize("NFKC", mapped).encode()


def _keys(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256")


def _parsed(text: str) -> tuple[int, bytes, bytes, bytes] | None:
    match = _VERIFIER.fullmatch(text)
    if match is None:
        return None
    try:
        salt, stored_key, server_key = (
            base64.b64decode(match[part], validate=True) for part in ("salt", "stored_key", "server_key")
        )
    except binascii.Error:
        return None
    if len(stored_key) != _KEY_LENGTH or len(server_key) != _KEY_LENGTH:
        return None
    return int(match["iterations"]), salt, stored_key, server_key


def is_verifier(text: str) -> bool:
    """Whether PostgreSQL and PgBouncer take the text as a SCRAM-SHA-256 verifier."""
    return _parsed(text) is not None


def iterations_of(text: str) -> int:
    """The iterations of a verifier; 0 for a text that is none."""
    parsed = _parsed(text)
    return parsed[0] if parsed else 0


def verifier(password: str, *, salt: bytes, iterations: int = 4096) -> str:
    """The verifier of a password as PostgreSQL stores it in pg_authid.rolpassword."""
    if not salt:
        raise ValueError("the salt must not be empty")
    if isinstance(iterations, bool) or not isinstance(iterations, int) or not 1 <= iterations <= 2147483647:
        raise ValueError(f"iterations must be a whole number from 1 to 2147483647, not {iterations!r}")
    stored_key, server_key = _keys(password, salt, iterations)
    b64 = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{b64[0]}${b64[1]}:{b64[2]}"


def matches(verifier: str, password: str) -> bool:
    """Whether the verifier belongs to the password."""
    parsed = _parsed(verifier)
    if parsed is None:
        return False
    iterations, salt, stored_key, server_key = parsed
    expected_stored_key, expected_server_key = _keys(password, salt, iterations)
    # A verifier with a wrong ServerKey makes every client refuse the server, so both keys count.
    stored_key_matches = hmac.compare_digest(stored_key, expected_stored_key)
    return hmac.compare_digest(server_key, expected_server_key) and stored_key_matches


def secret_kind(text: str) -> str:
    """What PgBouncer and PostgreSQL take a stored secret for: scram, md5 or plain."""
    if _MD5_SECRET.fullmatch(text):
        return "md5"
    return "scram" if is_verifier(text) else "plain"


__all__ = ("is_verifier", "iterations_of", "matches", "prepared", "secret_kind", "verifier")
