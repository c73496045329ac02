"""Ciphertexts name their key and open only in their own cell; hashes survive a new secret."""

import base64
import itertools

import pytest

from sigma.store.encrypted_columns import SUFFIX, EncryptedColumn
from sigma.store.encryption import (
    FORMATS,
    VERSION,
    Cipher,
    DecryptionError,
    HashPurpose,
    InstallationKeys,
    SignaturePurpose,
    Xaes256Gcm,
    key_id_of,
)
from sigma.store.schema.all_tables import ALL_TABLES
from tests.leaks import captured_log

OLD, NEW = "old secret " * 4, "new secret " * 4
BODY, PREVIEW = EncryptedColumn.MESSAGE_BODY, EncryptedColumn.CONVERSATION_PREVIEW
WORD, LINK = HashPurpose.SEARCH_WORD, SignaturePurpose.PAYMENT_LINK


def test_every_encrypted_column_of_the_schema_is_listed() -> None:
    in_schema = {
        f"{table.name}.{column.name}"
        for table in ALL_TABLES.tables.values()
        for column in table.columns
        if column.name.endswith(SUFFIX)
    }
    assert set(EncryptedColumn) == in_schema
    for column in EncryptedColumn:
        # What a rotation relies on.
        assert [key.name for key in column.table.primary_key] == ["id"], column
        assert "version" in column.table.columns, column


@pytest.mark.parametrize("column", EncryptedColumn)
def test_ciphertext_opens_in_its_own_cell_only(column: EncryptedColumn) -> None:
    cipher = Cipher([NEW])
    ciphertext = cipher.encrypt({"a": "я"}, column, "row_1")
    assert cipher.decrypt(ciphertext, column, "row_1") == {"a": "я"}
    cells = itertools.product(EncryptedColumn, ("row_1", "row_2", "row_", "row_11"))
    for other_column, row_id in cells:
        if (other_column, row_id) != (column, "row_1"):
            with pytest.raises(DecryptionError) as caught:
                cipher.decrypt(ciphertext, other_column, row_id)
            assert not caught.value.is_key_missing


def test_equal_values_have_different_ciphertexts() -> None:
    cipher = Cipher([NEW])
    assert len({cipher.encrypt("x", BODY, "row_1") for _ in range(50)}) == 50


def test_first_secret_encrypts_and_every_secret_decrypts() -> None:
    before, during, after = Cipher([OLD]), Cipher([NEW, OLD]), Cipher([NEW])
    old_text, new_text = before.encrypt("1", BODY, "r"), during.encrypt("2", BODY, "r")
    assert key_id_of(old_text) == before.current_key_id != after.current_key_id
    assert key_id_of(new_text) == during.current_key_id == after.current_key_id
    assert during.key_ids == (after.current_key_id, before.current_key_id)
    assert [during.decrypt(text, BODY, "r") for text in (old_text, new_text)] == ["1", "2"]
    assert after.decrypt(new_text, BODY, "r") == "2"


def test_missing_key_is_named_and_logged_once() -> None:
    text, cipher = Cipher([OLD]).encrypt("секрет", BODY, "msg_1"), Cipher([NEW])
    with captured_log() as log:
        with pytest.raises(DecryptionError) as caught:
            cipher.decrypt(text, BODY, "msg_1")
        for _ in range(3):
            with pytest.raises(DecryptionError):
                cipher.decrypt(text, BODY, "msg_1")
    assert caught.value.key_id == Cipher([OLD]).current_key_id
    assert cipher.missing_key_ids == {caught.value.key_id}
    assert log.getvalue().count("encryption.key_missing") == 1
    assert OLD.strip() not in log.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: "plain text",
        lambda text: "gAAAAABm-of-an-older-version",
        lambda text: text[:-1],
        lambda text: text[:11],
        lambda text: text[:-4] + ("AAAA" if text[-4:] != "AAAA" else "BBBB"),
        lambda text: "3" + text[1:],
        lambda text: text.replace(".", ":"),
        lambda text: text + "AAAA",
        lambda text: text + "я",
    ],
)
def test_damaged_ciphertext_raises_one_error(damage: object) -> None:
    assert callable(damage)
    cipher = Cipher([NEW])
    with pytest.raises(DecryptionError) as caught:
        cipher.decrypt(damage(cipher.encrypt("x" * 30, BODY, "r")), BODY, "r")
    assert not caught.value.is_key_missing
    assert not cipher.missing_key_ids


def test_key_id_cannot_be_exchanged() -> None:
    cipher = Cipher([NEW, OLD])
    text = cipher.encrypt("x", BODY, "r")
    with pytest.raises(DecryptionError):
        cipher.decrypt(text.replace(cipher.key_ids[0], cipher.key_ids[1]), BODY, "r")


def test_nonces_do_not_repeat() -> None:
    cipher = Cipher([NEW])
    payloads = [cipher.encrypt("x", BODY, "r")[11:] for _ in range(200)]
    nonces = {base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:24] for text in payloads}
    assert len(nonces) == 200


def test_hashes_and_signatures_do_not_depend_on_the_secret() -> None:
    keys = InstallationKeys(b"h" * 32, (b"s" * 32,), (b"a" * 32,))
    before, after = Cipher([OLD], keys), Cipher([NEW], keys)
    assert before.keyed_hash(WORD, "слово") == after.keyed_hash(WORD, "слово")
    assert after.is_signature(before.sign(LINK, "1"), LINK, "1")
    assert not after.is_signature(before.sign(LINK, "1"), LINK, "2")
    other = Cipher([NEW], InstallationKeys(b"H" * 32, (b"S" * 32,), (b"A" * 32,)))
    assert other.keyed_hash(WORD, "слово") != after.keyed_hash(WORD, "слово")
    assert not other.is_signature(before.sign(LINK, "1"), LINK, "1")


def test_every_signing_key_verifies_and_the_first_signs() -> None:
    two = Cipher([NEW], InstallationKeys(b"h" * 32, (b"1" * 32, b"2" * 32), (b"a" * 32,)))
    first = Cipher([NEW], InstallationKeys(b"h" * 32, (b"1" * 32,), (b"a" * 32,)))
    second = Cipher([NEW], InstallationKeys(b"h" * 32, (b"2" * 32,), (b"a" * 32,)))
    assert two.sign(LINK, "x") == first.sign(LINK, "x")
    assert two.is_signature(second.sign(LINK, "x"), LINK, "x")


def test_hashes_of_different_purposes_and_texts_never_meet() -> None:
    cipher = Cipher([NEW], InstallationKeys(b"k" * 32, (b"k" * 32,), (b"k" * 32,)))
    texts = [("a b", "c"), ("a", "b c"), ("a", "b", "c"), ("a b c",), ("",), ("", ""), ('a","b',)]
    hashes = {cipher.keyed_hash(purpose, *parts) for purpose in HashPurpose for parts in texts}
    assert len(hashes) == len(HashPurpose) * len(texts)
    # Even one key for both gives no signature that is a hash.
    signatures = {cipher.sign(purpose, *parts) for purpose in SignaturePurpose for parts in texts}
    assert not {one.hex()[:36] for one in signatures} & {one[:36] for one in hashes}
    values = [purpose.value for purpose in (*HashPurpose, *SignaturePurpose)]
    assert len(values) == len(set(values))


VECTOR = "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"  # pragma: allowlist secret
VECTOR_2 = "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("key", "associated_data", "ciphertext"),
    [
        (b"\x01" * 32, b"", VECTOR),
        (b"\x03" * 32, b"c2sp.org/XAES-256-GCM", VECTOR_2),
    ],
)
def test_cipher_is_xaes_256_gcm(key: bytes, associated_data: bytes, ciphertext: str) -> None:
    """The vectors of https://c2sp.org/XAES-256-GCM."""
    nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX"  # pragma: allowlist secret
    cipher = Xaes256Gcm(key)
    assert cipher.encrypt(nonce, b"XAES-256-GCM", associated_data).hex() == ciphertext
    opened = cipher.decrypt(nonce, bytes.fromhex(ciphertext), associated_data)
    assert opened == b"XAES-256-GCM"


def test_ciphertext_of_an_older_format_opens_and_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cipher = Cipher([NEW])
    with monkeypatch.context() as older:
        older.setattr("sigma.store.encryption.VERSION", "1")
        text = cipher.encrypt("x", BODY, "r")
    assert (text[0], VERSION, list(FORMATS)) == ("1", "2", ["2", "1"])
    assert cipher.decrypt(text, BODY, "r") == "x"
    assert key_id_of(text) == cipher.current_key_id
    assert not text.startswith(cipher.current_prefix), "a rotation encrypts it again"
    with pytest.raises(DecryptionError):
        cipher.decrypt("2" + text[1:], BODY, "r")
