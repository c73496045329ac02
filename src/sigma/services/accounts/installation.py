"""The installation: its administrators create shops, list them and set their quotas."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sigma.domain.accounts.api_key import COMMAND_LINE
from sigma.domain.accounts.member import Role
from sigma.domain.accounts.names import check_name
from sigma.domain.accounts.quota import Quotas, check_quotas
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.origin import NO_ORIGIN, Origin
from sigma.domain.text_cleaning import clean_text
from sigma.services.accounts import invitations
from sigma.services.accounts.logins import check_login
from sigma.services.context import Context
from sigma.services.invitation_links import invitation_url
from sigma.services.paging import MAX_LIMIT, Page, make_page
from sigma.services.platform import audit_log
from sigma.services.platform import quotas as quota_limits
from sigma.store import changes
from sigma.store.accounts import administrators, members, shops, users
from sigma.store.engine.interface import Tx
from sigma.store.paging import MAX_ID


@dataclass(frozen=True, slots=True)
class Administrator:
    """The acting administrator of the installation: a user id, or "cli" for the command line."""

    actor: str
    origin: Origin = NO_ORIGIN


@dataclass(frozen=True, slots=True)
class NewShop:
    """A new shop. `invitation_url` is the link for its owner, "" when the owner has an account."""

    shop: Shop
    owner_login: str
    invitation_url: str


@dataclass(frozen=True, slots=True)
class NewMember:
    """A person added to a team. `invitation_url` is "" for one who had an account."""

    login: str
    shop_id: str
    role: Role
    invitation_url: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the installation. `roles`: shop id → role, the oldest shop first."""

    id: str
    login: str
    name: str
    is_administrator: bool
    roles: dict[str, Role]


async def access(ctx: Context, user_id: str, origin: Origin = NO_ORIGIN) -> Administrator:
    """Return the user as an administrator. Raises RefusedError("forbidden")."""
    if not await is_administrator(ctx, user_id):
        raise RefusedError("forbidden")
    return Administrator(user_id, origin)


async def is_administrator(ctx: Context, user_id: str) -> bool:
    """Return whether the user administers the installation."""
    async with ctx.db.read() as tx:
        return await administrators.is_administrator(tx, user_id)


async def create_shop(
    ctx: Context, administrator: Administrator, name: str, owner_login: str
) -> NewShop:
    """Create a shop and its owner.

    An administrator becomes the owner at once, and on the command line so does any account; all
    others are invited. Raises RefusedError("validation").
    """
    name = clean_text(name)
    problems = check_name("name", name)
    email = ""
    try:
        email = check_login(owner_login)
    except RefusedError as error:
        problems += error.problems
    if problems:
        raise validation_error(*problems)
    now_us = ctx.now_us()
    shop = Shop(ctx.new_id("shp"), name, now_us, locale=ctx.settings.locale)
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((shop,)), now_us)
        user = await users.find_by_login(tx, email)
        if user and administrator.actor in (COMMAND_LINE, user.id):
            await members.add(tx, shop.id, user.id, Role.OWNER, now_us)
            await _record(ctx, tx, administrator, shop.id, Deed.SHOP_CREATED, shop.id, name=name)
            return NewShop(shop, email, "")
        actor, origin = administrator.actor, administrator.origin
        invitation, _ = await invitations.add(
            ctx, tx, shop.id, email, Role.OWNER, actor=actor, origin=origin
        )
        await _record(ctx, tx, administrator, shop.id, Deed.SHOP_CREATED, shop.id, name=name)
    return NewShop(shop, email, invitation_url(ctx, invitation))


async def add_member(
    ctx: Context, administrator: Administrator, shop_id: str, login: str, role: Role
) -> NewMember:
    """Add a person to the team of any shop: an account at once, others by an invitation.

    Raises RefusedError("validation").
    """
    email = check_login(login)
    async with ctx.db.write() as tx:
        await shops.lock(tx, shop_id)
        user = await users.find_by_login(tx, email)
        if user is None:
            actor, origin = administrator.actor, administrator.origin
            invitation, _ = await invitations.add(
                ctx, tx, shop_id, email, role, actor=actor, origin=origin
            )
            return NewMember(email, shop_id, role, invitation_url(ctx, invitation))
        if await members.find_role(tx, shop_id, user.id):
            raise validation_error(Problem("email", "already_member"))
        await members.add(tx, shop_id, user.id, role, ctx.now_us())
        deed = Deed.MEMBER_ADDED
        await _record(ctx, tx, administrator, shop_id, deed, user.id, role=str(role))
    return NewMember(email, shop_id, role, "")


async def add_administrator(ctx: Context, administrator: Administrator, login: str) -> None:
    """Make an account an administrator of the installation. Raises RefusedError("validation")."""
    email = check_login(login)
    async with ctx.db.write() as tx:
        user = await users.find_by_login(tx, email)
        if user is None:
            raise validation_error(Problem("email", "no_account"))
        await administrators.add(tx, user.id, ctx.now_us())
        await _record(ctx, tx, administrator, INSTALLATION, Deed.ADMINISTRATOR_ADDED, user.id)


async def remove_administrator(ctx: Context, administrator: Administrator, login: str) -> None:
    """Take the right of an administrator from an account; its roles in shops stay.

    Raises RefusedError("validation") for who is no administrator.
    """
    email = check_login(login)
    async with ctx.db.write() as tx:
        user = await users.find_by_login(tx, email)
        if user is None or not await administrators.remove(tx, user.id):
            raise validation_error(Problem("email", "no_administrator"))
        await _record(ctx, tx, administrator, INSTALLATION, Deed.ADMINISTRATOR_REMOVED, user.id)


async def _record(
    ctx: Context,
    tx: Tx,
    administrator: Administrator,
    chain: str,
    deed: Deed,
    subject: str,
    **detail: Any,
) -> None:
    actor, origin = administrator.actor, administrator.origin
    await audit_log.record_for_chain(ctx, tx, chain, actor, origin, deed, subject, **detail)


async def list_people(
    ctx: Context, _administrator: Administrator, shop_id: str | None = None
) -> list[Person]:
    """Return all accounts of the installation, or the members of one shop, the oldest first."""
    people: list[Person] = []
    after_id = ""
    while True:
        async with ctx.db.read() as tx:
            page = await users.list_page(tx, after_id=after_id, limit=MAX_LIMIT)
            ids = [user.id for user in page]
            roles = await members.list_roles(tx, ids)
            administrator_ids = await administrators.filter_ids(tx, ids)
        for user in page:
            own = roles.get(user.id, {})
            if shop_id is None or shop_id in own:
                is_administrator = user.id in administrator_ids
                people.append(Person(user.id, user.login, user.name, is_administrator, own))
        if len(page) < MAX_LIMIT:
            return people
        after_id = page[-1].id


async def list_shops(
    ctx: Context, _administrator: Administrator, *, limit: int, cursor: str = "", query: str = ""
) -> Page[Shop]:
    """Return a page of all shops, the newest first; `query`: a part of the name."""
    async with ctx.db.read() as tx:
        rows = await shops.list_page(
            tx, query=query.strip(), limit=limit + 1, before_id=cursor or MAX_ID
        )
    return make_page(rows, limit, lambda shop: shop.id)


async def get_shop(ctx: Context, _administrator: Administrator, shop_id: str) -> Shop:
    """Return a shop. Raises RefusedError("not_found")."""
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, shop_id)
    if shop is None:
        raise RefusedError("not_found", what="shop")
    return shop


async def set_quotas(
    ctx: Context, administrator: Administrator, shop_id: str, quotas: Quotas
) -> Shop:
    """Set the quotas of a shop. Raises RefusedError: "not_found", "validation"."""
    if problems := check_quotas(quotas):
        raise validation_error(*problems)
    await get_shop(ctx, administrator, shop_id)
    async with ctx.db.write() as tx:
        shop = await shops.lock(tx, shop_id)
        saved = replace(shop, quotas=quotas)
        await changes.write(tx, Change((saved,)), ctx.now_us())
        changed = changed_fields(asdict(shop.quotas), asdict(quotas))
        deed = Deed.QUOTAS_CHANGED
        await _record(ctx, tx, administrator, shop_id, deed, shop_id, changes=changed)
    ctx.quotas.pop(shop_id, None)
    if shop.quotas.invoices_per_day is None:
        await quota_limits.count_issued(ctx, shop_id, quotas)
    return saved
