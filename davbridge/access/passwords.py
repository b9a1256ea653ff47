"""Hashes of passwords: argon2id, which is made and read, and bcrypt, which is read.

Owns what a hash means; which strings look like one is for the settings to check. Must not know
users.

Invariants: a password is taken in Unicode's form NFC, as RFC 8265 §4.2 prepares it, since macOS may
send the decomposed form of what was typed elsewhere; comparing takes the same time whatever
differs.
"""

import unicodedata

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

BCRYPT_BYTES = 72
"""bcrypt reads no more of a password, and what made the hash has cut it there as well."""

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """An argon2id hash, with RFC 9106's second recommended parameters: 64 MiB, three passes."""
    return _hasher.hash(prepared(password))


def verify(password_hash: str, password: str) -> bool:
    """Whether ``password`` is the one that the hash was made of. Slow on purpose."""
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
    except ValueError:  # a hash that isn't one
        return False


def prepared(text: str) -> str:
    """A name or a password in form NFC, as RFC 7617 §2.1 has them (by way of RFC 8265)."""
    return unicodedata.normalize("NFC", text)
