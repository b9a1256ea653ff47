"""Hashes of passwords: argon2id, which is made and read, and bcrypt, which is read.

Owns the formats. Must not know users.

Invariants: a password is taken in Unicode's form NFC, as RFC 8265 §4.2 prepares it, since macOS may
send the decomposed form of what was typed elsewhere; comparing takes the same time whatever
differs.
"""

import re
import unicodedata

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

BCRYPT_BYTES = 72
"""bcrypt reads no more of a password, and what made the hash has cut it there as well."""

_hasher = PasswordHasher()
_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=[0-9]{1,7},t=[0-9]{1,4},p=[0-9]{1,3}"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,172}"
)
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-9]|2[0-4])\$[./A-Za-z0-9]{53}")


def hash_password(password: str) -> str:
    """An argon2id hash, with RFC 9106's second recommended parameters: 64 MiB, three passes."""
    return _hasher.hash(_prepared(password))


def is_supported_hash(text: str) -> bool:
    """Whether `verify` can read ``text``."""
    return _ARGON2ID.fullmatch(text) is not None or _BCRYPT.fullmatch(text) is not None


def verify(password_hash: str, password: str) -> bool:
    """Whether ``password`` is the one that the hash was made of. Slow on purpose."""
    prepared = _prepared(password)
    if not password_hash.startswith("$argon2id$"):
        return _verify_bcrypt(password_hash, prepared)
    try:
        return _hasher.verify(password_hash, prepared)
    except (VerificationError, InvalidHashError):
        return False


def _verify_bcrypt(password_hash: str, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], password_hash.encode())
    except ValueError:  # a hash that isn't one
        return False


def _prepared(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode()
