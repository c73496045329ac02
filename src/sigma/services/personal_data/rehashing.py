"""Make keyed hashes anew with today's hash key, out of the encrypted texts.

After `sigma keys renew` and a restart, contacts of clients are still found by the earlier keys;
words of messages, customers and lists are found when their index has been made anew. Clients who
want no reminders are stored as hashes only; they are found by the earlier keys. Browsers of payers
and known devices count as new ones.
"""

from dataclasses import replace

from sigma.domain.billing.answers import Answers
from sigma.domain.change import Change
from sigma.domain.messaging.message import all_texts
from sigma.services.answer_codec import read_values
from sigma.services.contact_hashes import contact_hash
from sigma.services.context import CONFLICT_ERRORS, Context
from sigma.services.conversations import search_index
from sigma.services.conversations.message_codec import decrypt_body
from sigma.services.personal_data.clients import read_recipient
from sigma.services.personal_data.index_rehashing import rehash_customers, rehash_lists
from sigma.store import changes
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations, messages, search_tokens
from sigma.store.personal_data import hashed_rows


async def rehash(ctx: Context) -> int:
    """Make all hashes of contacts and words anew; return the number of rows and subjects.

    Can be run beside running processes, and again after a stop. What cannot be decrypted, and
    what is changed meanwhile, stays as it is.
    """
    count = await _rehash_contacts(ctx) + await _rehash_recipients(ctx)
    count += await rehash_customers(ctx)
    return count + await _rehash_words(ctx) + await rehash_lists(ctx)


async def _rehash_contacts(ctx: Context) -> int:
    count, after_id = 0, ""
    while True:
        async with ctx.db.read() as tx:
            page = await hashed_rows.list_answers(tx, after_id)
        for answers in page:
            hashed = _with_hashes(ctx, answers)
            if hashed != answers:
                try:
                    await changes.commit(ctx.db, Change((hashed,)), ctx.now_us())
                    count += 1
                except CONFLICT_ERRORS:
                    continue  # it was erased or shredded meanwhile
        if len(page) < hashed_rows.PAGE_SIZE:
            return count
        after_id = page[-1].id


async def _rehash_recipients(ctx: Context) -> int:
    count, after_id = 0, ""
    while True:
        async with ctx.db.read() as tx:
            page = await hashed_rows.list_recipients(tx, after_id)
        for one in page:
            address = read_recipient(ctx, one)
            if not address:
                continue
            hashed = replace(
                one, email_hash=contact_hash(ctx.cipher, one.shop_id, "email", address)
            )
            if hashed != one:
                try:
                    await changes.commit(ctx.db, Change((hashed,)), ctx.now_us())
                    count += 1
                except CONFLICT_ERRORS:
                    continue  # it was erased or sent again meanwhile
        if len(page) < hashed_rows.PAGE_SIZE:
            return count
        after_id = page[-1].id


def _with_hashes(ctx: Context, answers: Answers) -> Answers:
    values = read_values(ctx.cipher, answers) or {}

    def hashed(kind: str, stored: str) -> str:
        value = values.get(kind)
        return (
            contact_hash(ctx.cipher, answers.shop_id, kind, value) if stored and value else stored
        )

    return replace(
        answers,
        email_hash=hashed("email", answers.email_hash),
        phone_hash=hashed("phone", answers.phone_hash),
    )


async def _rehash_words(ctx: Context) -> int:
    count, after_id = 0, ""
    while True:
        async with ctx.db.read() as tx:
            page = await hashed_rows.list_conversations(tx, after_id)
        for conversation_id, shop_id in page:
            async with ctx.db.write() as tx:
                count += await _rehash_conversation(ctx, tx, shop_id, conversation_id)
        if len(page) < hashed_rows.PAGE_SIZE:
            return count
        after_id = page[-1][0]


async def _rehash_conversation(ctx: Context, tx: Tx, shop_id: str, conversation_id: str) -> int:
    """Replace the words of a conversation; leave them when a message cannot be decrypted."""
    await conversations.lock(tx, conversation_id)
    texts, before_position, before_id = [], None, ""
    while True:
        page = await messages.list_bodies(
            tx, conversation_id, before_position, before_id, search_index.PAGE_SIZE
        )
        for message_id, position, ciphertext in page:
            before_position, before_id = position, message_id
            if not ciphertext:
                continue
            try:
                texts.append(all_texts(decrypt_body(ctx.cipher, message_id, ciphertext)))
            except DecryptionError:
                return 0
        if len(page) < search_index.PAGE_SIZE:
            break
    await search_tokens.remove_all(tx, shop_id, conversation_id)
    for text in texts:
        await search_index.index_message(tx, ctx.cipher, shop_id, conversation_id, text)
    return 1
