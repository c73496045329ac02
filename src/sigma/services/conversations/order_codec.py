"""Encrypt and decrypt what a VK order contains: it names a person, a phone and an address."""

import msgspec

from sigma.domain.messaging.vk_order import OrderContent, VkOrder
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, DecryptionError


def encrypt_content(cipher: Cipher, order_id: str, content: OrderContent) -> str:
    """Return the ciphertext stored in `VkOrder.body_encrypted`."""
    return cipher.encrypt(content, EncryptedColumn.VK_ORDER_BODY, order_id)


def decrypt_content(cipher: Cipher, order: VkOrder) -> OrderContent | None:
    """Return what an order contains; None when no key decrypts it."""
    try:
        body = cipher.decrypt(order.body_encrypted, EncryptedColumn.VK_ORDER_BODY, order.id)
        return msgspec.convert(body, OrderContent)
    except (DecryptionError, ValueError):
        return None
