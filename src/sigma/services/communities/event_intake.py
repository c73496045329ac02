"""VK events: stored before VK gets its reply, then processed per conversation, in order."""

import hmac
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from sigma.channels.vk import events, groups
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import VkError
from sigma.channels.vk.events import ParsedEvent, VkMessage
from sigma.channels.vk.fields import read_int, read_object
from sigma.domain.billing.connection import Status
from sigma.domain.change import Job
from sigma.domain.errors import RefusedError
from sigma.domain.limits import VK_EVENTS
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.vk_event import VkEvent
from sigma.domain.time_units import MINUTE_US, SECOND_US
from sigma.services.communities.event_handlers import (
    EVENT_TYPES,
    MESSAGE_EVENTS,
    UNREADABLE_TYPE,
    DecryptedEvent,
)
from sigma.services.context import Context
from sigma.store import jobs
from sigma.store.billing import connections
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Op, StoreError
from sigma.store.messaging import communities, vk_events

log = structlog.get_logger()

OK_REPLY = "ok"
MAX_BODY_BYTES = events.MAX_BODY_BYTES
# After such a silence read the history: VK repeats events only for a while.
CATCH_UP_SILENCE_US = 30 * MINUTE_US
LAST_CONTACT_PRECISION_US = 30 * SECOND_US  # precision of `last_contact_at_us`: fewer writes
GROUP_KEY = "group"
_TYPE_IN_LOG = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class EventNotStoredError(Exception):
    """The database did not store an event. VK must deliver it again."""


async def access_community(ctx: Context, connection_id: str) -> Community:
    """Return the community of a callback URL, before the body of the request is read.

    Raises EventNotStoredError, and RefusedError("not_found") also for one that is switched off.
    """
    with _errors_for_vk(connection_id):
        async with ctx.db.read() as tx:
            connection = await connections.get(tx, connection_id)
            community = await communities.get(tx, connection_id)
    if community is None or connection is None or connection.status is not Status.ACTIVE:
        raise RefusedError("not_found", what="connection")
    return community


async def accept_callback(ctx: Context, community: Community, body: bytes, retry_count: int) -> str:
    """Store an event of the Callback API and return the reply: "ok", or the confirmation code.

    `retry_count`: VK's retry counter. Raises EventNotStoredError, and RefusedError: bad_request,
    not_found, forbidden (wrong secret or community), too_many_requests (VK repeats the event).
    Source: https://dev.vk.com/ru/api/callback/getting-started
    """
    with _errors_for_vk(community.id):
        return await _accept(ctx, community, body, retry_count)


@contextmanager
def _errors_for_vk(connection_id: str) -> Iterator[None]:
    """Raise EventNotStoredError instead of an error of the database."""
    try:
        yield
    except StoreError as error:
        log.warning("vk_event.not_stored", connection=connection_id, error=type(error).__name__)
        raise EventNotStoredError from error


async def _accept(ctx: Context, community: Community, body: bytes, retry_count: int) -> str:
    try:
        event = events.parse_body(body)
    except ValueError as error:
        raise RefusedError("bad_request") from error
    _check_sender(ctx, community, event)
    if event.type == "confirmation":
        if not community.confirmation_code:
            raise RefusedError("not_found", what="confirmation")
        return community.confirmation_code
    await ctx.limiter.require(VK_EVENTS, community.id)
    if retry_count:
        log.info("vk_event.retried", connection=community.id, type=event.type, retry=retry_count)
    now_us = ctx.now_us()
    ops = _store_ops(ctx, community, [event], now_us)
    async with ctx.db.write() as tx:
        await tx.write_all(ops, [jobs.CHANNEL])
        if now_us - community.last_contact_at_us > LAST_CONTACT_PRECISION_US:
            await communities.record_contact(tx, community.id, now_us)
    return OK_REPLY


def _check_sender(ctx: Context, community: Community, event: ParsedEvent) -> None:
    """Check the secret and the community id; VK does not sign events.

    Raises RefusedError, and DecryptionError when our secret cannot be decrypted.
    """
    secret_encrypted = community.callback_secret_encrypted
    column = EncryptedColumn.COMMUNITY_CALLBACK_SECRET
    secret = (
        str(ctx.cipher.decrypt(secret_encrypted, column, community.id)) if secret_encrypted else ""
    )
    same_secret = hmac.compare_digest(event.secret.encode(), secret.encode())
    # A confirmation request may come without the secret; the code is useless to others.
    is_trusted = same_secret or (event.type == "confirmation" and not event.secret)
    if not is_trusted or not secret or event.group_id != community.group_id:
        log.warning("vk_event.forged", connection=community.id)
        raise RefusedError("forbidden")


async def accept_long_poll(
    ctx: Context,
    community_id: str,
    updates: Iterable[dict[str, Any]],
    ts: str,
    *,
    has_gap: bool = False,
) -> None:
    """Store a batch of the long poll together with its new `ts`, in one transaction.

    `has_gap`: events before this batch may be lost, so also enqueue a catch-up.
    """
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
    assert community is not None, "a polled community exists"
    parsed = []
    for update in updates:
        try:
            event = events.parse_event(update)
        except ValueError:
            log.warning("vk_event.unreadable", connection=community_id)
            continue
        if event.group_id == community.group_id:
            parsed.append(event)
    now_us = ctx.now_us()
    ops = _store_ops(ctx, community, parsed, now_us, has_gap=has_gap)
    async with ctx.db.write() as tx:
        await communities.record_poll(tx, community_id, ts, now_us)
        if ops:
            await tx.write_all(ops, [jobs.CHANNEL])


def _store_ops(
    ctx: Context,
    community: Community,
    batch: list[ParsedEvent],
    now_us: int,
    *,
    has_gap: bool = False,
) -> list[Op]:
    """Return the writes that store the events and enqueue their jobs.

    Events of unknown types and without a conversation are only logged. A message event whose
    message cannot be read enqueues a catch-up. `has_gap`: enqueue one, as after a long silence.
    """
    ops, conversation_keys = [], set()
    for event in batch:
        conversation_key = _conversation_key(event)
        if not conversation_key:
            _log_skipped(community, event)
            has_gap = has_gap or _has_unreadable_message(event)
            continue
        event_id = ctx.new_id("vke", community.shop_id)
        stored = VkEvent(
            id=event_id,
            shop_id=community.shop_id,
            connection_id=community.id,
            conversation_key=conversation_key,
            type=event.type,
            digest=event.event_id,
            body_encrypted=ctx.cipher.encrypt(
                replace(event, secret=""), EncryptedColumn.VK_EVENT_BODY, event_id
            ),
            received_at_us=now_us,
        )
        ops.append(vk_events.store_event(stored))
        conversation_keys.add(conversation_key)
    new_jobs = [
        Job("vk_event.process", f"{community.id}:{key}", community.shop_id)
        for key in conversation_keys
    ]
    if has_gap or now_us - community.last_contact_at_us > CATCH_UP_SILENCE_US:
        new_jobs.append(Job("community.catch_up", community.id, community.shop_id))
    return ops + [jobs.enqueue(job, now_us) for job in new_jobs]


def _conversation_key(event: ParsedEvent) -> str:
    """Return "peer:<id>" for a conversation, "group" for the community, "" to skip the event."""
    if event.type not in EVENT_TYPES:
        return ""
    if event.type in ("group_change_settings", "group_change_photo"):
        return GROUP_KEY
    peer_id = _peer_id(event)
    is_usable = peer_id and abs(peer_id) < events.MAX_ID
    return f"peer:{peer_id}" if is_usable and peer_id < vk_messages.FIRST_CHAT_PEER_ID else ""


def _peer_id(event: ParsedEvent) -> int:
    fields = read_object(event.object, "message") or event.object
    return read_int(fields, "peer_id") or read_int(fields, "user_id")


def _has_unreadable_message(event: ParsedEvent) -> bool:
    """Return whether an event that is not stored may have been about a message of a client."""
    return event.type in MESSAGE_EVENTS and not _peer_id(event)


def _log_skipped(community: Community, event: ParsedEvent) -> None:
    """Log an event that is not stored, unless it is of a known kind that needs no processing."""
    if _has_unreadable_message(event):
        log.warning("vk_event.unreadable", connection=community.id, type=event.type)
    elif event.type not in groups.CALLBACK_EVENTS:
        is_word = _TYPE_IN_LOG.fullmatch(event.type)
        log.info(
            "vk_event.ignored", connection=community.id, type=event.type if is_word else "other"
        )


async def process_conversation(ctx: Context, subject: str) -> int | None:
    """Job vk_event.process: process all stored events of a conversation, each in a transaction.

    An event that fails does not stop the following ones; the job then fails and is repeated.
    Returns the current time (UTC microseconds) when more events are waiting, else None.
    """
    connection_id, _, conversation_key = subject.partition(":")
    async with ctx.db.read() as tx:
        stored_events = await vk_events.list_unprocessed(tx, connection_id, conversation_key)
        community = await communities.get(tx, connection_id)
    if community is None:
        return None
    failure: Exception | None = None
    for event in _sort_events([_decrypt(ctx, stored) for stored in stored_events]):
        try:
            await EVENT_TYPES[event.type].process(ctx, community, event)
        except (StoreError, VkError):
            raise  # the following events would fail in the same way
        except Exception as error:  # noqa: BLE001 - one bad event must not stop a conversation
            log.error("vk_event.failed", vk_event=event.stored.id, error=type(error).__name__)
            failure = error
    if failure is not None:
        raise failure
    return ctx.now_us() if len(stored_events) == vk_events.BATCH_SIZE else None


def _decrypt(ctx: Context, stored: VkEvent) -> DecryptedEvent:
    """Decrypt and parse a stored event. A damaged one becomes UNREADABLE_TYPE: only logged.

    Raises DecryptionError when its key is missing.
    """
    try:
        body = ctx.cipher.decrypt(stored.body_encrypted, EncryptedColumn.VK_EVENT_BODY, stored.id)
        event = msgspec.convert(body, ParsedEvent)
    except DecryptionError as error:
        if error.is_key_missing:
            raise  # the event waits until the key is back
        return DecryptedEvent(stored, UNREADABLE_TYPE)
    except ValueError:
        return DecryptedEvent(stored, UNREADABLE_TYPE)
    # A newer version may have stored a type that this one does not know.
    event_type = EVENT_TYPES.get(event.type)
    try:
        payload = event_type.parse(event.object) if event_type else None
    except ValueError:
        event_type = payload = None
    return DecryptedEvent(stored, event.type if event_type else UNREADABLE_TYPE, payload)


def _sort_events(decrypted_events: list[DecryptedEvent]) -> list[DecryptedEvent]:
    """Sort messages by their number in the conversation, an edit after its message.

    Other events keep their positions.
    """

    def order(event: DecryptedEvent) -> tuple[int, bool, int]:
        message: VkMessage = event.payload
        return message.cmid, event.type == "message_edit", message.edited_at_us

    messages = iter(
        sorted((event for event in decrypted_events if event.type in MESSAGE_EVENTS), key=order)
    )
    return [next(messages) if event.type in MESSAGE_EVENTS else event for event in decrypted_events]
