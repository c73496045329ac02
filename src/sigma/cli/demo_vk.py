"""The demo's VKontakte: the sandbox's full community connected, its services in the catalogue, and
a client who has just asked about one of them.
"""

from dataclasses import replace

from sigma.domain.accounts.member import Member
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.question import Kind, Question
from sigma.domain.catalogue.service import PriceKind, Service, Template
from sigma.domain.change import Change
from sigma.domain.money import Money
from sigma.services.catalogue import services as catalogue_services
from sigma.services.catalogue.services import Offer
from sigma.services.checkout import storefront
from sigma.services.communities import communities
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.store import changes
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.actions.seed import CLIENTS, STUDIO
from sigma_sandbox.vk.world.models import Attachment, Item

RIGHTS = ["manage", "messages", "photos"]
SLUG = "lak"
ASKED = Template(
    (
        Question("email", Kind.EMAIL, required=True),
        Question("phone", Kind.PHONE, required=True),
        Question("wish", Kind.TEXT, "Пожелания", hint="Цвет, длина, аллергия"),
    ),
    expires_days=3,
)
_KINDS = {0: PriceKind.FIXED, 2: PriceKind.FROM, 3: PriceKind.AGREEMENT}


async def seed(ctx: Context, member: Member, vk: Vk, addresses: dict[str, str]) -> None:
    """Makes all of it at the first start; later the connections follow VK to another port.

    `addresses` are the settings api_url and site_url of a connection.
    """
    if there := await community_client.lines_of(ctx, member):
        for line in there:
            await _follow(ctx, line.connection, addresses)
        return
    key = vk.create_key(STUDIO, RIGHTS)
    community = await communities.connect(ctx, member, key, wanted="longpoll")
    items = [item for item in vk.items.values() if item.group_id == STUDIO]
    services = [await _service(ctx, member, vk, item, community.id) for item in items]
    await storefront.save_slug(ctx, member, SLUG)
    asked = Attachment(type="market", owner_id=-STUDIO, id=items[0].id)
    vk.write(
        CLIENTS[0].id,
        STUDIO,
        "Здравствуйте! Можно записаться на субботу?",
        attachments=[asked],
        ref=services[0].id,
    )


async def _follow(ctx: Context, connection: Connection, addresses: dict[str, str]) -> None:
    if connection.settings | addresses != connection.settings:
        moved = replace(connection, settings=connection.settings | addresses)
        await changes.commit(ctx.db, Change((moved,)), ctx.now())


async def _service(ctx: Context, member: Member, vk: Vk, item: Item, community_id: str) -> Service:
    photo_id = None
    if item.photo_ids:
        picture = vk.pictures[item.photo_ids[0]]
        photo_id = (await catalogue_services.add_photo(ctx, member, picture.content)).id
    price = _KINDS[item.price_type]
    offer = Offer(
        title=item.title,
        description=item.description,
        price=price,
        amount=None if price is PriceKind.AGREEMENT else Money(item.price),
        photo_id=photo_id,
        template=ASKED,
    )
    service = await catalogue_services.save(ctx, member, None, offer)
    tied = replace(service, vk_connection_id=community_id, vk_item_id=item.id)
    await changes.commit(ctx.db, Change((tied,)), ctx.now())
    return tied
