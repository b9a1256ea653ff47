"""Password hashes: argon2id, which is created and verified, and bcrypt, which is verified.

Invariants: a password is normalised to NFC (RFC 8265 §4.2), because macOS may send the decomposed
form. A comparison takes the same time wherever the difference is.
"""

import unicodedata

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

BCRYPT_BYTES = 72
"""bcrypt uses no more of a password, also when the hash was created."""

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """An argon2id hash, with RFC 9106's second recommended parameters: 64 MiB, three passes."""
    return _hasher.hash(prepared(password))


def verify(password_hash: str, password: str) -> bool:
    """Whether ``password`` matches the hash. Slow on purpose."""
    secret = prepared(password).encode()
    if not password_hash.startswith("$argon2id$"):
        return _verify_bcrypt(password_hash, secret)
    try:
        return _hasher.verify(password_hash, secret)
    except (VerificationError, InvalidHashError):
        return False


def _verify_bcrypt(password_hash: str, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], password_hash.encode())
    except ValueError:  # not a bcrypt hash
        return False


def prepared(text: str) -> str:
    """A name or a password in form NFC, as RFC 7617 §2.1 has them (by way of RFC 8265)."""
    return unicodedata.normalize("NFC", text)
