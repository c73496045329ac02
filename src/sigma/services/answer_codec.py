"""Encrypt and decrypt the answers of a client."""

from typing import Any

from sigma.domain.billing.answers import Answers
from sigma.domain.billing.question import AnswerValue
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, DecryptionError


def encrypt_values(cipher: Cipher, answers_id: str, values: dict[str, AnswerValue]) -> str:
    """Return the ciphertext stored in `Answers.values_encrypted`."""
    return cipher.encrypt(values, EncryptedColumn.ANSWER_VALUES, answers_id)


def decrypt_values(cipher: Cipher, answers: Answers) -> dict[str, AnswerValue]:
    """Return the answers by question key; none when they are erased. Raises DecryptionError."""
    if not answers.values_encrypted:
        return {}
    values: dict[str, Any] = cipher.decrypt(
        answers.values_encrypted, EncryptedColumn.ANSWER_VALUES, answers.id
    )
    return values


def read_values(cipher: Cipher, answers: Answers) -> dict[str, AnswerValue] | None:
    """Return the answers by question key; None when they cannot be decrypted."""
    try:
        return decrypt_values(cipher, answers)
    except DecryptionError:
        return None
