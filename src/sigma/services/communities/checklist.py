"""Readiness checklist of a community: refresh it from VK, and set what Sigma can set by itself."""

from typing import Any

from sigma.channels.vk import groups
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError, VkError
from sigma.channels.vk.groups import Group
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import Connection
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.messaging import checklist
from sigma.domain.messaging.checklist import (
    ChecklistItem,
    with_edited_profile,
    with_messages_enabled,
    with_refusal,
    with_services_confirmed,
    without_services_confirmed,
)
from sigma.domain.messaging.community import (
    Community,
    with_delivery_status,
    with_refreshed_profile,
)
from sigma.services.communities import event_subscription
from sigma.services.communities.community_updates import update_community
from sigma.services.context import Context
from sigma.services.vk import community_client, links
from sigma.services.vk.community_client import CommunityClient

MAX_DESCRIPTION = 4000  # characters
# groups.edit is no longer documented. These VK error codes mean that it is not available.
WITHDRAWN_METHOD_CODES = {3, 7, 15, 23, 27}


def build_items(community: Community, connection: Connection) -> list[ChecklistItem]:
    """Return all items with links to VK's pages, computed from the stored VK responses."""
    return checklist.build_items(
        community,
        links.community_url(connection),
        lambda section: links.settings_url(connection, section),
    )


async def refresh(ctx: Context, member: Member, community_id: str) -> None:
    """Query VK for every item. Raises RefusedError: no_community, vk_refused, vk_silent."""
    client = await _open_client(ctx, member, community_id)
    group, rights, state = await _fetch_state(ctx, client)
    now_us = ctx.now_us()
    await update_community(
        ctx,
        community_id,
        lambda stored: with_refreshed_profile(
            with_delivery_status(stored, state=state), group.profile, rights, now_us
        ),
    )


async def _fetch_state(ctx: Context, client: CommunityClient) -> tuple[Group, tuple[str, ...], str]:
    try:
        group = await groups.fetch_group(client.api)
        rights = tuple(sorted(await groups.fetch_permissions(client.api)))
        return group, rights, await event_subscription.fetch_state(ctx, client)
    except VkError as error:
        raise await to_refusal(ctx, client.community.id, error) from None


async def to_refusal(ctx: Context, community_id: str, error: VkError) -> RefusedError:
    """Convert a VK error; an unusable key is also recorded on the community."""
    if isinstance(error, NeedsOwnerError):
        await community_client.mark_key_broken(ctx, community_id, error)
        return RefusedError("vk_refused")
    return RefusedError("vk_silent" if isinstance(error, RetryLaterError) else "vk_refused")


async def enable_messages(ctx: Context, member: Member, community_id: str) -> bool:
    """Switch on community messages and bot capabilities. Returns False when VK denies it.

    Raises RefusedError like `refresh`.
    """
    client = await _open_client(ctx, member, community_id)
    try:
        await groups.set_settings(
            client.api, client.community.group_id, messages=True, bots_capabilities=True
        )
        group = await groups.fetch_group(client.api)
    except PermanentError as no:
        await _record_refusal(ctx, community_id, "messages", no)
        return False
    except VkError as error:
        raise await to_refusal(ctx, community_id, error) from None
    now_us = ctx.now_us()
    await update_community(
        ctx, community_id, lambda stored: with_messages_enabled(stored, group.profile, now_us)
    )
    return True


async def set_description(ctx: Context, member: Member, community_id: str, text: str) -> bool:
    """Set the community's description and verify it. Returns False when VK denies it.

    Raises RefusedError like `refresh`, or "validation".
    """
    text = text.strip()
    if not text:
        raise validation_error(Problem("description", "required"))
    if len(text) > MAX_DESCRIPTION:
        raise validation_error(Problem("description", "too_long", {"max": MAX_DESCRIPTION}))
    return await _edit_group(ctx, member, community_id, "description", description=text)


async def enable_market(ctx: Context, member: Member, community_id: str) -> bool:
    """Switch the market section on and verify it. Returns False when VK denies it.

    Raises RefusedError like `refresh`.
    """
    return await _edit_group(ctx, member, community_id, "market", market=True)


async def _edit_group(
    ctx: Context, member: Member, community_id: str, name: str, **changes: Any
) -> bool:
    client = await _open_client(ctx, member, community_id)
    try:
        await groups.edit(client.api, client.community.group_id, **changes)
        group = await groups.fetch_group(client.api)
    except PermanentError as no:
        if no.code not in WITHDRAWN_METHOD_CODES:
            raise await to_refusal(ctx, community_id, no) from None
        await _record_refusal(ctx, community_id, name, no)
        return False
    except VkError as error:
        raise await to_refusal(ctx, community_id, error) from None
    await update_community(
        ctx, community_id, lambda stored: with_edited_profile(stored, group.profile, name)
    )
    return bool(group.profile.flags[name])


async def _record_refusal(
    ctx: Context, community_id: str, name: str, error: PermanentError
) -> None:
    await update_community(ctx, community_id, lambda stored: with_refusal(stored, name, error.code))


async def confirm_services(ctx: Context, member: Member, community_id: str, is_on: bool) -> None:
    """Confirm that the section of services is switched on, or withdraw it (`is_on` False).

    VK has no field for it. Raises RefusedError("no_community").
    """
    await _open_client(ctx, member, community_id)
    now_us = ctx.now_us()
    await update_community(
        ctx,
        community_id,
        lambda stored: (
            with_services_confirmed(stored, member.actor, now_us)
            if is_on
            else without_services_confirmed(stored)
        ),
    )


async def _open_client(ctx: Context, member: Member, community_id: str) -> CommunityClient:
    member.require(Permission.SETTINGS)
    client = await community_client.open_client(ctx, community_id)
    if client.community.shop_id != member.shop_id:
        raise RefusedError("no_community")
    return client
