"""A certificate authority of the simulator's own, and the server certificate it signs."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Certificates", "make_certificates", "server_context"]

_LIFE = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM: what clients trust, and what the server shows."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def make_certificates(folder: Path, hosts: tuple[str, ...]) -> Certificates:
    """The CA and the server certificate in the folder; made anew where they do not serve these names for a day more.

    A client that was started with the CA goes on to trust a simulator that is started again. The CA's key is not kept.
    """
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if not _serve(files, hosts):
        _make(files, hosts)
    return files


def _serve(files: Certificates, hosts: tuple[str, ...]) -> bool:
    """Whether all three files are there and the certificate names all hosts and lasts for another day."""
    if not all(file.is_file() for file in (files.ca_file, files.certificate_file, files.key_file)):
        return False
    try:
        server = x509.load_pem_x509_certificate(files.certificate_file.read_bytes())
        named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    lasts = server.not_valid_after_utc > dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    return lasts and all(_alternative(host) in named for host in hosts)


def _make(files: Certificates, hosts: tuple[str, ...]) -> None:
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _ca(ca_key)
    server = _server(ca, ca_key, server_key, hosts)
    files.key_file.touch(mode=0o600)
    files.key_file.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    files.certificate_file.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    files.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))


def server_context(files: Certificates) -> ssl.SSLContext:
    """TLS 1.2 or newer, as Graph demands."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate_file, files.key_file)
    return context


def _ca(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Graph simulator CA")])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...]
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Graph simulator")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _builder(name, ca.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # a client's clock that is behind is not the certificate's fault
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
