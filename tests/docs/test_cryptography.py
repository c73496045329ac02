"""docs/security/cryptography.md names every algorithm, key and purpose of the code."""

import re

from argon2 import PasswordHasher

from sigma.store.encryption import FORMATS, SIGNATURE_BYTES, VERSION, HashPurpose, SignaturePurpose
from sigma.store.installation_keys import KEY_BYTES, PURPOSES
from tests.docs.markdown import read, section, tables

PAGE = read("docs/security/cryptography.md")


def rows(title: str) -> dict[str, list[str]]:
    (table,) = tables(section(PAGE, title))
    assert all(all(cell for cell in row) for row in table), "no cell is empty"
    return {row[0].strip("`"): row for row in table[1:]}


def test_every_purpose_of_a_hash_or_signature_is_listed() -> None:
    listed = rows("Purposes of keyed hashes and signatures")
    assert set(listed) == {*map(str, HashPurpose), *map(str, SignaturePurpose)}


def test_every_format_of_ciphertexts_is_listed() -> None:
    algorithms = rows("Algorithms")
    assert {name: (cipher.__name__, size) for name, (cipher, size) in FORMATS.items()} == {
        "2": ("Xaes256Gcm", 24),
        "1": ("AESGCMSIV", 12),
    }
    assert "random nonces of 192 bits" in algorithms["Encryption of columns"][3]
    older = algorithms["Older ciphertexts"]
    assert "format `1`" in older[1]
    assert f"format `{VERSION}`" in older[4]


def test_every_key_has_its_length_and_period() -> None:
    keys = rows("Keys")
    for purpose in PURPOSES:
        assert keys[purpose][2] == f"{KEY_BYTES * 8} bits"
    assert set(keys) >= {"SIGMA_SECRET_KEY", *PURPOSES, "API keys", "Session secrets"}
    for name, row in keys.items():
        assert re.search(r"year|days|life|until", row[5]), name


def test_lengths_and_costs_are_those_of_the_code() -> None:
    algorithms = rows("Algorithms")
    assert f"{SIGNATURE_BYTES * 8} bits" in algorithms["Signatures of links"][1]
    hasher = PasswordHasher()
    cost = (
        f"{hasher.memory_cost // 1024} MiB, {hasher.time_cost} passes, {hasher.parallelism} lanes"
    )
    assert cost in algorithms["Passwords, recovery codes"][1]
