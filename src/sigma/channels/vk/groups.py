"""VK API `groups`: the community, the permissions of its key, and event delivery.

Source: dev.vk.ru/ru/method/groups. `group_id` is positive in every function here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sigma.channels.vk.client import API_VERSION, VkClient, unreadable_response
from sigma.channels.vk.fields import (
    read_flag,
    read_int,
    read_object,
    read_objects,
    read_text,
    read_url,
)
from sigma.domain.messaging.community import CommunityProfile

GROUP_FIELDS = (
    *("description", "contacts", "links", "site", "status", "activity", "city", "market"),
    *("has_photo", "can_message", "is_messages_blocked", "main_section", "secondary_section"),
    *("cover", "counters", "members_count", "verified", "online_status", "addresses"),
    *("age_limits", "has_market_app", "ban_info", "wall", "photo_200"),
)
# Events that Sigma subscribes to. VK documents no long-poll setting for orders.
ORDER_EVENTS = ("market_order_new", "market_order_edit")
LONG_POLL_EVENTS = (
    *("message_new", "message_reply", "message_edit", "message_allow", "message_deny"),
    *("message_event", "message_read", "group_change_settings", "group_change_photo"),
    *("user_block", "user_unblock"),
)
CALLBACK_EVENTS = (*LONG_POLL_EVENTS, *ORDER_EVENTS)
MAX_TITLE_CHARS, MAX_SECRET_CHARS = 14, 50
SERVICES_SECTION = 51  # value of main_section and secondary_section


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact of the community; each field may be empty."""

    user_id: int
    role: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True)
class Group:
    """A community as its own key sees it.

    `deactivated` is empty, "deleted" or "banned". `has_market`: the market section is on.
    `can_message` describes the owner of the key, not clients.
    """

    id: int
    name: str
    screen_name: str
    photo_url: str = ""
    has_photo: bool = False
    description: str = ""
    site: str = ""
    contacts: tuple[Contact, ...] = ()
    deactivated: str = ""
    can_message: bool = False
    has_market: bool = False
    market_contact_id: int = 0
    main_section: int = 0
    secondary_section: int = 0

    @property
    def has_services_section(self) -> bool:
        """Whether the services section seems to be on: VK documents no field for it."""
        return SERVICES_SECTION in (self.main_section, self.secondary_section)

    @property
    def profile(self) -> CommunityProfile:
        """What Sigma stores of it."""
        return CommunityProfile(
            name=self.name,
            screen_name=self.screen_name,
            photo_url=self.photo_url,
            deactivated=self.deactivated,
            has_photo=self.has_photo,
            has_description=bool(self.description.strip()),
            has_contact=bool(self.contacts),
            has_market=self.has_market,
            has_services=self.has_services_section,
            can_message=self.can_message,
        )


@dataclass(frozen=True, slots=True)
class CallbackServer:
    """A Callback API server. `status`: unconfigured, failed, wait or ok."""

    id: int
    title: str
    url: str
    status: str
    secret: str = field(default="", repr=False)


class LongPollServer(NamedTuple):
    """Long-poll URL, its key and the position `ts` to read from."""

    key: str
    server: str
    ts: str


class EventSettings(NamedTuple):
    """Whether a delivery method is on and which events VK reports as subscribed."""

    is_enabled: bool
    events: frozenset[str]


async def fetch_group(vk: VkClient, group_id: int | None = None) -> Group:
    """Return the community of the key, or the one with `group_id`. Raises VkError."""
    response = await vk.call("groups.getById", group_id=group_id, fields=GROUP_FIELDS)
    # A bare list before API 5.139.
    found = read_objects(response, "groups") or read_objects({"groups": response}, "groups")
    if not found or read_int(found[0], "id") <= 0:
        raise unreadable_response("a community")
    return parse_group(found[0])


def parse_group(raw: dict[str, Any]) -> Group:
    """Build a Group from VK's object."""
    return Group(
        id=read_int(raw, "id"),
        name=read_text(raw, "name"),
        screen_name=read_text(raw, "screen_name", 64),
        photo_url=read_url(raw, "photo_200")
        or read_url(raw, "photo_100")
        or read_url(raw, "photo_50"),
        has_photo=read_flag(raw, "has_photo"),
        description=read_text(raw, "description", 4096),
        site=read_text(raw, "site", 2048),
        contacts=tuple(
            Contact(
                read_int(one, "user_id"),
                read_text(one, "desc"),
                read_text(one, "phone"),
                read_text(one, "email"),
            )
            for one in read_objects(raw, "contacts")
        ),
        deactivated=read_text(raw, "deactivated", 20),
        can_message=read_flag(raw, "can_message"),
        has_market=read_flag(read_object(raw, "market"), "enabled"),
        market_contact_id=read_int(read_object(raw, "market"), "contact_id"),
        main_section=read_int(raw, "main_section"),
        secondary_section=read_int(raw, "secondary_section"),
    )


async def fetch_permissions(vk: VkClient) -> set[str]:
    """Return the names of the key's permissions: messages, photos, manage… Raises VkError."""
    response = await vk.call("groups.getTokenPermissions")
    return {read_text(one, "name", 64) for one in read_objects(response, "permissions")} - {""}


async def set_settings(
    vk: VkClient,
    group_id: int,
    *,
    messages: bool | None = None,
    bots_capabilities: bool | None = None,
    bots_start_button: bool | None = None,
) -> None:
    """Change message and bot settings; None leaves a setting as it is. Raises VkError."""
    await vk.call(
        "groups.setSettings",
        group_id=group_id,
        messages=messages,
        bots_capabilities=bots_capabilities,
        bots_start_button=bots_start_button,
    )


async def edit(
    vk: VkClient, group_id: int, *, description: str | None = None, market: bool | None = None
) -> None:
    """Change the community's page. Raises VkError.

    VK no longer documents this method: it may fail, or succeed without effect. Read the community
    again to verify the change.
    """
    await vk.call("groups.edit", group_id=group_id, description=description, market=market)


async def fetch_confirmation_code(vk: VkClient, group_id: int) -> str:
    """Return the code that our URL must send when VK verifies it. Raises VkError."""
    response = await vk.call("groups.getCallbackConfirmationCode", group_id=group_id)
    if not (code := read_text(response, "code", 64)):
        raise unreadable_response("a confirmation code")
    return code


async def add_callback_server(
    vk: VkClient, group_id: int, url: str, title: str, secret: str
) -> int:
    """Add our URL and return the server's id. VK verifies the URL before this returns.

    Raises VkError: code 2000 when the community already has ten servers. After RetryLaterError with
    `is_outcome_unknown` check `list_callback_servers` before adding again.
    """
    assert len(secret) <= MAX_SECRET_CHARS
    response = await vk.call(
        "groups.addCallbackServer",
        group_id=group_id,
        url=url,
        title=title[:MAX_TITLE_CHARS],
        secret_key=secret,
    )
    if not (server_id := read_int(response, "server_id")):
        raise unreadable_response("a server's id")
    return server_id


async def edit_callback_server(
    vk: VkClient, group_id: int, server_id: int, url: str, title: str, secret: str
) -> None:
    """Change our URL or its secret; VK verifies the URL again. Raises VkError."""
    assert len(secret) <= MAX_SECRET_CHARS
    await vk.call(
        "groups.editCallbackServer",
        group_id=group_id,
        server_id=server_id,
        url=url,
        title=title[:MAX_TITLE_CHARS],
        secret_key=secret,
    )


async def list_callback_servers(vk: VkClient, group_id: int) -> list[CallbackServer]:
    """Return all callback servers of the community. Raises VkError."""
    response = await vk.call("groups.getCallbackServers", group_id=group_id)
    return [
        CallbackServer(
            id=read_int(one, "id"),
            title=read_text(one, "title"),
            url=read_text(one, "url", 2048),
            status=read_text(one, "status", 20),
            secret=read_text(one, "secret_key"),
        )
        for one in read_objects(response, "items")
    ]


async def delete_callback_server(vk: VkClient, group_id: int, server_id: int) -> None:
    """Delete a callback server. Raises VkError."""
    await vk.call("groups.deleteCallbackServer", group_id=group_id, server_id=server_id)


async def set_callback_events(
    vk: VkClient, group_id: int, server_id: int, events: Iterable[str] = CALLBACK_EVENTS
) -> None:
    """Subscribe a callback server to exactly these `events`. Raises VkError."""
    await vk.call(
        "groups.setCallbackSettings",
        group_id=group_id,
        server_id=server_id,
        api_version=API_VERSION,
        **_event_flags(CALLBACK_EVENTS, events),
    )


async def fetch_callback_events(vk: VkClient, group_id: int, server_id: int) -> EventSettings:
    """Return the events a callback server is subscribed to. Raises VkError."""
    response = await vk.call("groups.getCallbackSettings", group_id=group_id, server_id=server_id)
    return EventSettings(True, _enabled_events(response))


async def fetch_long_poll_server(vk: VkClient, group_id: int) -> LongPollServer:
    """Return a new long-poll key, URL and position. Raises VkError."""
    response = await vk.call("groups.getLongPollServer", group_id=group_id)
    ts = read_text(response, "ts", 64) or str(read_int(response, "ts") or "")
    server = LongPollServer(
        read_text(response, "key", 512), read_text(response, "server", 2048), ts
    )
    if not all(server):
        raise unreadable_response("a long-poll server")
    return server


async def set_long_poll_events(
    vk: VkClient, group_id: int, enabled: bool, events: Iterable[str] = LONG_POLL_EVENTS
) -> None:
    """Switch the long poll on or off and subscribe it to `events`. Raises VkError."""
    await vk.call(
        "groups.setLongPollSettings",
        group_id=group_id,
        enabled=enabled,
        api_version=API_VERSION,
        **_event_flags(LONG_POLL_EVENTS, events),
    )


async def fetch_long_poll_events(vk: VkClient, group_id: int) -> EventSettings:
    """Return whether the long poll is on and its events. Raises VkError."""
    response = await vk.call("groups.getLongPollSettings", group_id=group_id)
    return EventSettings(read_flag(response, "is_enabled"), _enabled_events(response))


def _event_flags(all_events: Iterable[str], enabled: Iterable[str]) -> dict[str, bool]:
    """Return a flag for every known event: VK does not change the events left out."""
    enabled_set = set(enabled)
    assert enabled_set <= set(all_events)
    return {name: name in enabled_set for name in all_events}


def _enabled_events(raw: Any) -> frozenset[str]:
    flags = read_object(raw, "events")
    return frozenset(name for name in flags if read_flag(flags, name))
