"""The community itself: who it is, what its key may, and where VK sends its events.

Source: dev.vk.ru/ru/method/groups. `group_id` is positive everywhere here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sigma.channels.vk.client import VERSION, Vk, unreadable
from sigma.channels.vk.fields import address, flag, inner, number, objects, text

FIELDS = (
    *("description", "contacts", "links", "site", "status", "activity", "city", "market"),
    *("has_photo", "can_message", "is_messages_blocked", "main_section", "secondary_section"),
    *("cover", "counters", "members_count", "verified", "online_status", "addresses"),
    *("age_limits", "has_market_app", "ban_info", "wall", "photo_200"),
)
# What Sigma wants to be told. The long poll has no switch for orders in VK's own description.
ORDER_EVENTS = ("market_order_new", "market_order_edit")
POLL_EVENTS = (
    *("message_new", "message_reply", "message_edit", "message_allow", "message_deny"),
    *("message_event", "message_read", "group_change_settings", "group_change_photo"),
    *("user_block", "user_unblock"),
)
EVENTS = (*POLL_EVENTS, *ORDER_EVENTS)
MAX_TITLE, MAX_SECRET = 14, 50
SERVICES_SECTION, GOODS_SECTION = 51, 5


@dataclass(frozen=True, slots=True)
class Contact:
    """A line of the community's contacts; each part may be empty."""

    user_id: int
    role: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True)
class Group:
    """A community as its own key sees it. `deactivated` is empty, "deleted" or "banned".

    `market` while the goods section is on; `can_message` is about whoever asks, not about clients.
    """

    id: int
    name: str
    screen_name: str
    photo: str = ""
    has_photo: bool = False
    description: str = ""
    site: str = ""
    contacts: tuple[Contact, ...] = ()
    deactivated: str = ""
    can_message: bool = False
    market: bool = False
    market_contact: int = 0
    main_section: int = 0
    secondary_section: int = 0

    @property
    def services_shown(self) -> bool:
        """A hint that the services section is on: VK has no documented field for it."""
        return SERVICES_SECTION in (self.main_section, self.secondary_section)


@dataclass(frozen=True, slots=True)
class CallbackServer:
    """`status`: unconfigured, failed, wait, ok."""

    id: int
    title: str
    url: str
    status: str
    secret: str = field(default="", repr=False)


class LongPollServer(NamedTuple):
    """Where to ask for events, and from which moment on."""

    key: str
    server: str
    ts: str


class EventSwitches(NamedTuple):
    """What VK says that it tells us."""

    enabled: bool
    events: frozenset[str]


async def who(vk: Vk, group_id: int | None = None) -> Group:
    """The key's own community, or the one asked for. Raises VkError."""
    said = await vk.call("groups.getById", group_id=group_id, fields=FIELDS)
    found = objects(said, "groups") or objects({"groups": said}, "groups")  # a list before 5.139
    if not found or number(found[0], "id") <= 0:
        raise unreadable("a community")
    return read_group(found[0])


def read_group(said: dict[str, Any]) -> Group:
    """A community from VK's object."""
    return Group(
        id=number(said, "id"),
        name=text(said, "name"),
        screen_name=text(said, "screen_name", 64),
        photo=address(said, "photo_200") or address(said, "photo_100") or address(said, "photo_50"),
        has_photo=flag(said, "has_photo"),
        description=text(said, "description", 4096),
        site=text(said, "site", 2048),
        contacts=tuple(
            Contact(
                number(one, "user_id"), text(one, "desc"), text(one, "phone"), text(one, "email")
            )
            for one in objects(said, "contacts")
        ),
        deactivated=text(said, "deactivated", 20),
        can_message=flag(said, "can_message"),
        market=flag(inner(said, "market"), "enabled"),
        market_contact=number(inner(said, "market"), "contact_id"),
        main_section=number(said, "main_section"),
        secondary_section=number(said, "secondary_section"),
    )


async def permissions(vk: Vk) -> set[str]:
    """The names of the key's rights: messages, photos, manage… Raises VkError."""
    said = await vk.call("groups.getTokenPermissions")
    return {text(one, "name", 64) for one in objects(said, "permissions")} - {""}


async def set_settings(
    vk: Vk,
    group_id: int,
    *,
    messages: bool | None = None,
    bots_capabilities: bool | None = None,
    bots_start_button: bool | None = None,
) -> None:
    """Switches messages and what bots may; None leaves a thing as it is. Raises VkError."""
    await vk.call(
        "groups.setSettings",
        group_id=group_id,
        messages=messages,
        bots_capabilities=bots_capabilities,
        bots_start_button=bots_start_button,
    )


async def edit(
    vk: Vk, group_id: int, *, description: str | None = None, market: bool | None = None
) -> None:
    """Changes the community's page. Raises VkError.

    VK lists this method no more, so it may refuse, or say yes and do nothing: read it back.
    """
    await vk.call("groups.edit", group_id=group_id, description=description, market=market)


async def callback_code(vk: Vk, group_id: int) -> str:
    """What our address must answer when VK makes sure that it is ours. Raises VkError."""
    said = await vk.call("groups.getCallbackConfirmationCode", group_id=group_id)
    if not (code := text(said, "code", 64)):
        raise unreadable("a confirmation code")
    return code


async def add_callback(vk: Vk, group_id: int, url: str, title: str, secret: str) -> int:
    """Adds our address; VK asks it for the code before this returns. Returns the server's id.

    Raises VkError: 2000 when there are ten already. After Later with `lost` look into
    `callback_servers` before adding again.
    """
    assert len(secret) <= MAX_SECRET
    said = await vk.call(
        "groups.addCallbackServer",
        group_id=group_id,
        url=url,
        title=title[:MAX_TITLE],
        secret_key=secret,
    )
    if not (server_id := number(said, "server_id")):
        raise unreadable("a server's id")
    return server_id


async def edit_callback(
    vk: Vk, group_id: int, server_id: int, url: str, title: str, secret: str
) -> None:
    """Changes our address or its secret; VK asks for the code again. Raises VkError."""
    assert len(secret) <= MAX_SECRET
    await vk.call(
        "groups.editCallbackServer",
        group_id=group_id,
        server_id=server_id,
        url=url,
        title=title[:MAX_TITLE],
        secret_key=secret,
    )


async def callback_servers(vk: Vk, group_id: int) -> list[CallbackServer]:
    """All addresses that VK tells of this community. Raises VkError."""
    said = await vk.call("groups.getCallbackServers", group_id=group_id)
    return [
        CallbackServer(
            id=number(one, "id"),
            title=text(one, "title"),
            url=text(one, "url", 2048),
            status=text(one, "status", 20),
            secret=text(one, "secret_key"),
        )
        for one in objects(said, "items")
    ]


async def delete_callback(vk: Vk, group_id: int, server_id: int) -> None:
    """Takes our address out. Raises VkError."""
    await vk.call("groups.deleteCallbackServer", group_id=group_id, server_id=server_id)


async def set_callback_events(
    vk: Vk, group_id: int, server_id: int, events: Iterable[str] = EVENTS
) -> None:
    """Which of our events that address is told; the others are switched off. Raises VkError."""
    await vk.call(
        "groups.setCallbackSettings",
        group_id=group_id,
        server_id=server_id,
        api_version=VERSION,
        **_switches(EVENTS, events),
    )


async def callback_events(vk: Vk, group_id: int, server_id: int) -> EventSwitches:
    """What VK says that it tells that address. Raises VkError."""
    said = await vk.call("groups.getCallbackSettings", group_id=group_id, server_id=server_id)
    return EventSwitches(True, _switched_on(said))


async def longpoll_server(vk: Vk, group_id: int) -> LongPollServer:
    """A fresh key, address and moment of the long poll. Raises VkError."""
    said = await vk.call("groups.getLongPollServer", group_id=group_id)
    ts = text(said, "ts", 64) or str(number(said, "ts") or "")
    found = LongPollServer(text(said, "key", 512), text(said, "server", 2048), ts)
    if not all(found):
        raise unreadable("a long-poll server")
    return found


async def set_longpoll(
    vk: Vk, group_id: int, enabled: bool, events: Iterable[str] = POLL_EVENTS
) -> None:
    """Switches the long poll, and on it our events. Raises VkError."""
    await vk.call(
        "groups.setLongPollSettings",
        group_id=group_id,
        enabled=enabled,
        api_version=VERSION,
        **_switches(POLL_EVENTS, events),
    )


async def longpoll_events(vk: Vk, group_id: int) -> EventSwitches:
    """Whether the long poll is on, and what it tells. Raises VkError."""
    said = await vk.call("groups.getLongPollSettings", group_id=group_id)
    return EventSwitches(flag(said, "is_enabled"), _switched_on(said))


def _switches(known: Iterable[str], wanted: Iterable[str]) -> dict[str, bool]:
    """Every switch by name: VK leaves alone what is not named."""
    on = set(wanted)
    assert on <= set(known)
    return {name: name in on for name in known}


def _switched_on(said: Any) -> frozenset[str]:
    events = inner(said, "events")
    return frozenset(name for name in events if flag(events, name))
