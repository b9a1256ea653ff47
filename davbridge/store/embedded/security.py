"""The security configuration of an embedded SeaweedFS: one certificate, its keys, who may use S3.

By default whoever reaches a port of SeaweedFS, but S3's, reads, writes and deletes without a
login. What is written here closes all of them: gRPC, and HTTP of master, volume, filer and admin
server, take part in mutual TLS with one certificate that only SeaweedFS itself has. Filer and
volume server want tokens as well that only SeaweedFS can sign.

Tokens alone would leave the volume server's status to everyone on this machine: where the data is,
how much of it, and the buckets' names. TLS costs half of the speed at which SeaweedFS hands out a
large file to itself.

Everything is made anew at every start, since nothing outlives the process that reads it: there is
nothing to renew, to repair or to convert. It is in files, which others can't read, because a
command line and an environment are shown to more people.
"""

import json
import secrets
import shutil
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from davbridge.errors import StoreSetupError
from davbridge.store.embedded.folder import Credentials, write_private

CERTIFICATE = "identity.pem"
"""The certificate, which is its own authority, and its private key."""

IDENTITIES = "identities.json"
"""Who may use S3, for SeaweedFS's option ``-s3.config``."""

COMMON_NAME = "davbridge's embedded store"

GRPC_ROLES = ("master", "volume", "filer", "s3", "admin", "worker", "client")
HTTPS_ROLES = ("master", "volume", "filer", "admin")
SIGNING_KEYS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")

TOKEN_LIFETIME = 600
"""Seconds. A token never leaves the machine; a computer that was asleep meanwhile still writes."""

ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
"""RFC 5280, 4.1.2.5: the end of a certificate that has none. The beginning leaves room for clocks
that are wrong when a computer starts."""


def write_security(folder: Path, credentials: Credentials) -> None:
    """Makes ``folder`` anew, with all that SeaweedFS needs when that is its working directory.

    No SeaweedFS may be running on it. Raises StoreSetupError where the package that makes
    certificates is missing.
    """
    certificate = _certificate()
    # Also deletes what a start that was killed halfway has left.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    write_private(folder / CERTIFICATE, certificate)
    write_private(folder / IDENTITIES, _identities(credentials))
    write_private(folder / "security.toml", _settings())


def _settings() -> str:
    """security.toml. Its paths are relative, so that no data folder's name needs to be quoted."""
    pair = {"cert": CERTIFICATE, "key": CERTIFICATE}
    sections = [
        # SeaweedFS uses the lower limit only together with the upper one.
        _section("tls", min_version="TLS 1.3", max_version="TLS 1.3"),
        _section("grpc", ca=CERTIFICATE),
        *(_section(f"grpc.{role}", **pair) for role in GRPC_ROLES),
        *(_section(f"https.{role}", **pair, ca=CERTIFICATE) for role in HTTPS_ROLES),
        _section("https.client", enabled=True, **pair, ca=CERTIFICATE),
        *(
            _section(name, key=secrets.token_hex(32), expires_after_seconds=TOKEN_LIFETIME)
            for name in SIGNING_KEYS
        ),
        # The filer shows its top folder without a token, where it shows folders at all.
        _section("filer.expose_directory_metadata", enabled=False),
    ]
    return "\n".join(sections)


def _section(name: str, **settings: str | int | bool) -> str:
    # Strings of plain ASCII, numbers and booleans look the same in TOML and in JSON.
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
    return f"[{name}]\n" + "".join(lines)


def _identities(credentials: Credentials) -> str:
    identity = {
        # The name that SeaweedFS itself gave to keys in its environment, by which older versions
        # of davbridge passed them: it is noted as the owner of buckets.
        "name": f"admin-{credentials.access_key[:8]}",
        "credentials": [{"accessKey": credentials.access_key, "secretKey": credentials.secret_key}],
        "actions": ["Admin"],
    }
    return json.dumps({"identities": [identity]})


def _certificate() -> str:
    """A new self-signed certificate for servers and clients, then its private key, as PEM."""
    try:
        # Comes with the extra "embedded" alone.
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as error:
        raise StoreSetupError(
            "the embedded store isn't installed completely: pip install 'davbridge[embedded]'"
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    not_before, not_after = ALWAYS
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private_key = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (certificate.public_bytes(pem) + private_key).decode("ascii")
