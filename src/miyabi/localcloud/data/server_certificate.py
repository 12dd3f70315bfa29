"""The certificate authority of a home, which signs the databases' certificates."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from miyabi.environment.home import write_private

IDENTIFIER = "rds-ca-rsa2048-g1"
"""The name of AWS's own default authority; this one is the home's."""
_YEARS = timedelta(days=3650)
_BEFORE = timedelta(days=1)  # clocks differ


@dataclass(frozen=True, slots=True)
class Described:
    """The authority as DescribeCertificates shows it."""

    thumbprint: str
    valid_from: datetime
    valid_till: datetime


class Authority:
    """A self-signed authority in a directory, made when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self._certificate = directory / "rds-ca.pem"
        self._key = directory / "rds-ca.key"
        self._described: Described | None = None

    def describe(self) -> Described:
        """Return what can be known of it."""
        if self._described is None:
            self._described = self._describe()
        return self._described

    def _describe(self) -> Described:
        certificate, _ = self._load()
        der = certificate.public_bytes(serialization.Encoding.DER)
        thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest()
        return Described(thumbprint, certificate.not_valid_before_utc, certificate.not_valid_after_utc)

    def issued(self, directory: Path, address: str) -> bool:
        """Say whether the directory holds a certificate for the address that this authority signed."""
        try:
            held = x509.load_pem_x509_certificate((directory / "server.crt").read_bytes())
            names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            held.verify_directly_issued_by(self._load()[0])
        except (OSError, ValueError, x509.ExtensionNotFound):
            return False
        wanted = ipaddress.ip_address(address)
        fresh = held.not_valid_after_utc - datetime.now(UTC) > timedelta(days=30)
        return fresh and wanted in names.get_values_for_type(x509.IPAddress) and (directory / "server.key").exists()

    def issue(self, directory: Path, address: str) -> None:
        """Write server.key and server.crt for an address."""
        authority, signing = self._load()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = _builder(address, authority.subject, key).add_extension(names, critical=False)
        write_private(directory / "server.key", _private(key))
        certificate = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        write_private(directory / "server.crt", _public(certificate.sign(signing, hashes.SHA256())))

    def _load(self) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
        if not self._certificate.exists():
            self._make()
        certificate = x509.load_pem_x509_certificate(self._certificate.read_bytes())
        key = serialization.load_pem_private_key(self._key.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{self._key} is no RSA key")
        return certificate, key

    def _make(self) -> None:
        os.makedirs(self._key.parent, mode=0o700, exist_ok=True)  # noqa: PTH103 - one call, private
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Miyabi local {IDENTIFIER}")])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = _builder(f"Miyabi local {IDENTIFIER}", name, key).add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        write_private(self._key, _private(key))
        write_private(self._certificate, _public(builder.sign(key, hashes.SHA256())))


def _builder(name: str, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _YEARS)
    )


def _private(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
