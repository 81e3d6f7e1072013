"""TLS files, with certificates made by openssl and judged by it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_tls import (
    SETTINGS,
    files,
    problems,
)

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"


def test_files() -> None:
    result = files({"client_tls_cert_file": CERTIFICATE, "server_tls_key_file": KEY}, "/tls")
    assert [tuple(file) for file in result.values()] == [
        ("/tls/client_tls_cert.pem", CERTIFICATE, "0644", False),
        ("/tls/server_tls_key.pem", KEY + "\n", "0640", True),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "a mapping of settings"),
        ({"tls_cert": CERTIFICATE}, r"\.tls_cert: one of client_tls_cert_file,"),
        ({"client_tls_key_file": "/etc/ssl/hunter2.key"}, "client_tls_key_file: PEM text with a private key"),
        ({"client_tls_key_file": CERTIFICATE}, "client_tls_key_file: PEM text with a private key"),
        ({"server_tls_ca_file": KEY}, "server_tls_ca_file: PEM text with a certificate"),
        ({"server_tls_ca_file": None}, "server_tls_ca_file: PEM text with a certificate"),
    ],
)
def test_refused_files(given: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^pgbouncer_tls_files.*{message}") as caught:
        files(given, "/tls")
    assert "hunter2" not in str(caught.value)


def run(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs one and two, a key with a passphrase, an expired certificate, and what is none at all."""
    directory = tmp_path_factory.mktemp("tls")
    for name, lifetime in (("one", ["-days", "9"]), ("two", ["-days", "9"])):
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        files_ = [
            "-keyout",
            f"{directory}/{name}.key",
            "-out",
            f"{directory}/{name}.crt",
            "-subj",
            f"/CN={name}",
        ]
        subprocess.run([*new, *files_, *lifetime], check=True, capture_output=True)
    locked = ["openssl", "pkey", "-in", f"{directory}/one.key", "-aes256", "-passout", "pass:x", "-out"]
    subprocess.run([*locked, f"{directory}/locked.key"], check=True, capture_output=True)
    request = ["openssl", "req", "-new", "-key", f"{directory}/one.key", "-subj", "/CN=one", "-out"]
    subprocess.run([*request, f"{directory}/one.csr"], check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", f"{directory}/one.csr", "-signkey", f"{directory}/one.key"]
    old = ["-days", "-1", "-out", f"{directory}/old.crt"]
    subprocess.run([*sign, *old], check=True, capture_output=True)
    (directory / "none").write_text("nothing\n")
    return directory


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ""),
        (
            {
                "client_tls_cert_file": "one.crt",
                "client_tls_key_file": "one.key",
                "client_tls_ca_file": "two.crt",
            },
            "",
        ),
        ({"server_tls_ca_file": "one.crt"}, ""),
        ({"server_tls_ca_file": "none"}, "server_tls_ca_file: .*none has no certificates"),
        ({"server_tls_ca_file": "missing"}, "server_tls_ca_file: .*missing has no certificates"),
        ({"server_tls_ca_file": "one.key"}, "server_tls_ca_file: .*one.key has no certificates"),
        ({"client_tls_cert_file": "one.crt"}, "client_tls_key_file: needed with client_tls_cert_file"),
        ({"client_tls_key_file": "one.key"}, "client_tls_cert_file: needed with client_tls_key_file"),
        (
            {"client_tls_cert_file": "one.crt", "client_tls_key_file": "two.key"},
            "two.key does not belong to .*one.crt",
        ),
        (
            {"server_tls_cert_file": "one.crt", "server_tls_key_file": "locked.key"},
            "no key without a passphrase",
        ),
        ({"server_tls_cert_file": "one.crt", "server_tls_key_file": "none"}, "no key without a passphrase"),
        ({"server_tls_cert_file": "none", "server_tls_key_file": "one.key"}, "none is no certificate"),
        ({"server_tls_cert_file": "old.crt", "server_tls_key_file": "one.key"}, "old.crt has expired"),
    ],
)
def test_what_openssl_says(settings: dict[str, str], expected: str, made: Path) -> None:
    found = "; ".join(problems({name: f"{made}/{path}" for name, path in settings.items()}, run))
    assert set(settings) <= set(SETTINGS)
    if expected:
        with pytest.raises(AssertionError, match=expected):
            assert not found, found
    else:
        assert found == ""
