"""Make the authorities, certificates and keys of the scenario in a directory: python certificates.py DIRECTORY."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """A CA that signs for the scenario."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key, NOW + 365 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._write(f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 60 * DAY)
            .not_valid_after(end)
        )

    def _write(self, name: str, content: bytes) -> None:
        path = self._directory / name
        path.touch(0o600)
        path.write_bytes(content)

    def sign(self, name: str, common_name: str, days: int = 30) -> None:
        """Write NAME.crt and NAME.key; the name in it is common_name, and localhost an alternative one."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = (
            self._builder(subject, key, NOW + days * DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self._write(f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
        self._write(
            f"{name}.key",
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )


def main(directory: Path) -> None:
    """Two authorities, so that what one has signed can be told from what the other has."""
    directory.mkdir(parents=True, exist_ok=True)
    first, second = Authority(directory, "first-ca"), Authority(directory, "second-ca")
    for name, common_name in (
        ("pooler", "localhost"),
        ("server", "localhost"),
        ("pooler-at-server", "by certificate"),
        ("certificate-user", "carla"),
        ("machine", "machine one"),
        ("stranger", "stranger"),
    ):
        first.sign(name, common_name)
    first.sign("expired", "localhost", days=-1)
    second.sign("pooler-2", "localhost")
    second.sign("server-2", "localhost")
    second.sign("foreign", "carla")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
