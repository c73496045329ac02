"""Random hash, signing and audit keys of an installation, stored encrypted under SIGMA_SECRET_KEY.

They do not depend on the secret: after its rotation the search index, browsers' hashes and links
stay valid. The stored database alone does not reveal them.
"""

import base64
import secrets
from typing import Final

from sqlalchemy import select

from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, DecryptionError, InstallationKeys
from sigma.store.engine.interface import Database, Row
from sigma.store.engine.statements import insert_ignore, statement
from sigma.store.schema.platform_tables import installation_keys

HASH, SIGNING, AUDIT = "hash", "signing", "audit"
PURPOSES: Final = (HASH, SIGNING, AUDIT)
KEY_BYTES: Final = 32
RENEWED: Final = "-renewed"  # in the id of a key that replaces the older ones

_list = statement(
    select(installation_keys).order_by(installation_keys.c.created_at_us, installation_keys.c.id)
)
_add = statement(insert_ignore(installation_keys, "id"))


async def load_cipher(db: Database, secret_keys: tuple[str, ...], now_us: int) -> Cipher:
    """Return the cipher of this installation; the first call creates its keys.

    Keys that no secret decrypts stay stored and new ones are used meanwhile: they are back when
    the secret is back. Raises StoreError.
    """
    cipher = Cipher(secret_keys)
    for purpose in PURPOSES:
        if not (await _read(db, cipher))[purpose]:
            await _create(db, cipher, purpose, now_us)
    found = await _read(db, cipher)  # another process may have been first
    hash_key, *earlier_keys = found[HASH]
    return cipher.with_keys(
        InstallationKeys(hash_key, tuple(found[SIGNING]), tuple(found[AUDIT]), tuple(earlier_keys))
    )


async def renew_keys(db: Database, cipher: Cipher, now_us: int) -> None:
    """Add a key of each purpose; processes that start from now on hash and sign with them.

    The earlier ones still verify, and find what is stored. Raises StoreError.
    """
    for purpose in PURPOSES:
        await _create(db, cipher, purpose, now_us, RENEWED)


async def _read(db: Database, cipher: Cipher) -> dict[str, list[bytes]]:
    """Return the keys that can be decrypted by purpose, the one that is used first.

    That is the latest renewed one, else the oldest: one that was created because the older could
    not be decrypted comes after them when they can be.
    """
    found: dict[str, list[bytes]] = {purpose: [] for purpose in PURPOSES}
    rows = await _list_rows(db)
    renewed = [row for row in rows if RENEWED in row["id"]]
    for row in (*reversed(renewed), *(row for row in rows if row not in renewed)):
        try:
            text = cipher.decrypt(row["key_encrypted"], EncryptedColumn.INSTALLATION_KEY, row["id"])
        except DecryptionError:
            continue  # logged by the cipher
        found[row["purpose"]].append(base64.b64decode(text))
    return found


async def _list_rows(db: Database) -> list[Row]:
    async with db.read() as tx:
        return await tx.fetch_all(_list)


async def _create(
    db: Database, cipher: Cipher, purpose: str, now_us: int, suffix: str = ""
) -> None:
    # Processes that start together choose the same id: the first creates the key.
    number = sum(row["purpose"] == purpose for row in await _list_rows(db))
    key_id = f"{purpose}-{number}-{cipher.current_key_id}{suffix}"
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    async with db.write() as tx:
        await tx.execute(
            _add,
            id=key_id,
            purpose=purpose,
            key_encrypted=cipher.encrypt(text, EncryptedColumn.INSTALLATION_KEY, key_id),
            created_at_us=now_us,
            version=1,
        )
