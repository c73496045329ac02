"""Public names and photos of clients, read from VK profiles."""

from collections.abc import Iterable

from sigma.channels.vk.errors import NeedsOwnerError, PermanentError
from sigma.channels.vk.users import VkProfile, fetch_profiles
from sigma.domain.customers.customer import NameSource
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.conversation_changes import update_profile
from sigma.services.context import Context
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.customers import attachment
from sigma.services.customers.attachment import OfferedName
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.messaging import conversations


async def fetch_profile(ctx: Context, conversation_id: str) -> int | None:
    """Job profile.fetch: read the client's name and photo. Raises RetryLaterError.

    Does nothing when the name is already known.
    """
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, conversation_id)
    if conversation is None or conversation.name:
        return None
    try:
        vk_client = await community_client.open_client(ctx, conversation.connection_id)
        fetched = await fetch_profiles(vk_client.api, [conversation.peer_id])
    except (RefusedError, PermanentError):
        return None  # disconnected, or VK hides the profile: a later catch-up may supply the name
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, conversation.connection_id, error)
        return None
    await update_profiles(ctx, conversation.connection_id, fetched)
    return None


async def update_profiles(
    ctx: Context, community_id: str, vk_profiles: Iterable[VkProfile]
) -> None:
    """Store names and photos in the conversations of these VK users, where they have changed.

    Users without a conversation or without a name are skipped.
    """
    has_changes = False
    for profile in vk_profiles:
        async with ctx.db.read() as tx:
            conversation = await conversations.find_by_peer(tx, community_id, profile.id)
        if (
            conversation is None
            or not profile.name
            or (conversation.name, conversation.photo_url) == profile_fields(profile)
        ):
            continue
        async with ctx.db.write() as tx:
            locked = await conversations.lock(tx, conversation.id)
            now_us = ctx.now_us()
            change = update_profile(locked, profile.name, profile.photo_url, now_us)
            await changes.write(tx, change, now_us)
            if locked.customer_id is not None:
                name = OfferedName(profile.name, NameSource.VK, profile.photo_url)
                await attachment.offer_name(ctx, tx, locked.customer_id, name)
        has_changes = has_changes or bool(change)
    if has_changes:
        await notify_changed(ctx)


def profile_fields(profile: VkProfile) -> tuple[str, str]:
    """Return (name, photo URL), the profile fields that a conversation stores."""
    return profile.name, profile.photo_url
