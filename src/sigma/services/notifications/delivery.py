"""Job notification.send: send what waits for one member by one way, as one message.

A delivery is stored before it is sent, and its outcome after it. What is switched off, may not be
seen any more or comes in quiet hours is decided under the lock of the member's preferences, in the
transaction that stores the attempt: a switch that was turned off before is obeyed.
"""

from dataclasses import dataclass, replace

import structlog

from sigma.channels.delivery_error import NO_RESPONSE, DeliveryError
from sigma.domain.accounts.member import Member
from sigma.domain.change import Change
from sigma.domain.notifications.address import Address
from sigma.domain.notifications.kind import Kind, Topic, Way
from sigma.domain.notifications.notification import (
    MAX_NOTIFICATIONS,
    REPORTED_ATTEMPTS,
    Delivery,
    DeliveryStatus,
    Notification,
    Recipient,
    Status,
    attempted,
    finish,
    is_tried_again,
    next_attempt_due,
    next_due,
    parse_recipient,
    retry_pause_us,
)
from sigma.domain.notifications.preferences import Preferences, is_wanted
from sigma.domain.time_units import DAY_US, SECOND_US
from sigma.services.circuit_breakers import CircuitOpenError
from sigma.services.context import Context
from sigma.services.notifications import ways
from sigma.services.notifications.announcements import Facts, notify_ops
from sigma.services.notifications.links import new_random_id
from sigma.services.notifications.rendering import render
from sigma.services.notifications.ways import OutgoingNotification
from sigma.store import changes, jobs
from sigma.store.accounts import members, shops, users
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations
from sigma.store.notifications import addresses, deliveries, notifications, preferences
from sigma.texts import Translator

log = structlog.get_logger()

# To which way a broken way is reported: the first one that the member uses.
REPORT_ORDER = (Way.VK, Way.PUSH, Way.TELEGRAM, Way.EMAIL)
NO_ADDRESS = "no_address"


@dataclass(frozen=True, slots=True)
class _Attempt:
    delivery: Delivery
    outgoing: OutgoingNotification
    addresses: tuple[Address | None, ...]  # None: e-mail


async def send(ctx: Context, key: str) -> int | None:
    """Send what waits for a recipient (`Recipient.key`).

    Returns when to run again (UTC microseconds): after quiet hours, at the end of the window, for
    the next attempt. None: nothing waits. Raises CircuitOpenError and DecryptionError: the
    delivery stays as it is.
    """
    recipient = parse_recipient(key)
    prepared = await _prepare(ctx, recipient)
    if not isinstance(prepared, _Attempt):
        return prepared
    delivery, failures = await _deliver(ctx, prepared)
    return await _record(ctx, prepared, delivery, failures)


async def _prepare(ctx: Context, recipient: Recipient) -> _Attempt | int | None:
    """Decide what is sent now and store the attempt. Returns when to run again if not now."""
    async with ctx.db.write() as tx:
        now_us = ctx.now_us()
        chosen = await preferences.lock(tx, recipient.shop_id, recipient.user_id)
        role = await members.find_role(tx, recipient.shop_id, recipient.user_id)
        latest = await deliveries.find_latest(tx, recipient)
        is_under_way = latest is not None and latest.status is DeliveryStatus.SENDING
        if is_under_way and latest is not None:
            waiting = await notifications.list_of_delivery(tx, latest.id)
        else:
            waiting = await notifications.list_queued(tx, recipient, MAX_NOTIFICATIONS)
        wanted: list[Notification] = []
        if chosen is not None and role is not None:
            member = Member(recipient.user_id, recipient.shop_id, role)
            wanted = await _still_wanted(tx, chosen, member, waiting)
        wanted_ids = {one.id for one in wanted}
        unwanted = [one for one in waiting if one.id not in wanted_ids]
        await notifications.set_status(tx, unwanted, Status.DROPPED, None)
        if chosen is None or not wanted:
            return await _drop(tx, latest if is_under_way else None, now_us)
        if is_under_way and latest is not None:
            due_at_us, delivery = next_attempt_due(chosen, latest, now_us).at_us, latest
        else:
            due_at_us = next_due(chosen, _window_start(latest), now_us).at_us
            delivery = _new_delivery(ctx, recipient, now_us)
        if due_at_us is not None:
            return due_at_us
        delivery = attempted(delivery)
        await changes.write(tx, Change((delivery,)), now_us)
        await notifications.set_status(tx, wanted, Status.QUEUED, delivery.id)
        return await _compose(ctx, tx, replace(delivery, version=delivery.version + 1), wanted)


async def _still_wanted(
    tx: Tx, chosen: Preferences, member: Member, waiting: list[Notification]
) -> list[Notification]:
    """Return what the member wants and may see at this moment; a message that somebody has read
    meanwhile is no news.
    """
    way_of = {one.id: one.recipient.way for one in waiting}
    wanted = [one for one in waiting if is_wanted(chosen, member, one.kind, way_of[one.id])]
    conversation_ids = {one.subject_id for one in wanted if one.kind is Kind.CLIENT_MESSAGE}
    if not conversation_ids:
        return wanted
    by_id = await conversations.find_by_ids(tx, conversation_ids)
    unread_ids = {one.id for one in by_id.values() if one.unread_count}
    return [
        one for one in wanted if one.kind is not Kind.CLIENT_MESSAGE or one.subject_id in unread_ids
    ]


async def _drop(tx: Tx, under_way: Delivery | None, now_us: int) -> int | None:
    """End a delivery of which nothing is wanted any more; what waits behind it is next."""
    if under_way is None:
        return None
    dropped = finish(under_way, DeliveryStatus.DROPPED, under_way.reply, now_us)
    await changes.write(tx, Change((dropped,)), now_us)
    return now_us


def _window_start(latest: Delivery | None) -> int | None:
    is_counted = latest is not None and latest.status is not DeliveryStatus.DROPPED
    return latest.started_at_us if latest is not None and is_counted else None


def _new_delivery(ctx: Context, recipient: Recipient, now_us: int) -> Delivery:
    return Delivery(ctx.new_id("ndl", recipient.shop_id), recipient, new_random_id(), now_us)


async def _compose(
    ctx: Context, tx: Tx, delivery: Delivery, wanted: list[Notification]
) -> _Attempt:
    recipient = delivery.recipient
    shop, user = await shops.get(tx, recipient.shop_id), await users.get(tx, recipient.user_id)
    assert shop is not None and user is not None, "a member is a user of a shop"
    text = render(wanted, shop.name, ctx.settings.base_url, Translator(user.locale, shop.tz))
    is_repeated = delivery.attempts > 1
    outgoing = OutgoingNotification(
        delivery.id, shop, user, text, delivery.random_id, is_repeated=is_repeated
    )
    if recipient.way is Way.EMAIL:
        return _Attempt(delivery, outgoing, (None,))
    linked = await addresses.list_for_way(tx, recipient.shop_id, recipient.user_id, recipient.way)
    return _Attempt(
        delivery, outgoing, tuple(one for one in linked if one.id not in delivery.reached)
    )


async def _deliver(ctx: Context, attempt: _Attempt) -> tuple[Delivery, list[DeliveryError]]:
    """Send to every address. Each acceptance is stored at once: a crash repeats as little as it
    can.
    """
    delivery, failures, was_called = attempt.delivery, list[DeliveryError](), True
    for address in attempt.addresses:
        try:
            reply = await ways.send(ctx, delivery.recipient.way, attempt.outgoing, address)
        except CircuitOpenError as error:
            pause_s, was_called = error.wait_us / SECOND_US, False
            failures.append(DeliveryError(NO_RESPONSE, retry_after_s=pause_s))
            continue
        except DeliveryError as error:
            failures.append(error)
            if error.is_gone and address is not None:
                await _forget(ctx, address, error)
            continue
        reached = (*delivery.reached, address.id if address else "")
        delivery = replace(delivery, reached=reached, reply=reply)
        if len(attempt.addresses) > 1:
            await changes.commit(ctx.db, Change((delivery,)), ctx.now_us())
            delivery = replace(delivery, version=delivery.version + 1)
    if not was_called and not delivery.reached:
        # Nothing was sent, so this is no attempt: a server that is down costs no message.
        delivery = replace(delivery, attempts=delivery.attempts - 1)
    return delivery, failures


async def _forget(ctx: Context, address: Address, error: DeliveryError) -> None:
    """Delete an address that will never work again; the delivery keeps the answer."""
    async with ctx.db.write() as tx:
        await addresses.remove(tx, address.shop_id, address.user_id, address.id)
    log.info("notification.address_gone", way=str(address.way), address=address.id)


async def _record(
    ctx: Context, attempt: _Attempt, delivery: Delivery, failures: list[DeliveryError]
) -> int | None:
    """Store the outcome. Returns when to run again, None when nothing waits."""
    now_us = ctx.now_us()
    temporary = [error for error in failures if not error.is_permanent]
    if temporary and is_tried_again(delivery):
        requested_us = max(int(error.retry_after_s * SECOND_US) for error in temporary)
        due_at_us = now_us + max(retry_pause_us(delivery.attempts), requested_us)
        waiting = replace(delivery, reply=temporary[0].reply, due_at_us=due_at_us)
        async with ctx.db.write() as tx:
            await changes.write(tx, Change((waiting,)), now_us)
            if delivery.attempts >= REPORTED_ATTEMPTS and not delivery.reached:
                carried = await notifications.list_of_delivery(tx, delivery.id)
                await _report_broken(ctx, tx, delivery.recipient, carried)
        return due_at_us
    is_sent = bool(delivery.reached)
    reply = delivery.reply if is_sent else (failures[0].reply if failures else NO_ADDRESS)
    status = DeliveryStatus.SENT if is_sent else DeliveryStatus.FAILED
    finished = finish(delivery, status, reply, now_us)
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((finished,)), now_us)
        carried = await notifications.list_of_delivery(tx, delivery.id)
        state = Status.SENT if is_sent else Status.FAILED
        await notifications.set_status(tx, carried, state, delivery.id)
        if failures and not is_sent:
            await _report_broken(ctx, tx, delivery.recipient, carried)
        is_more = await notifications.list_queued(tx, delivery.recipient, 1)
    return now_us if is_more else None


async def _report_broken(
    ctx: Context, tx: Tx, broken: Recipient, carried: list[Notification]
) -> None:
    """Tell the member by another way, once a day; a report that fails is not reported."""
    if all(one.kind is Kind.WAY_BROKEN for one in carried):
        return
    for way in REPORT_ORDER:
        if way is broken.way or not await _is_usable(ctx, tx, broken, way):
            continue
        recipient = replace(broken, way=way, topic=Topic.PROBLEMS)
        facts = Facts(Kind.WAY_BROKEN, broken.shop_id, broken.user_id, detail=str(broken.way))
        day = ctx.now_us() // DAY_US
        event_id = f"{broken.shop_id}:{broken.way}:{day}"
        await tx.write_all(notify_ops(ctx, facts, recipient, event_id), [jobs.CHANNEL])
        return


async def _is_usable(ctx: Context, tx: Tx, broken: Recipient, way: Way) -> bool:
    if way is Way.EMAIL:
        return True
    return bool(await addresses.list_for_way(tx, broken.shop_id, broken.user_id, way))
