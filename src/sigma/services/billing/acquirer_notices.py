"""What acquirers tell us: stored first, then taken as a hint to ask. A notice never decides
anything itself.
"""

import hashlib

from sigma.domain.billing.connection import Notice
from sigma.domain.billing.refund import Status
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.services.billing import payments as payment_services
from sigma.services.billing import refunds as refund_services
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.billing import connections, payments, refunds
from sigma.store.engine.interface import Conflict


async def take(ctx: Context, provider_name: str, connection_id: str, body: bytes) -> None:
    """Stores a notice and promises to look into it.

    The same words again are one notice, looked into again.

    Raises Refused: "not_found" for an unknown connection, "bad_request" for rubbish.
    """
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
    if connection is None or connection.provider != provider_name:
        raise Refused("not_found", what="connection")
    try:
        read = ctx.providers[provider_name].read_notice(body)
    except ValueError as error:
        raise Refused("bad_request") from error
    if read.object_kind == "other":
        return
    now = ctx.now()
    notice = Notice(
        id=ctx.new_id("ntc", connection.shop_id),
        shop_id=connection.shop_id,
        connection_id=connection.id,
        event=read.event,
        object_id=read.payment_provider_id or read.object_id,
        our_id=read.our_id,
        digest=hashlib.sha256(body).hexdigest(),
        body_sealed=ctx.sealer.seal(body.decode("utf-8", "replace")),
        received_at=now,
    )
    job = Job("notice.handle", notice.id, notice.shop_id)
    try:
        await changes.commit(ctx.db, Change((notice,), jobs=(job,)), now)
    except Conflict:
        return  # told before, word for word: its job is promised or done


async def handle(ctx: Context, notice_id: str) -> None:
    """Asks the acquirer about what a notice is about. Raises Unknown when it did not answer."""
    async with ctx.db.read() as tx:
        notice = await connections.notice(tx, notice_id)
        if notice is None or notice.handled_at is not None:
            return
        payment = await payments.by_provider(tx, notice.connection_id, notice.object_id)
        if payment is None and notice.our_id.startswith("pay_"):
            # The notice overtook our own answer: asking again with the stored key tells.
            claimed = await payments.get(tx, notice.our_id)
            if claimed and claimed.connection_id == notice.connection_id:
                payment = claimed
    if payment is not None:
        await payment_services.advance(ctx, payment.id)
        if notice.event.startswith("refund."):
            await _look_at_refunds(ctx, payment.id)
    async with ctx.db.write() as tx:
        await connections.mark_handled(tx, notice_id, ctx.now())


async def _look_at_refunds(ctx: Context, payment_id: str) -> None:
    async with ctx.db.read() as tx:
        open_ones = [
            r for r in await refunds.of_payment(tx, payment_id) if r.status is Status.PENDING
        ]
    for refund in open_ones:
        await refund_services.advance(ctx, refund.id)
