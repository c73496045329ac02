"""Delivery of VK events by callback or long poll: set up automatically and checked every hour.

Callback is used when our base URL is public, long poll otherwise, because it works from anywhere.
While VK does not accept our callback URL, long poll is used, so that no event is missed.
"""

import asyncio
import contextlib

from sigma.channels.vk import groups
from sigma.channels.vk.client import VkClient
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError, VkError
from sigma.channels.vk.groups import CallbackServer
from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.community import (
    AUTO_DELIVERY,
    DELIVERY_OK,
    Community,
    EventDelivery,
    has_waiting_work,
    with_callback,
    with_callback_secret,
    with_delivery_status,
    with_long_poll,
    without_waiting_work,
)
from sigma.domain.time_units import HOUR_US
from sigma.outbound import urls
from sigma.services.billing import connections
from sigma.services.communities.community_updates import update_community
from sigma.services.context import Context
from sigma.services.conversations import outbox
from sigma.services.invoice_cards import cards
from sigma.services.vk import community_client
from sigma.services.vk.community_client import CommunityClient
from sigma.store import changes
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.messaging import communities

SERVER_TITLE = "Sigma"  # name of our callback server in VK's settings; 14 characters at most
STATE_GONE, STATE_OFF = "gone", "off"
CONFIRMATION_PAUSES_S = (
    0.1,
    0.2,
    0.4,
    0.8,
    1.5,
    2.0,
)  # waits while VK confirms a new callback server
REQUIRED_EVENT = "message_new"


def is_public_url(base_url: str) -> bool:
    """Return whether VK can call this URL: https and not a private network."""
    return urls.is_public_url(base_url)


def should_use_callback(ctx: Context, community: Community) -> bool:
    """Return whether to use callbacks: the owner's choice, or "auto" with a public base URL."""
    if community.preferred_delivery == AUTO_DELIVERY:
        return is_public_url(ctx.settings.base_url)
    return community.preferred_delivery == EventDelivery.CALLBACK


async def set_up(ctx: Context, community_id: str) -> None:
    """Set up callback delivery, or long poll where callbacks are not wanted or do not work.

    An unusable key is recorded as the community's problem. Raises RetryLaterError,
    RefusedError("no_community").
    """
    client = await community_client.open_client(ctx, community_id)
    callback_error = ""
    try:
        if should_use_callback(ctx, client.community):
            callback_error = await _set_up_callback(ctx, client)
            if not callback_error:
                return
        await _set_up_long_poll(ctx, client, callback_error)
    except NeedsOwnerError as no:
        await community_client.mark_key_broken(ctx, community_id, no)
    except PermanentError as no:
        await _record_status(ctx, community_id, state=str(no.code), callback=callback_error)


async def _set_up_callback(ctx: Context, client: CommunityClient) -> str:
    """Set up callbacks. Returns "" on success, else an error code. Raises VkError."""
    group_id = client.community.group_id
    try:
        # VK requests the confirmation code while the server is added: store it first.
        code = await groups.fetch_confirmation_code(client.api, group_id)
        secret = await _store_confirmation(ctx, client.community.id, code)
        server = await _register_server(ctx, client, secret)
        if server.status != DELIVERY_OK:
            return server.status or "wait"
        await groups.set_callback_events(client.api, group_id, server.id)
        subscribed = await groups.fetch_callback_events(client.api, group_id, server.id)
    except PermanentError as no:
        return str(no.code)
    if REQUIRED_EVENT not in subscribed.events:
        return "events"
    await update_community(ctx, client.community.id, with_callback)
    return ""


async def _store_confirmation(ctx: Context, community_id: str, code: str) -> str:
    """Store the confirmation code, and a callback secret if there is none. Returns the secret."""
    column = EncryptedColumn.COMMUNITY_CALLBACK_SECRET
    new_secret_encrypted = ctx.cipher.encrypt(ctx.new_token(), column, community_id)
    community = await update_community(
        ctx, community_id, lambda stored: with_callback_secret(stored, code, new_secret_encrypted)
    )
    return str(ctx.cipher.decrypt(community.callback_secret_encrypted, column, community_id))


async def _register_server(ctx: Context, client: CommunityClient, secret: str) -> CallbackServer:
    """Add or update our callback server and wait until VK has confirmed it."""
    group_id, url = client.community.group_id, connections.notice_url(ctx, client.connection)
    servers = await _list_our_servers(client.api, group_id, url)
    for duplicate in servers[1:]:  # added twice concurrently: each event would come twice
        await groups.delete_callback_server(client.api, group_id, duplicate.id)
    if not servers:
        try:
            await groups.add_callback_server(client.api, group_id, url, SERVER_TITLE, secret)
        except RetryLaterError as later:
            if not later.is_outcome_unknown:
                raise  # VK has not executed the call
    elif servers[0].status != DELIVERY_OK or servers[0].secret != secret:
        await groups.edit_callback_server(
            client.api, group_id, servers[0].id, url, SERVER_TITLE, secret
        )
    for pause_s in CONFIRMATION_PAUSES_S:
        servers = await _list_our_servers(client.api, group_id, url)
        if servers and servers[0].status in (DELIVERY_OK, "failed"):
            break
        await asyncio.sleep(pause_s)
    return servers[0] if servers else CallbackServer(0, SERVER_TITLE, url, STATE_GONE)


async def _list_our_servers(vk: VkClient, group_id: int, url: str) -> list[CallbackServer]:
    return [
        server for server in await groups.list_callback_servers(vk, group_id) if server.url == url
    ]


async def _set_up_long_poll(ctx: Context, client: CommunityClient, callback_error: str) -> None:
    """Switch to long poll. `callback_error`: why callbacks do not work. Raises VkError."""
    group_id = client.community.group_id
    await groups.set_long_poll_events(client.api, group_id, True)
    switches = await groups.fetch_long_poll_events(client.api, group_id)
    is_active = switches.is_enabled and REQUIRED_EVENT in switches.events
    state = DELIVERY_OK if is_active else STATE_OFF
    await update_community(
        ctx,
        client.community.id,
        lambda stored: with_long_poll(stored, state=state, callback_error=callback_error),
    )
    if not callback_error:  # keep a callback server that VK may still confirm
        await remove_callback_server(ctx, client)


async def remove_callback_server(ctx: Context, client: CommunityClient) -> None:
    """Remove our callback server from the community; VK errors are ignored."""
    with contextlib.suppress(VkError):
        url = connections.notice_url(ctx, client.connection)
        for server in await _list_our_servers(client.api, client.community.group_id, url):
            await groups.delete_callback_server(client.api, client.community.group_id, server.id)


async def fetch_state(ctx: Context, client: CommunityClient) -> str:
    """Query VK for the delivery state: "ok" or an error code. Raises VkError."""
    group_id = client.community.group_id
    if client.community.event_delivery is EventDelivery.CALLBACK:
        servers = await _list_our_servers(
            client.api, group_id, connections.notice_url(ctx, client.connection)
        )
        return servers[0].status if servers else STATE_GONE
    switches = await groups.fetch_long_poll_events(client.api, group_id)
    return DELIVERY_OK if switches.is_enabled and REQUIRED_EVENT in switches.events else STATE_OFF


async def check_events(ctx: Context, community_id: str) -> int | None:
    """Job community.check_events: check the event delivery every hour and repair it.

    VK stops calling a callback URL that failed for long. Raises RetryLaterError.
    """
    try:
        client = await community_client.open_client(ctx, community_id)
    except RefusedError:
        return None  # disconnected; connecting enqueues the job again
    if client.community.error_code:
        return None  # replacing the key enqueues the job again
    await resume_waiting_work(ctx, community_id)
    try:
        await _check_delivery(ctx, client)
    except NeedsOwnerError as no:
        await community_client.mark_key_broken(ctx, community_id, no)
        return None
    except PermanentError as no:
        await _record_status(ctx, community_id, state=str(no.code))
    return ctx.now_us() + HOUR_US


async def resume_waiting_work(ctx: Context, community_id: str) -> None:
    """Resume work that waited for a usable key, once after the key was replaced."""
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
    if community is None or not has_waiting_work(community):
        return
    await outbox.resume(ctx, community_id)
    await cards.resume(ctx, community_id)
    await update_community(ctx, community_id, without_waiting_work)


async def _check_delivery(ctx: Context, client: CommunityClient) -> None:
    is_callback = client.community.event_delivery is EventDelivery.CALLBACK
    current_state = await fetch_state(ctx, client)
    if current_state == DELIVERY_OK and should_use_callback(ctx, client.community) is is_callback:
        return await _record_status(ctx, client.community.id, state=DELIVERY_OK, callback="")
    await set_up(ctx, client.community.id)
    if current_state != DELIVERY_OK:  # events may have been missed
        job = Job("community.catch_up", client.community.id, client.community.shop_id)
        await changes.commit(ctx.db, Change(jobs=(job,)), ctx.now_us())
    return None


async def _record_status(ctx: Context, community_id: str, **fields: str) -> None:
    await update_community(ctx, community_id, lambda stored: with_delivery_status(stored, **fields))
