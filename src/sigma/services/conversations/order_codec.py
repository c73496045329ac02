"""Encrypt and decrypt what a VK order contains: it names a person, a phone and an address."""

import msgspec

from sigma.domain.messaging.vk_order import OrderContent, VkOrder
from sigma.store.encryption import Cipher, DecryptionError


def encrypt_content(cipher: Cipher, content: OrderContent) -> str:
    """Return the ciphertext stored in `VkOrder.body_encrypted`."""
    return cipher.encrypt(content)


def decrypt_content(cipher: Cipher, order: VkOrder) -> OrderContent | None:
    """Return what an order contains; None when no key decrypts it."""
    try:
        return msgspec.convert(cipher.decrypt(order.body_encrypted), OrderContent)
    except (DecryptionError, ValueError):
        return None
