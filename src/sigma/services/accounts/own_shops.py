"""The shops of a person: list them, and switch the session to another one."""

from collections.abc import Iterable

from sigma.domain.accounts.form_token import shop_of_form
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.ids import shop_tag
from sigma.services.paging import Page, make_page
from sigma.store.accounts import members, owner_shops, sessions
from sigma.store.accounts.members import OwnShop


async def list_page(
    ctx: Context, user_id: str, *, limit: int, cursor: str = "", query: str = ""
) -> Page[OwnShop]:
    """Return a page of the person's shops, the oldest first; `query`: a part of the name."""
    async with ctx.db.read() as tx:
        rows = await members.list_own_shops(
            tx, user_id, limit=limit + 1, after_id=cursor, query=query.strip()
        )
    return make_page(rows, limit, lambda shop: shop.shop_id)


async def get(ctx: Context, user_id: str, shop_id: str) -> OwnShop:
    """Return a shop of the person. Raises RefusedError("not_found"), also for foreign shops."""
    async with ctx.db.read() as tx:
        shop = await members.find_own_shop(tx, user_id, shop_id)
    if shop is None:
        raise RefusedError("not_found", what="shop")
    return shop


async def is_own(ctx: Context, session: Session, shop_id: str) -> bool:
    """Return whether the person belongs to a shop."""
    async with ctx.db.read() as tx:
        return await members.find_own_shop(tx, session.user.id, shop_id) is not None


async def switch(ctx: Context, session: Session, shop_id: str) -> OwnShop:
    """Make a shop the current one of a session.

    Forms of pages that are open in other tabs are refused until their shop is current again.
    Raises RefusedError("not_found"), also for foreign shops.
    """
    shop = await get(ctx, session.user.id, shop_id)
    async with ctx.db.write() as tx:
        await sessions.switch_shop(tx, session.secret_hash, shop.shop_id)
    return shop


async def find_shop_of_form(ctx: Context, session: Session, token: str) -> OwnShop | None:
    """Return the person's other shop in which this session opened a form with this token.

    None for the current shop, for other tokens, and when the person has left that shop.
    """
    shop_id = shop_of_form(token, session.form_key)
    if shop_id in ("", session.shop.id):
        return None
    async with ctx.db.read() as tx:
        return await members.find_own_shop(tx, session.user.id, shop_id)


async def find_shop_id(ctx: Context, object_id: str) -> str | None:
    """Return the id of the shop that owns an object; no check of rights."""
    async with ctx.db.read() as tx:
        return await owner_shops.find_shop_id(tx, object_id)


async def find_other_shop(
    ctx: Context, session: Session, object_ids: Iterable[str]
) -> OwnShop | None:
    """Return the person's other shop that owns one of the objects.

    None for objects of the current shop, of shops of others, and for unknown ids: the caller
    cannot tell these apart. Ids of the current shop cost no query.
    """
    for object_id in object_ids:
        if shop_tag(object_id) in ("", shop_tag(session.shop.id)):
            continue
        async with ctx.db.read() as tx:
            shop_id = await owner_shops.find_shop_id(tx, object_id)
            if shop_id and shop_id != session.shop.id:
                return await members.find_own_shop(tx, session.user.id, shop_id)
    return None
