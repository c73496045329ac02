"""Addresses of members: what is stored of a VK page, a Telegram chat and a browser."""

from dataclasses import replace

from sigma.channels.push.web_push import ServerKey, Subscription
from sigma.channels.vk.events import VkMessage
from sigma.domain.messaging.community import Community
from sigma.domain.notifications.address import Address, find_code
from sigma.domain.notifications.kind import Way
from sigma.services.context import Context
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import HashPurpose, SignaturePurpose
from sigma.store.notifications import addresses

_COLUMN = EncryptedColumn.NOTIFICATION_ADDRESS


def vk_hashes(ctx: Context, community_id: str, peer_id: int) -> list[str]:
    """Return what finds a member's VK page in a community again; today's hash first."""
    return _hashes(ctx, Way.VK, community_id, str(peer_id))


async def is_member_message(ctx: Context, community: Community, message: VkMessage) -> bool:
    """Return whether a VK message belongs to the notifications of a member, not to a client.

    Such are the community's messages to a page that a member has linked, and link codes from
    there. Whatever else the member writes to the community, they write as a client.
    """
    if not (message.is_outgoing or find_code(message.text) or find_code(message.ref)):
        return False
    hashes = vk_hashes(ctx, community.id, message.peer_id)
    async with ctx.db.read() as tx:
        return bool(await addresses.list_by_hash(tx, community.shop_id, hashes))


def telegram_hashes(ctx: Context, chat_id: int) -> list[str]:
    """Return what finds a Telegram chat again; today's hash first."""
    return _hashes(ctx, Way.TELEGRAM, str(chat_id))


def push_hashes(ctx: Context, endpoint: str) -> list[str]:
    """Return what finds a browser again; today's hash first."""
    return _hashes(ctx, Way.PUSH, endpoint)


def _hashes(ctx: Context, *texts: str) -> list[str]:
    return ctx.cipher.keyed_hashes(HashPurpose.NOTIFICATION_ADDRESS, *texts)


def with_number(ctx: Context, address: Address, number: int, address_hash: str) -> Address:
    """Return an address that is linked to a VK page or a chat: its code is used up."""
    return replace(
        address,
        address_encrypted=ctx.cipher.encrypt(number, _COLUMN, address.id),
        address_hash=address_hash,
        code_hash="",
        code_encrypted="",
        code_expires_at_us=0,
    )


def number_of(ctx: Context, address: Address) -> int:
    """Return the VK user or Telegram chat of an address. Raises DecryptionError."""
    return int(ctx.cipher.decrypt(address.address_encrypted, _COLUMN, address.id))


def with_subscription(ctx: Context, address: Address, subscription: Subscription) -> Address:
    """Return an address with the subscription of a browser."""
    value = [subscription.endpoint, subscription.p256dh, subscription.auth]
    return replace(
        address,
        address_encrypted=ctx.cipher.encrypt(value, _COLUMN, address.id),
        address_hash=push_hashes(ctx, subscription.endpoint)[0],
    )


def subscription_of(ctx: Context, address: Address) -> Subscription:
    """Return the subscription of a browser. Raises DecryptionError."""
    return Subscription(*ctx.cipher.decrypt(address.address_encrypted, _COLUMN, address.id))


def server_key(ctx: Context) -> ServerKey:
    """Return the key by which push services know this installation."""
    return ServerKey(ctx.cipher.derive_key(SignaturePurpose.PUSH_KEY))
