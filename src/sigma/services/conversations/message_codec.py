"""Encrypt and decrypt message bodies and the one-line previews of the conversation list."""

import msgspec

from sigma.domain.messaging.message import MessageBody
from sigma.store.encryption import Cipher

PREVIEW_LENGTH = 160  # characters


def encrypt_body(cipher: Cipher, body: MessageBody) -> str:
    """Return the ciphertext stored in `Message.body_encrypted`."""
    return cipher.encrypt(body)


def decrypt_body(cipher: Cipher, ciphertext: str) -> MessageBody:
    """Return the body. Raises DecryptionError when no key decrypts it."""
    return msgspec.convert(cipher.decrypt(ciphertext), MessageBody)


def preview_text(body: MessageBody) -> str:
    """Return the text as one line of at most PREVIEW_LENGTH characters.

    Without text, return in brackets the kind of the first attachment or nested message, such as
    "[photo]", or "[unavailable]".
    """
    text = " ".join(body.text.split())[:PREVIEW_LENGTH]
    kinds = [attachment.kind for attachment in body.attachments]
    kinds += ["photo"] * bool(body.vk_attachment) + [one.kind for one in body.nested]
    kinds += ["unavailable"] * body.is_unavailable
    return text or (f"[{kinds[0]}]" if kinds else "")


def encrypt_preview(cipher: Cipher, body: MessageBody) -> str:
    """Return the preview text of a body as ciphertext."""
    return cipher.encrypt(preview_text(body))


def decrypt_preview(cipher: Cipher, ciphertext: str) -> str:
    """Return the preview text; empty for an empty value (a conversation without messages).

    Raises DecryptionError when no key decrypts it.
    """
    return str(cipher.decrypt(ciphertext)) if ciphertext else ""
