"""`groups.*` about events: callback servers and Bots Long Poll."""

from typing import Any

from msgspec.structs import replace

from sigma_sandbox.vk.api.request import Call, Method
from sigma_sandbox.vk.wire.errors import VkRefused, bad_param
from sigma_sandbox.vk.world.models import EVENT_NAMES, CallbackServer, Json

MAX_SERVERS = 10
MAX_TITLE = 14
MAX_SECRET = 50
OLDEST_VERSION = (5, 81)


async def add_server(call: Call) -> Json:
    """A new address; it is asked for the confirmation code before this call answers."""
    community = call.community()
    url, title, secret = _address(call)
    if len(call.vk.servers_of(community.id)) >= MAX_SERVERS:
        raise VkRefused(2000)
    number = community.last_server_id + 1
    with call.vk.together():
        call.vk.put_community(replace(community, last_server_id=number))
        server = call.vk.put_server(
            CallbackServer(
                id=number,
                group_id=community.id,
                title=title,
                url=url,
                secret=secret,
                creator_id=call.token.person_id or community.owner_id,
                status="wait",
            )
        )
    await call.postman.confirm(server)
    return {"server_id": number}


def _address(call: Call) -> tuple[str, str, str]:
    url, title, secret = call.needed("url"), call.needed("title"), call.text("secret_key")
    if not url.startswith(("http://", "https://")):
        raise bad_param("url is invalid")
    if len(title) > MAX_TITLE:
        raise bad_param("title is too long")
    if len(secret) > MAX_SECRET:
        raise bad_param("secret_key is too long")
    return url, title, secret


async def edit_server(call: Call) -> int:
    """Another address, title or secret; the address is asked for the code again."""
    server = _server(call)
    url, title, secret = _address(call)
    server = replace(server, url=url, title=title, secret=secret, status="wait", errors=0)
    await call.postman.confirm(call.vk.put_server(server))
    return 1


def delete_server(call: Call) -> int:
    """Nothing is sent there any more."""
    server = _server(call)
    call.vk.drop_server(server.group_id, server.id)
    return 1


def _server(call: Call) -> CallbackServer:
    key = call.community().id, call.number("server_id")
    if key not in call.vk.servers:
        raise bad_param("server_id is invalid")
    return call.vk.servers[key]


def get_servers(call: Call) -> Json:
    """The addresses and how they are."""
    asked = call.numbers("server_ids")
    servers = [
        {
            "id": one.id,
            "title": one.title,
            "creator_id": one.creator_id,
            "url": one.url,
            "secret_key": one.secret,
            "status": one.status,
        }
        for one in call.vk.servers_of(call.community().id)
        if not asked or one.id in asked
    ]
    return {"count": len(servers), "items": servers}


def get_code(call: Call) -> Json:
    """What an address must answer to `confirmation`."""
    return {"code": call.community().code}


def set_callback(call: Call) -> int:
    """Which events go to a server, and in which version."""
    server = _server(call)
    changes = _settings(call, server.events)
    call.vk.put_server(replace(server, **changes))
    return 1


def _settings(call: Call, events: list[str]) -> dict[str, Any]:
    """`api_version` and the switches; a switch that is not sent stays as it is."""
    changes: dict[str, Any] = {}
    if version := call.text("api_version"):
        try:
            numbers = tuple(int(one) for one in version.split("."))
        except ValueError:
            raise bad_param("api_version is invalid") from None
        if numbers < OLDEST_VERSION:
            raise bad_param("api_version is not supported")
        changes["api_version"] = version
    flags = {name: call.flag(name) for name in EVENT_NAMES}
    kept = [n for n in EVENT_NAMES if flags[n] or (flags[n] is None and n in events)]
    return changes | {"events": kept}


def _switches(events: list[str]) -> Json:
    return {name: int(name in events) for name in EVENT_NAMES}


def get_callback(call: Call) -> Json:
    """The switches of a server."""
    server = _server(call)
    return {"api_version": server.api_version, "events": _switches(server.events)}


def get_longpoll_server(call: Call) -> Json:
    """Where to ask for events."""
    longpoll = call.vk.longpoll(call.community().id)
    if not longpoll.enabled:
        raise bad_param("longpoll for this group is not enabled")
    server = f"{call.vk.root}/longpoll/{longpoll.group_id}"
    return {"key": longpoll.key, "server": server, "ts": str(longpoll.ts)}


def set_longpoll(call: Call) -> int:
    """On or off, and which events."""
    longpoll = call.vk.longpoll(call.community().id)
    changes = _settings(call, longpoll.events)
    enabled = call.flag("enabled")
    if enabled is not None:
        changes["enabled"] = enabled
    call.vk.put_longpoll(replace(longpoll, **changes))
    return 1


def get_longpoll(call: Call) -> Json:
    """The switches of long poll."""
    longpoll = call.vk.longpoll(call.community().id)
    body: Json = {"api_version": longpoll.api_version, "events": _switches(longpoll.events)}
    return body | {"is_enabled": longpoll.enabled}


METHODS = {
    "groups.addCallbackServer": Method(add_server, "manage", "groups"),
    "groups.editCallbackServer": Method(edit_server, "manage", "groups"),
    "groups.deleteCallbackServer": Method(delete_server, "manage", "groups"),
    "groups.getCallbackServers": Method(get_servers, "manage", "groups"),
    "groups.getCallbackConfirmationCode": Method(get_code, "manage", "groups"),
    "groups.setCallbackSettings": Method(set_callback, "manage", "groups"),
    "groups.getCallbackSettings": Method(get_callback, "manage", "groups"),
    "groups.getLongPollServer": Method(get_longpoll_server, "manage", "groups"),
    "groups.setLongPollSettings": Method(set_longpoll, "manage", "groups"),
    "groups.getLongPollSettings": Method(get_longpoll, "manage", "groups"),
}
