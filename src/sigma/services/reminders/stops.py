"""Clients who want no reminders and no letters with invoices.

A client is stored as a keyed hash of the shop and the address or VK user: an erasure of the
client's data leaves it, or Sigma would write again to somebody who has objected. The hash has a
purpose of its own, so it cannot be compared with the hashes that find payments.
"""

import base64
import binascii
import re

from sigma.domain.accounts.shop import Shop
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.reminders.reminder import Channel
from sigma.services.context import Context
from sigma.store.accounts import shops
from sigma.store.billing import reminders
from sigma.store.encryption import HashPurpose, SignaturePurpose
from sigma.store.engine.interface import Tx

_HASH = re.compile(r"[0-9a-f]{40}", re.ASCII)


def email_hashes(ctx: Context, shop_id: str, address: str) -> list[str]:
    """Return the hashes that a stored stop of this address may have; today's first."""
    return _hashes(ctx, shop_id, Channel.EMAIL, address.casefold())


def conversation_hashes(ctx: Context, conversation: Conversation) -> list[str]:
    """Return the hashes that a stored stop of this VK user may have; today's first.

    A user who writes to two communities of a shop is one client.
    """
    return _hashes(ctx, conversation.shop_id, Channel.CONVERSATION, str(conversation.peer_id))


def _hashes(ctx: Context, shop_id: str, channel: Channel, value: str) -> list[str]:
    return ctx.cipher.keyed_hashes(HashPurpose.REMINDER_STOP, shop_id, str(channel), value)


def stop_url(ctx: Context, shop_id: str, client_hash: str) -> str:
    """Return the link by which a client ends reminders. It works also after an erasure."""
    signature = ctx.cipher.sign(SignaturePurpose.STOP_LINK, shop_id, client_hash)
    text = base64.urlsafe_b64encode(signature).decode()
    return f"{ctx.settings.base_url}/stop/{shop_id}/{client_hash}/{text}"


async def access_link(ctx: Context, shop_id: str, client_hash: str, signature: str) -> Shop:
    """Return the shop of a stop link. Raises RefusedError("not_found") for a forged one."""
    try:
        raw = base64.urlsafe_b64decode(signature.encode())
    except (binascii.Error, ValueError):
        raw = b""
    is_valid = _HASH.fullmatch(client_hash) is not None and ctx.cipher.is_signature(
        raw, SignaturePurpose.STOP_LINK, shop_id, client_hash
    )
    shop = None
    if is_valid:
        async with ctx.db.read() as tx:
            shop = await shops.get(tx, shop_id)
    if shop is None:
        raise RefusedError("not_found", what="link")
    return shop


async def is_stopped(ctx: Context, client_hash: str) -> bool:
    """Return whether the client of a stop link wants no reminders."""
    async with ctx.db.read() as tx:
        return await reminders.has_stop(tx, [client_hash])


async def stop(
    ctx: Context, shop_id: str, client_hash: str, signature: str, *, is_stopped: bool = True
) -> Shop:
    """End the reminders to the client of a link, or allow them again.

    Repeating it changes nothing. Raises RefusedError("not_found") for a forged link.
    """
    shop = await access_link(ctx, shop_id, client_hash, signature)
    async with ctx.db.write() as tx:
        if is_stopped:
            await tx.write_all([reminders.stop(client_hash, shop_id, ctx.now_us())])
        else:
            await reminders.resume(tx, [client_hash])
    return shop


async def stop_conversation(ctx: Context, tx: Tx, conversation: Conversation) -> None:
    """End the reminders to a client who has written the stop word."""
    client_hash = conversation_hashes(ctx, conversation)[0]
    await tx.write_all([reminders.stop(client_hash, conversation.shop_id, ctx.now_us())])
