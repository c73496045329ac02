"""Keyed hashes of contacts, by which the rows of one client are found."""

from sigma.store.encryption import Cipher, HashPurpose


def contact_hash(cipher: Cipher, shop_id: str, kind: str, value: object) -> str:
    """Return the keyed hash of a contact ("vk", "email" or "phone"); empty without one.

    Equal contacts of one shop have equal hashes; of two shops they cannot be compared.
    """
    if not isinstance(value, str) or not value:
        return ""
    return cipher.keyed_hash(HashPurpose.CONTACT, shop_id, kind, value.casefold())
