"""Encrypt and decrypt message bodies and the one-line previews of the conversation list."""

import msgspec

from sigma.domain.messaging.message import MessageBody
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, HashPurpose

PREVIEW_LENGTH = 160  # characters


def encrypt_body(cipher: Cipher, message_id: str, body: MessageBody) -> str:
    """Return the ciphertext stored in `Message.body_encrypted`."""
    return cipher.encrypt(body, EncryptedColumn.MESSAGE_BODY, message_id)


def decrypt_body(cipher: Cipher, message_id: str, ciphertext: str) -> MessageBody:
    """Return the body of a message; an unavailable one for a message that was deleted by date.

    Raises DecryptionError when no key decrypts it.
    """
    if not ciphertext:
        return MessageBody(is_unavailable=True)
    body = cipher.decrypt(ciphertext, EncryptedColumn.MESSAGE_BODY, message_id)
    return msgspec.convert(body, MessageBody)


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


def encrypt_preview(cipher: Cipher, conversation_id: str, body: MessageBody) -> str:
    """Return the preview text of a body as ciphertext."""
    return cipher.encrypt(preview_text(body), EncryptedColumn.CONVERSATION_PREVIEW, conversation_id)


def decrypt_preview(cipher: Cipher, conversation_id: str, ciphertext: str) -> str:
    """Return the preview text; empty for an empty value (a conversation without messages).

    Raises DecryptionError when no key decrypts it.
    """
    if not ciphertext:
        return ""
    column = EncryptedColumn.CONVERSATION_PREVIEW
    return str(cipher.decrypt(ciphertext, column, conversation_id))


def draft_key(cipher: Cipher, user_id: str) -> str:
    """Return the AES key, as 32 hex digits, of unsent replies in the browser of a user.

    Pages have it while the user is signed in; the browser stores only what it encrypts.
    """
    return cipher.keyed_hash(HashPurpose.DRAFT, user_id)[:32]
