"""Acquirer notices (webhooks of acquirers): stored first, processed by a job.

A notice is not trusted: it only triggers a request to the acquirer.
"""

import hashlib
import hmac

from sigma.domain.billing.acquirer_notice import AcquirerNotice
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.refund import Status
from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError
from sigma.domain.limits import NOTICES, UNMATCHED_NOTICE_TTL_US
from sigma.domain.time_units import DAY_US
from sigma.services.billing import payments as payment_services
from sigma.services.billing import refunds as refund_services
from sigma.services.billing.refund_sync import sync_refunds
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.billing import acquirer_notices, connections, payments, refunds
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import ConflictError
from sigma.store.personal_data import retention_settings


async def access_connection(
    ctx: Context, provider_name: str, connection_id: str, token: str
) -> Connection:
    """Return the connection of a notice URL, and count the notice.

    `token`: the secret part of the URL. Raises RefusedError: "not_found" for another URL,
    "too_many_requests" above the limit of the connection.
    """
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
    if connection is None or connection.provider != provider_name:
        raise RefusedError("not_found", what="connection")
    expected = connection.notice_token
    if not expected or not hmac.compare_digest(token.encode(), expected.encode()):
        raise RefusedError("not_found", what="connection")
    await ctx.limiter.require(NOTICES, connection.id)
    return connection


async def accept(ctx: Context, connection: Connection, body: bytes) -> None:
    """Store a notice of a connection and enqueue the job that processes it.

    A notice with a body that is already stored is ignored: its job is queued or done.
    Raises RefusedError("bad_request") when the body cannot be parsed.
    """
    try:
        parsed = ctx.providers[connection.provider].parse_notice(body)
    except ValueError as error:
        raise RefusedError("bad_request") from error
    if parsed.object_kind == "other":
        return
    now_us = ctx.now_us()
    notice_id = ctx.new_id("ntc", connection.shop_id)
    notice = AcquirerNotice(
        id=notice_id,
        shop_id=connection.shop_id,
        connection_id=connection.id,
        event=parsed.event,
        object_id=parsed.payment_provider_id or parsed.object_id,
        claimed_id=parsed.claimed_id,
        digest=hashlib.sha256(body).hexdigest(),
        body_encrypted=ctx.cipher.encrypt(
            body.decode("utf-8", "replace"), EncryptedColumn.ACQUIRER_NOTICE_BODY, notice_id
        ),
        received_at_us=now_us,
    )
    job = Job(
        "acquirer_notice.process", notice.id, notice.shop_id, connection_id=notice.connection_id
    )
    try:
        await changes.commit(ctx.db, Change((notice,), jobs=(job,)), now_us)
    except ConflictError:
        return  # the same body is already stored: its job is queued or done


async def process(ctx: Context, notice_id: str) -> None:
    """Job acquirer_notice.process: query the acquirer for the payment and refunds of a notice.

    Raises UnknownOutcomeError when the acquirer did not answer.
    """
    async with ctx.db.read() as tx:
        notice = await acquirer_notices.get(tx, notice_id)
        if notice is None or notice.processed_at_us is not None:
            return
        payment = await payments.find_by_provider_id(tx, notice.connection_id, notice.object_id)
        if payment is None and notice.claimed_id.startswith("pay_"):
            # The notice arrived before the response to our own call: advance() repeats the call
            # with the stored operation key.
            claimed = await payments.get(tx, notice.claimed_id)
            if claimed and claimed.connection_id == notice.connection_id:
                payment = claimed
    if payment is not None:
        await payment_services.advance(ctx, payment.id)
        if notice.event.startswith("refund."):
            await sync_refunds(ctx, payment.id, reads_list=True)
            await _advance_refunds(ctx, payment.id)
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        retention = await retention_settings.get(tx, notice.shop_id)
        # A forged notice names no payment of ours; one about another shop of the account neither.
        delete_at_us = now_us + (
            UNMATCHED_NOTICE_TTL_US if payment is None else retention.notices * DAY_US
        )
        await acquirer_notices.mark_processed(tx, notice_id, now_us, delete_at_us)


async def _advance_refunds(ctx: Context, payment_id: str) -> None:
    async with ctx.db.read() as tx:
        pending = [
            r for r in await refunds.list_for_payment(tx, payment_id) if r.status is Status.PENDING
        ]
    for refund in pending:
        await refund_services.advance(ctx, refund.id)
