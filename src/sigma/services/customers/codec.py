"""Encrypt and decrypt what is stored about a customer, and hash what finds them."""

from collections.abc import Iterable
from typing import Any

from sigma.domain.customers.customer import Customer, CustomerDetails, Identity
from sigma.domain.customers.joining import Contact
from sigma.services.contact_hashes import contact_hash
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, DecryptionError, HashPurpose


def encrypt_name(cipher: Cipher, customer_id: str, name: str) -> str:
    """Return the ciphertext of a name, as `Customer.name_encrypted` has it; empty without one."""
    return cipher.encrypt(name, EncryptedColumn.CUSTOMER_NAME, customer_id) if name else ""


def decrypt_name(cipher: Cipher, customer_id: str, ciphertext: str) -> str:
    """Return the name; empty when there is none. Raises DecryptionError."""
    if not ciphertext:
        return ""
    return str(cipher.decrypt(ciphertext, EncryptedColumn.CUSTOMER_NAME, customer_id))


def read_name(cipher: Cipher, customer_id: str, ciphertext: str) -> str:
    """Return the name; empty when there is none or it cannot be decrypted."""
    try:
        return decrypt_name(cipher, customer_id, ciphertext)
    except DecryptionError:
        return ""


def encrypt_details(cipher: Cipher, customer_id: str, details: CustomerDetails) -> str:
    """Return the ciphertext of notes and tags; empty without any."""
    if details == CustomerDetails():
        return ""
    value = {"notes": details.notes, "tags": list(details.tags)}
    return cipher.encrypt(value, EncryptedColumn.CUSTOMER_DETAILS, customer_id)


def decrypt_details(cipher: Cipher, customer: Customer) -> CustomerDetails:
    """Return notes and tags. Raises DecryptionError."""
    if not customer.details_encrypted:
        return CustomerDetails()
    value: dict[str, Any] = cipher.decrypt(
        customer.details_encrypted, EncryptedColumn.CUSTOMER_DETAILS, customer.id
    )
    return CustomerDetails(value["notes"], tuple(value["tags"]))


def encrypt_identity(cipher: Cipher, identity_id: str, value: str) -> str:
    """Return the ciphertext of a contact."""
    return cipher.encrypt(value, EncryptedColumn.CUSTOMER_IDENTITY, identity_id)


def read_identity(cipher: Cipher, identity: Identity) -> str | None:
    """Return the contact; None when it cannot be decrypted."""
    try:
        column = EncryptedColumn.CUSTOMER_IDENTITY
        return str(cipher.decrypt(identity.value_encrypted, column, identity.id))
    except DecryptionError:
        return None


def identity_hash(cipher: Cipher, shop_id: str, contact: Contact) -> str:
    """Return the keyed hash of a contact: that of `answers.email_hash` and `phone_hash`."""
    return contact_hash(cipher, shop_id, contact.kind.value, contact.value)


def token_hashes(cipher: Cipher, shop_id: str, tokens: Iterable[str]) -> list[int]:
    """Return the keyed hashes of search tokens, each less than 2^60 (fits BIGINT)."""
    purpose = HashPurpose.CUSTOMER_WORD
    return [int(cipher.keyed_hash(purpose, shop_id, token)[:15], 16) for token in tokens]
