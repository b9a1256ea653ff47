"""Hashes of passwords: what davbridge makes, and what other tools have made."""

import unicodedata

import bcrypt
import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from davbridge.access.passwords import hash_password, verify
from davbridge.config import User

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def test_a_new_hash_is_argon2id_as_rfc_9106_recommends_and_salted() -> None:
    first, second = hash_password("secret"), hash_password("secret")
    assert first != second
    parameters = extract_parameters(first)
    assert parameters.type is Type.ID
    assert (parameters.time_cost, parameters.memory_cost, parameters.parallelism) == (3, 65536, 4)
    assert verify(first, "secret")
    assert not verify(first, "Secret")


@pytest.mark.parametrize("kind", ["2a", "2b", "2y"])
def test_bcrypt_hashes_of_other_tools_are_read(kind: str) -> None:
    made = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    assert verify(f"${kind}{made[3:]}", "secret")
    assert not verify(f"${kind}{made[3:]}", "secret ")


def test_bcrypt_reads_72_bytes_of_a_password() -> None:
    made = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert verify(made, "x" * 72 + "more")
    assert not verify(made, "x" * 71)


@pytest.mark.parametrize("password", ["", "Grüße", "пароль", "🔑" * 30, "a\0b", " "])
def test_every_password_can_be_used(password: str) -> None:
    for made in (
        CHEAP.hash(unicodedata.normalize("NFC", password)),
        bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode(),
    ):
        assert verify(made, password)
        assert not verify(made, password + "x") or len(password.encode()) >= 72
        assert not verify(made, "y" + password)


def test_a_decomposed_password_is_the_composed_one() -> None:
    made = CHEAP.hash("Grüße")
    assert verify(made, unicodedata.normalize("NFD", "Grüße"))


@pytest.mark.parametrize("text", ["", "secret", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$x$y"])
def test_a_malformed_hash_fits_no_password(text: str) -> None:
    assert not verify(text, "secret")
    assert not verify(text, text)


def test_the_settings_take_every_hash_that_is_read_here() -> None:
    User("anna", hash_password("secret"))
    User("anna", bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode())
