"""VKontakte in the demo: a connected community, its services, and a client's first message."""

from dataclasses import replace

from sigma.domain.accounts.member import Member
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, Service, ServiceFields
from sigma.domain.change import Change
from sigma.domain.money import Money
from sigma.services.catalogue import services as catalogue_services
from sigma.services.checkout import storefront
from sigma.services.communities import communities
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.store import changes
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.actions.seed import CLIENTS, STUDIO_ID
from sigma_sandbox.vk.world.models import Attachment, MarketItem

KEY_PERMISSIONS = ["manage", "messages", "photos"]
SLUG = "lak"
INVOICE_TEMPLATE = InvoiceTemplate(
    (
        Question("email", QuestionKind.EMAIL, required=True),
        Question("phone", QuestionKind.PHONE, required=True),
        Question("wish", QuestionKind.TEXT, "Пожелания", hint="Цвет, длина, аллергия"),
    ),
    expires_days=3,
)
_PRICE_KINDS = {0: PriceKind.FIXED, 2: PriceKind.FROM, 3: PriceKind.AGREEMENT}


async def seed(ctx: Context, member: Member, vk: Vk, addresses: dict[str, str]) -> None:
    """Create everything at the first start; later update the addresses of the connections.

    `addresses` are the settings api_url and site_url of a connection.
    """
    if connected := await community_client.list_connected(ctx, member):
        for _, connection in connected:
            await _update_addresses(ctx, connection, addresses)
        return
    access_key = vk.create_community_key(STUDIO_ID, KEY_PERMISSIONS)
    community = await communities.connect(ctx, member, access_key, delivery_choice="long_poll")
    items = [item for item in vk.items.values() if item.group_id == STUDIO_ID]
    services = [await _create_service(ctx, member, vk, item, community.id) for item in items]
    await storefront.save_slug(ctx, member, SLUG)
    attachment = Attachment(type="market", owner_id=-STUDIO_ID, id=items[0].id)
    vk.write_message(
        CLIENTS[0].id,
        STUDIO_ID,
        "Здравствуйте! Можно записаться на субботу?",
        attachments=[attachment],
        ref=services[0].id,
    )


async def _update_addresses(
    ctx: Context, connection: Connection, addresses: dict[str, str]
) -> None:
    if connection.settings | addresses != connection.settings:
        updated = replace(connection, settings=connection.settings | addresses)
        await changes.commit(ctx.db, Change((updated,)), ctx.now_us())


async def _create_service(
    ctx: Context, member: Member, vk: Vk, item: MarketItem, community_id: str
) -> Service:
    photo_id = None
    if item.photo_ids:
        picture = vk.photos[item.photo_ids[0]]
        photo_id = (await catalogue_services.add_photo(ctx, member, picture.content)).id
    price_kind = _PRICE_KINDS[item.price_type]
    fields = ServiceFields(
        title=item.title,
        description=item.description,
        price_kind=price_kind,
        amount=None if price_kind is PriceKind.AGREEMENT else Money(item.price_minor),
        photo_id=photo_id,
        invoice_template=INVOICE_TEMPLATE,
    )
    service = await catalogue_services.save(ctx, member, None, fields)
    linked = replace(service, vk_connection_id=community_id, vk_item_id=item.id)
    await changes.commit(ctx.db, Change((linked,)), ctx.now_us())
    return linked
