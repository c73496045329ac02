"""Link a member's VK page, Telegram chat or browser.

A VK page and a chat are linked by a one-time code that the member writes there: that proves whose
it is, and it is the consent without which VK lets no community write to a person.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sigma.channels.push.web_push import parse_subscription
from sigma.channels.vk.events import VkMessage
from sigma.domain.accounts.member import Member, Permission, User
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import NOTIFICATION_CODES
from sigma.domain.messaging.community import Community
from sigma.domain.notifications.address import (
    LINK_CODE_ALPHABET,
    LINK_CODE_LENGTH,
    LINK_CODE_TTL_US,
    MAX_ADDRESSES,
    Address,
    code_text,
    find_code,
)
from sigma.domain.notifications.kind import Way
from sigma.domain.notifications.preferences import Preferences, with_all_kinds
from sigma.outbound.policy import DeniedError
from sigma.outbound.urls import parse_url
from sigma.services.context import Context
from sigma.services.notifications.addresses import (
    push_hashes,
    server_key,
    vk_hashes,
    with_number,
    with_subscription,
)
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.accounts import members, shops, users
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import HashPurpose
from sigma.store.engine.interface import Tx
from sigma.store.notifications import addresses, preferences


@dataclass(frozen=True, slots=True)
class Linked:
    """A chat or page that has just been linked, and whose it is."""

    address: Address
    user: User
    shop: Shop


async def create_code(ctx: Context, member: Member, way: Way) -> str:
    """Return a new one-time code as it is written; earlier codes of this way become void.

    Raises RefusedError("too_many_requests").
    """
    require_person(member)
    await ctx.limiter.require(NOTIFICATION_CODES, f"{member.shop_id} {member.actor}")
    code = "".join(secrets.choice(LINK_CODE_ALPHABET) for _ in range(LINK_CODE_LENGTH))
    now_us, address_id = ctx.now_us(), ctx.new_id("nad", member.shop_id)
    waiting = Address(
        address_id,
        member.shop_id,
        member.actor,
        way,
        now_us,
        code_hash=_code_hash(ctx, code),
        code_encrypted=ctx.cipher.encrypt(code, EncryptedColumn.NOTIFICATION_CODE, address_id),
        code_expires_at_us=now_us + LINK_CODE_TTL_US,
    )
    async with ctx.db.write() as tx:
        await addresses.remove_unlinked(tx, member.shop_id, member.actor, way)
        await changes.write(tx, Change((waiting,)), now_us)
        await audit_log.record(
            ctx, tx, member, Deed.NOTIFICATION_LINK_STARTED, waiting.id, way=str(way)
        )
    return code_text(code)


async def get_code(ctx: Context, member: Member, way: Way) -> str | None:
    """Return the member's code that waits to be written, as it is written; None without one.

    None too when it has been used or has expired. Raises DecryptionError.
    """
    require_person(member)
    async with ctx.db.read() as tx:
        known = await addresses.list_for_member(tx, member.shop_id, member.actor)
    waiting = [
        one
        for one in known
        if one.way is way and one.code_encrypted and one.code_expires_at_us > ctx.now_us()
    ]
    if not waiting:
        return None
    latest = waiting[-1]
    column = EncryptedColumn.NOTIFICATION_CODE
    return code_text(str(ctx.cipher.decrypt(latest.code_encrypted, column, latest.id)))


async def accept_vk_message(ctx: Context, community: Community, message: VkMessage) -> bool:
    """Link a VK page if its message to the community has a valid code; return whether it has.

    Call it before the message is recorded: it is no client's message then.
    """
    code = find_code(message.text) or find_code(message.ref)
    if message.is_outgoing or not code:
        return False
    linked = await accept_code(
        ctx,
        code,
        way=Way.VK,
        shop_id=community.shop_id,
        number=message.peer_id,
        address_hashes=vk_hashes(ctx, community.id, message.peer_id),
        name=community.name,
        connection_id=community.id,
    )
    return linked is not None


async def accept_code(
    ctx: Context,
    code: str,
    *,
    way: Way,
    shop_id: str,
    number: int,
    address_hashes: Sequence[str],
    name: str,
    connection_id: str = "",
) -> Linked | None:
    """Link what has written a code; None for one that is wrong, used or expired.

    The same page or chat stays linked once for each member.
    """
    async with ctx.db.write() as tx:
        now_us = ctx.now_us()
        waiting = await addresses.find_by_code(tx, _code_hash(ctx, code))
        is_valid = waiting and waiting.code_expires_at_us > now_us and waiting.way is way
        if waiting is None or not is_valid or waiting.shop_id != shop_id:
            return None
        role = await members.find_role(tx, shop_id, waiting.user_id)
        user, shop = await users.get(tx, waiting.user_id), await shops.get(tx, shop_id)
        if role is None or user is None or shop is None:
            return None
        await _remove_same(tx, waiting, address_hashes)
        linked = replace(
            with_number(ctx, waiting, number, address_hashes[0]),
            name=name,
            connection_id=connection_id,
        )
        member = Member(waiting.user_id, shop_id, role)
        await _write_linked(ctx, tx, member, linked)
    return Linked(linked, user, shop)


async def _remove_same(tx: Tx, linked: Address, address_hashes: Sequence[str]) -> None:
    """Delete what this member has linked with the same page, chat or browser before."""
    for one in await addresses.list_by_hash(tx, linked.shop_id, address_hashes):
        if one.user_id == linked.user_id:
            await addresses.remove(tx, one.shop_id, one.user_id, one.id)


async def _write_linked(ctx: Context, tx: Tx, member: Member, linked: Address) -> None:
    """Write a linked address; a way that is used for the first time carries all kinds."""
    chosen = await get_preferences(ctx, tx, member)
    after = with_all_kinds(chosen, member, linked.way)
    rows = (linked,) if after == chosen and chosen.version else (linked, after)
    await changes.write(tx, Change(rows), ctx.now_us())
    await audit_log.record(
        ctx, tx, member, Deed.NOTIFICATION_LINKED, linked.id, way=str(linked.way)
    )


async def get_preferences(ctx: Context, tx: Tx, member: Member) -> Preferences:
    """Return what a member has chosen, locked; new ones of version 0 before the first choice."""
    stored = await preferences.lock(tx, member.shop_id, member.actor)
    if stored is not None:
        return stored
    return Preferences(ctx.new_id("nst", member.shop_id), member.shop_id, member.actor)


async def subscribe(
    ctx: Context, member: Member, endpoint: str, p256dh: str, auth: str, browser_name: str
) -> Address:
    """Store the push subscription of a browser. The same browser again replaces its keys.

    Raises RefusedError: "validation" for a subscription that cannot be used, "too_many_requests".
    """
    require_person(member)
    await ctx.limiter.require(NOTIFICATION_CODES, f"{member.shop_id} {member.actor}")
    try:
        subscription = parse_subscription(endpoint, p256dh, auth)
        ctx.outbound.check_url(parse_url(endpoint, "https", "http"))
    except (ValueError, DeniedError):
        raise validation_error(Problem("endpoint", "push_subscription")) from None
    fresh = Address(
        ctx.new_id("nad", member.shop_id),
        member.shop_id,
        member.actor,
        Way.PUSH,
        ctx.now_us(),
        name=browser_name,
    )
    linked = with_subscription(ctx, fresh, subscription)
    async with ctx.db.write() as tx:
        # One browser is one person's at a time, in all shops: who signs in there next does not read
        # on.
        hashes = push_hashes(ctx, subscription.endpoint)
        for one in await addresses.list_everywhere(tx, hashes):
            if one.user_id != member.actor or one.shop_id == member.shop_id:
                await addresses.remove(tx, one.shop_id, one.user_id, one.id)
        own = await addresses.list_for_way(tx, member.shop_id, member.actor, Way.PUSH)
        await _remove_oldest(tx, own)
        await _write_linked(ctx, tx, member, linked)
    return linked


async def _remove_oldest(tx: Tx, own: Sequence[Address]) -> None:
    for one in own[: max(len(own) + 1 - MAX_ADDRESSES, 0)]:
        await addresses.remove(tx, one.shop_id, one.user_id, one.id)


async def remove(ctx: Context, member: Member, address_id: str) -> None:
    """Unlink an address of the acting member. Raises RefusedError("not_found")."""
    require_person(member)
    async with ctx.db.write() as tx:
        # The lock of the preferences: a delivery that is being decided ends before.
        await preferences.lock(tx, member.shop_id, member.actor)
        if not await addresses.remove(tx, member.shop_id, member.actor, address_id):
            raise RefusedError("not_found", what="device")
        await audit_log.record(ctx, tx, member, Deed.NOTIFICATION_UNLINKED, address_id)


def public_push_key(ctx: Context) -> str:
    """Return what a browser needs to subscribe at this installation."""
    return server_key(ctx).public_text


def new_random_id() -> int:
    """Return a new idempotency key of VK: not 0, which would switch the check off."""
    return secrets.randbelow(2**31 - 1) + 1


def require_person(member: Member) -> None:
    """Require a person who may see the shop: an API key has no notifications."""
    member.require(Permission.READ)
    if member.scopes is not None:
        raise RefusedError("forbidden", permission=str(Permission.READ))


def _code_hash(ctx: Context, code: str) -> str:
    return ctx.cipher.keyed_hash(HashPurpose.NOTIFICATION_LINK, code)
