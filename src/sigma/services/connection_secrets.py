"""Encrypt and decrypt the secret of a connection: an acquirer's key or a community's access key."""

from sigma.domain.billing.connection import Connection
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, DecryptionError


def encrypt_secret(cipher: Cipher, connection_id: str, secret: str) -> str:
    """Return the ciphertext stored in `Connection.secret_encrypted`."""
    return cipher.encrypt(secret, EncryptedColumn.CONNECTION_SECRET, connection_id)


def decrypt_secret(cipher: Cipher, connection: Connection) -> str:
    """Return the secret of a connection. Raises DecryptionError."""
    column = EncryptedColumn.CONNECTION_SECRET
    return str(cipher.decrypt(connection.secret_encrypted, column, connection.id))


def is_secret_readable(cipher: Cipher, connection: Connection) -> bool:
    """Return whether the secret of a connection can be decrypted."""
    return is_ciphertext_readable(cipher, connection.id, connection.secret_encrypted)


def is_ciphertext_readable(cipher: Cipher, connection_id: str, ciphertext: str) -> bool:
    """Return whether the stored secret of the connection with this id can be decrypted."""
    try:
        cipher.decrypt(ciphertext, EncryptedColumn.CONNECTION_SECRET, connection_id)
    except DecryptionError:
        return False
    return True
