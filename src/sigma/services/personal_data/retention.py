"""Retention periods of a shop, and the job that deletes what is older."""

import asyncio
from dataclasses import replace

import msgspec

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.answers import Answers, next_shred_at_us, unexpired_values
from sigma.domain.change import Change, Job
from sigma.domain.errors import validation_error
from sigma.domain.messaging.message import Message, all_texts
from sigma.domain.personal_data.erasure import Erasure, Reason
from sigma.domain.personal_data.retention import DataKind, Retention, check_retention
from sigma.domain.time_units import DAY_US, SECOND_US
from sigma.services.answer_codec import decrypt_values, encrypt_values
from sigma.services.context import Context
from sigma.services.conversations import message_codec, search_index
from sigma.services.ids import min_id
from sigma.services.paging import DEFAULT_LIMIT, Page, make_page
from sigma.services.personal_data import waiting_imports
from sigma.services.personal_data.reindexing import reindex_payments
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.customers import customers, identities, lists, moves
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations
from sigma.store.personal_data import erasing, erasures, retention_settings, shredding

BATCH_SIZE = 200  # rows per transaction: on SQLite every other write waits for it
TIME_BUDGET_US = 45 * SECOND_US  # the worker cancels a job after 110 s
SINGLE_ANSWERS = "answer_values"  # in the erasure log: answers with a period of their own
BY_DATE = (DataKind.ANSWERS, DataKind.EVIDENCE, DataKind.MAILS)


async def get(ctx: Context, member: Member) -> Retention:
    """Return the shop's periods. Raises RefusedError("forbidden")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await retention_settings.get(tx, member.shop_id)


async def save(ctx: Context, member: Member, retention: Retention) -> None:
    """Store the shop's periods and delete what is older soon. Raises RefusedError("validation")."""
    member.require(Permission.SETTINGS)
    if problems := check_retention(retention):
        raise validation_error(*problems)
    job = Job("personal_data.shred", member.shop_id, member.shop_id)
    async with ctx.db.write() as tx:
        before = await retention_settings.get(tx, member.shop_id)
        await tx.write_all([retention_settings.save(member.shop_id, retention)])
        await changes.write(tx, Change(jobs=(job,)), ctx.now_us())
        if changed := changed_fields(_audited(before), _audited(retention)):
            deed = Deed.RETENTION_CHANGED
            await audit_log.record(ctx, tx, member, deed, member.shop_id, changes=changed)


def _audited(retention: Retention) -> dict[str, int]:
    return {f"{name}_days": days for name, days in msgspec.to_builtins(retention).items()}


async def list_erasures(
    ctx: Context, member: Member, *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
) -> Page[Erasure]:
    """Return a page of the erasure log, the newest first. Raises RefusedError("forbidden")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        found = await erasures.list_for_shop(
            tx, member.shop_id, before_id=cursor or "", limit=limit + 1
        )
    return make_page(found, limit, lambda erasure: erasure.id)


async def schedule(ctx: Context) -> None:
    """Enqueue the deletion by date of every shop that has none. Raises StoreError.

    The worker calls it once an hour; afterwards the job enqueues itself.
    """
    async with ctx.db.read() as tx:
        shop_ids = await retention_settings.list_unscheduled(tx)
    for shop_id in shop_ids:
        await changes.commit(
            ctx.db, Change(jobs=(Job("personal_data.shred", shop_id, shop_id),)), ctx.now_us()
        )


async def shred(ctx: Context, shop_id: str) -> int | None:
    """Job personal_data.shred: delete what is older than the shop's periods, in batches.

    Returns when to run again (UTC microseconds): at once when the time was not enough, else when
    the next answer is due, at the latest after a day. Each batch is a transaction of its own, with
    its entry in the erasure log: a run that was ended goes on where it stopped.
    """
    until_us = ctx.now_us() + TIME_BUDGET_US
    async with ctx.db.read() as tx:
        retention = await retention_settings.get(tx, shop_id)
    steps = (
        _shred_due_answers,
        _shred_by_date,
        _shred_notices,
        _shred_messages,
        _shred_customers,
        _shred_imports,
    )
    for step in steps:
        while await step(ctx, shop_id, retention):
            if ctx.now_us() >= until_us:
                return ctx.now_us()
            await asyncio.sleep(0)
    await audit_log.prune(ctx, shop_id, retention.audit)
    async with ctx.db.read() as tx:
        due_at_us = await shredding.next_due_us(tx, shop_id)
    latest_us = ctx.now_us() + DAY_US
    return latest_us if due_at_us is None else max(min(due_at_us, latest_us), ctx.now_us())


async def _shred_due_answers(ctx: Context, shop_id: str, _: Retention) -> bool:
    """Delete answers whose own period is over; return whether there may be more."""
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        due = await shredding.list_due_answers(tx, shop_id, now_us, BATCH_SIZE)
        rows = tuple(_without_expired(ctx, answers, now_us) for answers in due)
        if rows:
            await changes.write(tx, Change(rows), now_us)
            await reindex_payments(ctx, tx, {answers.payment_id for answers in rows}, now_us)
            await _log(ctx, tx, shop_id, {SINGLE_ANSWERS: len(rows)})
    return len(due) == BATCH_SIZE


def _without_expired(ctx: Context, answers: Answers, now_us: int) -> Answers:
    """Return the answers without those that are due. Unreadable ones are erased as a whole: at
    least one of them is due, and which one cannot be read.
    """
    questions, given_at_us = answers.questions, answers.created_at_us
    try:
        values = decrypt_values(ctx.cipher, answers)
    except DecryptionError as error:
        if error.is_key_missing:
            raise  # the job waits until the key is back
        values = {}
    left = unexpired_values(questions, values, given_at_us, now_us)
    return replace(
        answers,
        values_encrypted=encrypt_values(ctx.cipher, answers.id, left) if left else "",
        email_hash=answers.email_hash if "email" in left else "",
        phone_hash=answers.phone_hash if "phone" in left else "",
        shred_at_us=next_shred_at_us(questions, left, given_at_us),
        erased_at_us=None if left else now_us,
    )


async def _shred_by_date(ctx: Context, shop_id: str, retention: Retention) -> bool:
    now_us, counts = ctx.now_us(), {}
    async with ctx.db.write() as tx:
        for kind in BY_DATE:
            before_us = now_us - retention.days(kind) * DAY_US
            payment_ids = (
                await shredding.list_old_answers(tx, shop_id, before_us, BATCH_SIZE)
                if kind is DataKind.ANSWERS
                else ()
            )
            counts[kind.value] = await shredding.blank_old(
                tx, kind, shop_id, before_us=before_us, now_us=now_us, limit=BATCH_SIZE
            )
            await reindex_payments(ctx, tx, payment_ids, now_us)
        await _log(ctx, tx, shop_id, counts)
    return BATCH_SIZE in counts.values()


async def _shred_notices(ctx: Context, shop_id: str, retention: Retention) -> bool:
    before_id = min_id("ntc", ctx.now_us() - retention.notices * DAY_US)
    async with ctx.db.write() as tx:
        count = await shredding.delete_notices(tx, shop_id, before_id, BATCH_SIZE)
        await _log(ctx, tx, shop_id, {DataKind.NOTICES.value: count})
    return count == BATCH_SIZE


async def _shred_messages(ctx: Context, shop_id: str, retention: Retention) -> bool:
    """Delete old messages of one conversation; return whether there may be more."""
    before_us = ctx.now_us() - retention.messages * DAY_US
    # Read outside the transaction: looking for old messages must not take the writer lock.
    async with ctx.db.read() as tx:
        old = await shredding.list_old_messages(tx, shop_id, before_us, BATCH_SIZE)
    if not old:
        return False
    conversation_id = old[0].conversation_id
    async with ctx.db.write() as tx:
        await conversations.lock(tx, conversation_id)
        # Read again under the lock: a message may have been edited, or the client erased.
        old = await shredding.list_old_messages(tx, shop_id, before_us, BATCH_SIZE)
        chosen = [message for message in old if message.conversation_id == conversation_id]
        words = _indexed_words(ctx, shop_id, chosen)
        await shredding.blank_messages(tx, [message.id for message in chosen])
        await shredding.blank_previews(tx, [conversation_id], before_us)
        await search_index.forget(tx, ctx.cipher, shop_id, conversation_id, words)
        await _log(ctx, tx, shop_id, {DataKind.MESSAGES.value: len(chosen)})
    return True


async def _shred_customers(ctx: Context, shop_id: str, retention: Retention) -> bool:
    """Delete the cards of customers whose answers and messages are all too old."""
    before_us = ctx.now_us() - max(retention.answers, retention.messages) * DAY_US
    async with ctx.db.read() as tx:
        old = await lists.list_inactive(tx, shop_id, before_us, BATCH_SIZE)
    if not old:
        return False
    async with ctx.db.write() as tx:
        groups = {one: [one, *await lists.list_merged(tx, one)] for one in old}
        ids = [customer_id for group in groups.values() for customer_id in group]
        # In the order of a message or payment form: the customer may be paying just now.
        await moves.lock_rows(tx, ids)
        await identities.lock_of_customers(tx, ids)
        locked = await customers.lock_all(tx, ids)
        inactive = [
            one for one in old if one in locked and locked[one].last_activity_at_us < before_us
        ]
        chosen = [customer_id for one in inactive for customer_id in groups[one]]
        count = await erasing.erase_customers(tx, chosen)
        await _log(ctx, tx, shop_id, {"customers": count})
    return len(old) == BATCH_SIZE


async def _shred_imports(ctx: Context, shop_id: str, retention: Retention) -> bool:
    """Delete what waiting rows of imports hold, after the period of answers."""
    before_us = ctx.now_us() - retention.answers * DAY_US
    async with ctx.db.write() as tx:
        count = await waiting_imports.expire(ctx, tx, shop_id, before_us, BATCH_SIZE)
        await _log(ctx, tx, shop_id, {"import_rows": count})
    return count > 0


def _indexed_words(ctx: Context, shop_id: str, old: list[Message]) -> set[int]:
    """Return the search tokens of messages. Raises DecryptionError while a key is missing."""
    words: set[int] = set()
    for message in old:
        try:
            body = message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted)
        except DecryptionError as error:
            if error.is_key_missing:
                raise  # the job waits until the key is back: its words are in the index
            continue
        words |= set(search_index.query_hashes(ctx.cipher, shop_id, all_texts(body)))
    return words


async def _log(ctx: Context, tx: Tx, shop_id: str, counts: dict[str, int]) -> None:
    """Add to the erasure log what a batch has deleted, if anything."""
    counts = {kind: count for kind, count in counts.items() if count}
    if counts:
        erasure = Erasure(
            id=ctx.new_id("era", shop_id),
            shop_id=shop_id,
            erased_at_us=ctx.now_us(),
            actor="system",
            reason=Reason.PERIOD.value,
            counts=counts,
        )
        await erasures.add(tx, erasure)
