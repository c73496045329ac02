"""Passwords are stored as argon2id hashes of a cost that RFC 9106 recommends."""

from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from sigma.services.passwords import PasswordHashing
from tests.world import fast_passwords


async def test_default_cost_is_the_recommended_one() -> None:
    stored = await PasswordHashing().hash("correct horse battery")
    assert extract_parameters(stored) == RFC_9106_LOW_MEMORY


async def test_only_the_right_password_matches() -> None:
    passwords = fast_passwords()
    stored = await passwords.hash("correct horse battery")
    assert await passwords.verify(stored, "correct horse battery")
    assert not await passwords.verify(stored, "correct horse batter")
    assert not await passwords.verify("not a hash", "correct horse battery")
    assert not await passwords.verify(None, "correct horse battery")
