"""Endpoints under `/vk/test`: act as a community's owner on VK's own pages, create people."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.responses import AnyRequest
from sigma_sandbox.vk.actions.client_actions import RIGHT_BITS, NotFoundError, Vk
from sigma_sandbox.vk.actions.owner_actions import update_settings
from sigma_sandbox.vk.actions.seed import OWNER_ID
from sigma_sandbox.vk.test_api.clients import run_action
from sigma_sandbox.vk.world import images
from sigma_sandbox.vk.world.models import Community, Contact, Json

COMMUNITY_KEY_RIGHTS = ["manage", "messages", "photos", "market"]
USER_KEY_RIGHTS = ["groups", "market", "photos", "messages"]


class UpdateCommunityRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Settings an owner changes; fields that were not sent stay as they are."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    screen_name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    site: str | msgspec.UnsetType = msgspec.UNSET
    activity: str | msgspec.UnsetType = msgspec.UNSET
    has_photo: bool | msgspec.UnsetType = msgspec.UNSET
    contacts: list[Contact] | msgspec.UnsetType = msgspec.UNSET
    market: str | msgspec.UnsetType = msgspec.UNSET
    services: bool | msgspec.UnsetType = msgspec.UNSET
    messages: bool | msgspec.UnsetType = msgspec.UNSET
    bots_capabilities: bool | msgspec.UnsetType = msgspec.UNSET
    main_section: int | msgspec.UnsetType = msgspec.UNSET

    def sent_fields(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        sent = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in sent if value is not msgspec.UNSET}


class CreateCommunityRequest(UpdateCommunityRequest, kw_only=True):
    """A new community, its owner and the rights of its first access key."""

    owner_id: int = OWNER_ID
    rights: list[str] = msgspec.field(default_factory=lambda: list(COMMUNITY_KEY_RIGHTS))


class CreateKeyRequest(msgspec.Struct):
    """The rights of a new access key."""

    rights: list[str] = msgspec.field(default_factory=lambda: list(COMMUNITY_KEY_RIGHTS))


class RevokeKeysRequest(msgspec.Struct):
    """The access key to revoke; None revokes all keys of the community."""

    token: str | None = None


class CreateItemRequest(msgspec.Struct, kw_only=True):
    """A new market item or service; see `MarketItem`. Prices are kopecks."""

    title: str
    description: str = "Подробности в сообщениях"
    price_minor: int = msgspec.field(default=0, name="price")
    price_to_minor: int | None = msgspec.field(default=None, name="price_to")
    old_price_minor: int | None = msgspec.field(default=None, name="old_price")
    price_type: int = 0
    is_service: bool = msgspec.field(default=True, name="service")
    availability: int = 0
    sku: str = ""


class CreateClientRequest(msgspec.Struct, kw_only=True):
    """A new client."""

    first_name: str = "Иван"
    last_name: str = "Клиентов"
    sex: int = 2


def _require_known_rights(rights: list[str]) -> list[str]:
    unknown = set(rights) - set(RIGHT_BITS)
    if unknown:
        raise TypeError(f"no such right: {min(unknown)}")
    return rights


def community_json(vk: Vk, community: Community) -> Json:
    """Return a community with its callback servers and event deliveries, newest first."""
    servers: list[Json] = msgspec.to_builtins(vk.list_servers(community.id))
    events = [
        {"event_id": one.id, "type": one.type, "state": one.state, "server_id": one.server_id}
        | {"answers": [tried.result for tried in one.attempts]}
        for one in reversed(vk.deliveries.values())
        if one.group_id == community.id
    ]
    body: Json = msgspec.to_builtins(community)
    return body | {"servers": servers, "events": events}


@post("/people", status_code=200)
async def add_person(request: AnyRequest) -> Response[bytes]:
    """Create a client. Body: optional "first_name", "last_name", "sex". Returns "person_id"."""

    def act(vk: Vk, body: CreateClientRequest) -> Json:
        return {"person_id": vk.add_person(body.first_name, body.last_name, sex=body.sex).id}

    return await run_action(request, CreateClientRequest, act)


@post("/communities", status_code=200)
async def add_community(request: AnyRequest) -> Response[bytes]:
    """Create a community. Body: optional fields of `CreateCommunityRequest`.

    Messages and bot features are on unless the body says otherwise. Returns "group_id",
    "screen_name", "token" and "user_token": the owner's own key, for methods a community's key may
    not call.
    """

    def act(vk: Vk, body: CreateCommunityRequest) -> Json:
        fields = body.sent_fields()
        rights, owner_id = _require_known_rights(fields.pop("rights")), fields.pop("owner_id")
        fields.setdefault("messages", True)
        fields.setdefault("bots_capabilities", fields["messages"])
        community = vk.add_community(fields.pop("name", "Студия"), owner_id, **fields)
        return {
            "group_id": community.id,
            "screen_name": community.screen_name,
            "token": vk.create_community_key(community.id, rights),
            "user_token": vk.create_user_key(owner_id, USER_KEY_RIGHTS),
        }

    return await run_action(request, CreateCommunityRequest, act)


@post("/communities/{group_id:int}", status_code=200)
async def update_community(request: AnyRequest, group_id: FromPath[int]) -> Response[bytes]:
    """Change settings, as on VK's pages. Emits `group_change_settings`."""

    def act(vk: Vk, body: UpdateCommunityRequest) -> Json:
        community = vk.get_community(group_id)
        changes = body.sent_fields()
        if "contacts" in changes:
            community = vk.put_community(replace(community, contacts=changes.pop("contacts")))
        update_settings(vk, community, community.owner_id, changes)
        return community_json(vk, vk.get_community(group_id))

    return await run_action(request, UpdateCommunityRequest, act)


@get("/communities/{group_id:int}")
async def get_community(request: AnyRequest, group_id: FromPath[int]) -> Response[bytes]:
    """Return the community, its callback servers and the events sent to them."""

    def act(vk: Vk, _: Any) -> Json:
        return community_json(vk, vk.get_community(group_id))

    return await run_action(request, dict[str, Any], act)


@post("/communities/{group_id:int}/keys", status_code=200)
async def add_key(request: AnyRequest, group_id: FromPath[int]) -> Response[bytes]:
    """Create an access key. Body: optional "rights". Returns "token"."""

    def act(vk: Vk, body: CreateKeyRequest) -> Json:
        return {"token": vk.create_community_key(group_id, _require_known_rights(body.rights))}

    return await run_action(request, CreateKeyRequest, act)


@post("/communities/{group_id:int}/revoke", status_code=200)
async def revoke_keys(request: AnyRequest, group_id: FromPath[int]) -> Response[bytes]:
    """Revoke an access key or all of them. Body: optional "token". Returns the number "revoked"."""

    def act(vk: Vk, body: RevokeKeysRequest) -> Json:
        keys = [
            one.token
            for one in vk.list_community_keys(vk.get_community(group_id).id)
            if not one.is_revoked
        ]
        if body.token is not None and body.token not in keys:
            raise NotFoundError("no such key")
        revoked = keys if body.token is None else [body.token]
        for token in revoked:
            vk.revoke_key(token)
        return {"revoked": len(revoked)}

    return await run_action(request, RevokeKeysRequest, act)


@post("/communities/{group_id:int}/items", status_code=200)
async def add_item(request: AnyRequest, group_id: FromPath[int]) -> Response[bytes]:
    """Create a market item or service with a drawn photo. Body: fields of `CreateItemRequest`.

    Returns "item_id".
    """

    def act(vk: Vk, body: CreateItemRequest) -> Json:
        photo = vk.add_photo(-vk.get_community(group_id).id, *images.draw_photo("#b07aa1"))
        fields = msgspec.structs.asdict(body)
        return {"item_id": vk.add_item(group_id, photo_ids=[photo.id], **fields).id}

    return await run_action(request, CreateItemRequest, act)


HANDLERS = [
    add_person,
    add_community,
    update_community,
    get_community,
    add_key,
    revoke_keys,
    add_item,
]
