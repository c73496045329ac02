"""`groups.*` methods for events: callback servers and Bots Long Poll."""

from typing import Any

from msgspec.structs import replace

from sigma_sandbox.vk.api.request import ApiCall, ApiMethod
from sigma_sandbox.vk.wire.errors import VkApiError, invalid_param
from sigma_sandbox.vk.world.models import EVENT_TYPES, CallbackServer, Json

MAX_SERVERS = 10
MAX_TITLE_LENGTH = 14
MAX_SECRET_LENGTH = 50
MIN_API_VERSION = (5, 81)


async def add_server(call: ApiCall) -> Json:
    """Add a callback server. Its confirmation is requested before the call returns."""
    community = call.community()
    url, title, secret = _parse_address(call)
    if len(call.vk.list_servers(community.id)) >= MAX_SERVERS:
        raise VkApiError(2000)
    new_id = community.last_server_id + 1
    with call.vk.transaction():
        call.vk.put_community(replace(community, last_server_id=new_id))
        server = call.vk.put_server(
            CallbackServer(
                id=new_id,
                group_id=community.id,
                title=title,
                url=url,
                secret=secret,
                creator_id=call.access_key.person_id or community.owner_id,
                status="wait",
            )
        )
    await call.callbacks.confirm(server)
    return {"server_id": new_id}


def _parse_address(call: ApiCall) -> tuple[str, str, str]:
    url, title, secret = (
        call.require_text("url"),
        call.require_text("title"),
        call.text("secret_key"),
    )
    if not url.startswith(("http://", "https://")):
        raise invalid_param("url is invalid")
    if len(title) > MAX_TITLE_LENGTH:
        raise invalid_param("title is too long")
    if len(secret) > MAX_SECRET_LENGTH:
        raise invalid_param("secret_key is too long")
    return url, title, secret


async def edit_server(call: ApiCall) -> int:
    """Change the address, title and secret; the address must be confirmed again."""
    server = _require_server(call)
    url, title, secret = _parse_address(call)
    server = replace(server, url=url, title=title, secret=secret, status="wait", error_count=0)
    await call.callbacks.confirm(call.vk.put_server(server))
    return 1


def delete_server(call: ApiCall) -> int:
    """Delete a callback server."""
    server = _require_server(call)
    call.vk.delete_server(server.group_id, server.id)
    return 1


def _require_server(call: ApiCall) -> CallbackServer:
    key = call.community().id, call.number("server_id")
    if key not in call.vk.servers:
        raise invalid_param("server_id is invalid")
    return call.vk.servers[key]


def get_servers(call: ApiCall) -> Json:
    """Return the callback servers and their status."""
    wanted_ids = call.numbers("server_ids")
    servers = [
        {
            "id": one.id,
            "title": one.title,
            "creator_id": one.creator_id,
            "url": one.url,
            "secret_key": one.secret,
            "status": one.status,
        }
        for one in call.vk.list_servers(call.community().id)
        if not wanted_ids or one.id in wanted_ids
    ]
    return {"count": len(servers), "items": servers}


def get_confirmation_code(call: ApiCall) -> Json:
    """Return the code an address must return for a `confirmation` event."""
    return {"code": call.community().confirmation_code}


def set_callback_settings(call: ApiCall) -> int:
    """Set the event types and the API version of a callback server."""
    server = _require_server(call)
    changes = _parse_settings(call, server.events)
    call.vk.put_server(replace(server, **changes))
    return 1


def _parse_settings(call: ApiCall, events: list[str]) -> dict[str, Any]:
    """Return the changed fields `api_version` and `events`; flags that were not sent stay."""
    changes: dict[str, Any] = {}
    if version := call.text("api_version"):
        try:
            numbers = tuple(int(one) for one in version.split("."))
        except ValueError:
            raise invalid_param("api_version is invalid") from None
        if numbers < MIN_API_VERSION:
            raise invalid_param("api_version is not supported")
        changes["api_version"] = version
    flags = {name: call.flag(name) for name in EVENT_TYPES}
    enabled_types = [n for n in EVENT_TYPES if flags[n] or (flags[n] is None and n in events)]
    return changes | {"events": enabled_types}


def _event_flags(events: list[str]) -> Json:
    return {name: int(name in events) for name in EVENT_TYPES}


def get_callback_settings(call: ApiCall) -> Json:
    """Return the API version and the event flags of a callback server."""
    server = _require_server(call)
    return {"api_version": server.api_version, "events": _event_flags(server.events)}


def get_long_poll_server(call: ApiCall) -> Json:
    """Return the address, the key and the current `ts` of long poll."""
    long_poll = call.vk.get_or_create_long_poll(call.community().id)
    if not long_poll.enabled:
        raise invalid_param("longpoll for this group is not enabled")
    server = f"{call.vk.vk_url}/longpoll/{long_poll.group_id}"
    return {"key": long_poll.key, "server": server, "ts": str(long_poll.ts)}


def set_long_poll_settings(call: ApiCall) -> int:
    """Switch long poll on or off and set its event types."""
    long_poll = call.vk.get_or_create_long_poll(call.community().id)
    changes = _parse_settings(call, long_poll.events)
    enabled = call.flag("enabled")
    if enabled is not None:
        changes["enabled"] = enabled
    call.vk.put_long_poll(replace(long_poll, **changes))
    return 1


def get_long_poll_settings(call: ApiCall) -> Json:
    """Return the API version, the event flags and whether long poll is on."""
    long_poll = call.vk.get_or_create_long_poll(call.community().id)
    body: Json = {"api_version": long_poll.api_version, "events": _event_flags(long_poll.events)}
    return body | {"is_enabled": long_poll.enabled}


METHODS = {
    "groups.addCallbackServer": ApiMethod(add_server, "manage", "groups"),
    "groups.editCallbackServer": ApiMethod(edit_server, "manage", "groups"),
    "groups.deleteCallbackServer": ApiMethod(delete_server, "manage", "groups"),
    "groups.getCallbackServers": ApiMethod(get_servers, "manage", "groups"),
    "groups.getCallbackConfirmationCode": ApiMethod(get_confirmation_code, "manage", "groups"),
    "groups.setCallbackSettings": ApiMethod(set_callback_settings, "manage", "groups"),
    "groups.getCallbackSettings": ApiMethod(get_callback_settings, "manage", "groups"),
    "groups.getLongPollServer": ApiMethod(get_long_poll_server, "manage", "groups"),
    "groups.setLongPollSettings": ApiMethod(set_long_poll_settings, "manage", "groups"),
    "groups.getLongPollSettings": ApiMethod(get_long_poll_settings, "manage", "groups"),
}
