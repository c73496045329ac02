"""Rows of invoice imports that wait for their invoices: they hold contacts of clients."""

from collections.abc import AsyncIterator, Collection

import msgspec

from sigma.domain.invoice_imports.batch import Batch, BatchRow, RowStatus, refuse_waiting
from sigma.domain.invoice_imports.table import RowContent
from sigma.domain.personal_data.erasure import ContactScrubber
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.invoice_imports import imports

MAX_BATCHES = 200  # unfinished imports of one shop; a limit allows 30 in an hour
PAGE_SIZE = 500


async def refuse_of_client(
    ctx: Context, tx: Tx, shop_id: str, contacts: ContactScrubber, vk_ids: Collection[int]
) -> int:
    """Refuse the waiting rows that name a client whose data are being erased; return how many.

    `contacts`: finds the client's addresses and phones in a text. A row that no key decrypts stays:
    no invoice can be created of it, and it is deleted by date.
    """
    count = 0
    for batch_id in await imports.list_creating(tx, shop_id, MAX_BATCHES):
        batch = await imports.lock(tx, batch_id)
        if batch is None:
            continue
        own = []
        async for row in _waiting_rows(tx, batch):
            content = _read(ctx, row)
            if content is not None and _names(content, contacts, vk_ids):
                own.append(row)
        if own:
            await changes.write(tx, refuse_waiting(batch, own, "client_erased"), ctx.now_us())
            count += len(own)
    return count


def _read(ctx: Context, row: BatchRow) -> RowContent | None:
    try:
        values = ctx.cipher.decrypt(row.content_encrypted, EncryptedColumn.IMPORT_CONTENT, row.id)
    except DecryptionError:
        return None
    return msgspec.convert(values, RowContent)


def _names(content: RowContent, contacts: ContactScrubber, vk_ids: Collection[int]) -> bool:
    texts = msgspec.to_builtins(content)
    return content.vk_id in vk_ids or contacts.value(texts) != texts


async def _waiting_rows(tx: Tx, batch: Batch) -> AsyncIterator[BatchRow]:
    after_id = ""
    while True:
        rows = await imports.list_rows(
            tx, batch.id, PAGE_SIZE, status=RowStatus.QUEUED, after_id=after_id
        )
        for row in rows:
            yield row
        if len(rows) < PAGE_SIZE:
            return
        after_id = rows[-1].id


async def expire(ctx: Context, tx: Tx, shop_id: str, before_us: int, limit: int) -> int:
    """Refuse waiting rows of imports that were requested before a time; return how many, <= limit.

    Only those of an import whose job has failed for good are that old.
    """
    for batch_id in await imports.list_creating(tx, shop_id, MAX_BATCHES):
        batch = await imports.lock(tx, batch_id)
        if batch is None or batch.created_at_us >= before_us:
            continue
        rows = await imports.list_rows(tx, batch.id, limit, status=RowStatus.QUEUED)
        if rows:
            await changes.write(tx, refuse_waiting(batch, rows, "import_expired"), ctx.now_us())
            return len(rows)
    return 0
