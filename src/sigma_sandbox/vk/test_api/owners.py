"""Calls for programs under `/vk/test`: what an owner does on VK's own pages, and new clients."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.responses import Asked
from sigma_sandbox.vk.actions.client_actions import RIGHTS, Missing, Vk
from sigma_sandbox.vk.actions.seed import OWNER
from sigma_sandbox.vk.api.groups import change
from sigma_sandbox.vk.test_api.clients import answer
from sigma_sandbox.vk.world import pictures
from sigma_sandbox.vk.world.models import Community, Contact, Json

ALL_RIGHTS = ["manage", "messages", "photos", "market"]
USER_RIGHTS = ["groups", "market", "photos", "messages"]


class Filling(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an owner fills on VK's pages; what is not sent stays."""

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

    def told(self) -> dict[str, Any]:
        """Only what was sent."""
        sent = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in sent if value is not msgspec.UNSET}


class Opening(Filling, kw_only=True):
    """A new community and the rights of its first key."""

    owner_id: int = OWNER
    rights: list[str] = msgspec.field(default_factory=lambda: list(ALL_RIGHTS))


class Rights(msgspec.Struct):
    """Rights of a new key."""

    rights: list[str] = msgspec.field(default_factory=lambda: list(ALL_RIGHTS))


class Revoking(msgspec.Struct):
    """Which key; without one, all of the community."""

    token: str | None = None


class Offering(msgspec.Struct, kw_only=True):
    """A good or a service, prices in kopecks; see `things.Item`."""

    title: str
    description: str = "Подробности в сообщениях"
    price: int = 0
    price_to: int | None = None
    old_price: int | None = None
    price_type: int = 0
    service: bool = True
    availability: int = 0
    sku: str = ""


class Meeting(msgspec.Struct, kw_only=True):
    """A new client."""

    first_name: str = "Иван"
    last_name: str = "Клиентов"
    sex: int = 2


def _known(rights: list[str]) -> list[str]:
    unknown = set(rights) - set(RIGHTS)
    if unknown:
        raise TypeError(f"no such right: {min(unknown)}")
    return rights


def community_json(vk: Vk, community: Community) -> Json:
    """A community with its callback servers and what was sent to them, newest first."""
    servers: list[Json] = msgspec.to_builtins(vk.servers_of(community.id))
    sent = [
        {"event_id": one.id, "type": one.type, "state": one.state, "server_id": one.server_id}
        | {"answers": [tried.answer for tried in one.tries]}
        for one in reversed(vk.parcels.values())
        if one.group_id == community.id
    ]
    body: Json = msgspec.to_builtins(community)
    return body | {"servers": servers, "events": sent}


@post("/people", status_code=200)
async def add_person(request: Asked) -> Response[bytes]:
    """{"first_name"?, "last_name"?}: a new client. Gives {"person_id"}."""

    def work(vk: Vk, said: Meeting) -> Json:
        return {"person_id": vk.add_person(said.first_name, said.last_name, sex=said.sex).id}

    return await answer(request, Meeting, work)


@post("/communities", status_code=200)
async def add_community(request: Asked) -> Response[bytes]:
    """{"name"?, "screen_name"?, "messages"?, "rights"?…}: messages and bots are on unless told.

    Gives {"group_id", "screen_name", "token", "user_token"}; the last is the owner's own key, for
    methods a community's key may not call.
    """

    def work(vk: Vk, said: Opening) -> Json:
        fields = said.told()
        rights, owner_id = _known(fields.pop("rights")), fields.pop("owner_id")
        fields.setdefault("messages", True)
        fields.setdefault("bots_capabilities", fields["messages"])
        community = vk.add_community(fields.pop("name", "Студия"), owner_id, **fields)
        return {
            "group_id": community.id,
            "screen_name": community.screen_name,
            "token": vk.create_key(community.id, rights),
            "user_token": vk.create_user_key(owner_id, USER_RIGHTS),
        }

    return await answer(request, Opening, work)


@post("/communities/{group_id:int}", status_code=200)
async def fill_community(request: Asked, group_id: FromPath[int]) -> Response[bytes]:
    """Change what an owner fills by hand; listeners hear `group_change_settings`."""

    def work(vk: Vk, said: Filling) -> Json:
        community = vk.community(group_id)
        changes = said.told()
        if "contacts" in changes:
            community = vk.put_community(replace(community, contacts=changes.pop("contacts")))
        change(vk, community, community.owner_id, changes)
        return community_json(vk, vk.community(group_id))

    return await answer(request, Filling, work)


@get("/communities/{group_id:int}")
async def get_community(request: Asked, group_id: FromPath[int]) -> Response[bytes]:
    """The community, its callback servers and the events sent to them."""

    def work(vk: Vk, _: Any) -> Json:
        return community_json(vk, vk.community(group_id))

    return await answer(request, dict[str, Any], work)


@post("/communities/{group_id:int}/keys", status_code=200)
async def add_key(request: Asked, group_id: FromPath[int]) -> Response[bytes]:
    """{"rights"?: ["manage", "messages", …]}. Gives {"token"}."""

    def work(vk: Vk, said: Rights) -> Json:
        return {"token": vk.create_key(group_id, _known(said.rights))}

    return await answer(request, Rights, work)


@post("/communities/{group_id:int}/revoke", status_code=200)
async def revoke(request: Asked, group_id: FromPath[int]) -> Response[bytes]:
    """{"token"?}: the key (or all keys of the community) is dead from now on."""

    def work(vk: Vk, said: Revoking) -> Json:
        keys = [one.token for one in vk.keys_of(vk.community(group_id).id) if not one.revoked]
        if said.token is not None and said.token not in keys:
            raise Missing("no such key")
        revoked = keys if said.token is None else [said.token]
        for token in revoked:
            vk.revoke_key(token)
        return {"revoked": len(revoked)}

    return await answer(request, Revoking, work)


@post("/communities/{group_id:int}/items", status_code=200)
async def add_item(request: Asked, group_id: FromPath[int]) -> Response[bytes]:
    """{"title", "description"?, "price"? (kopecks), "price_type"?…}; gives {"item_id"}."""

    def work(vk: Vk, said: Offering) -> Json:
        picture = vk.add_picture(-vk.community(group_id).id, *pictures.draw_photo("#b07aa1"))
        fields = msgspec.structs.asdict(said)
        return {"item_id": vk.add_item(group_id, photo_ids=[picture.id], **fields).id}

    return await answer(request, Offering, work)


HANDLERS = [
    add_person,
    add_community,
    fill_community,
    get_community,
    add_key,
    revoke,
    add_item,
]
