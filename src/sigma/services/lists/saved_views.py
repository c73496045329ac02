"""Saved views: own ones for everybody, shared ones by those who may change the settings."""

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.lists.filters import ListFilter
from sigma.domain.lists.saved_view import MAX_VIEWS, ListKind, SavedView, check_name
from sigma.domain.text_cleaning import clean_text
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store.accounts import shops
from sigma.store.lists import saved_views


async def list_views(ctx: Context, member: Member, kind: ListKind) -> list[SavedView]:
    """Return the views of a list that the member sees: own and shared ones."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        return await saved_views.list_visible(tx, member.shop_id, kind, member.actor, MAX_VIEWS)


async def save(
    ctx: Context, member: Member, kind: ListKind, name: str, wanted: ListFilter, *, is_shared: bool
) -> SavedView:
    """Save a filter under a name. Raises RefusedError: "forbidden", "validation".

    The values are stored in plain text, so a view has no search, e-mail or phone.
    """
    member.require(Permission.SETTINGS if is_shared else Permission.READ)
    values = wanted.to_values()
    problems = check_name(name)
    if not values:
        problems.append(Problem("name", "view_empty"))
    if values.keys() & {"q", "email", "phone"}:
        problems.append(Problem("name", "view_personal"))
    if problems:
        raise validation_error(*problems)
    view = SavedView(
        id=ctx.new_id("viw", member.shop_id),
        shop_id=member.shop_id,
        kind=kind,
        user_id="" if is_shared else member.actor,
        name=clean_text(name),
        created_by=member.actor,
        created_at_us=ctx.now_us(),
        filter_values=values,
    )
    async with ctx.db.write() as tx:
        await shops.lock(tx, member.shop_id)  # views that are saved at once count together
        visible = await saved_views.list_visible(tx, member.shop_id, kind, member.actor, MAX_VIEWS)
        if len(visible) >= MAX_VIEWS:
            raise validation_error(Problem("name", "too_many", {"max": MAX_VIEWS}))
        await saved_views.add(tx, view)
        if is_shared:
            await audit_log.record(ctx, tx, member, Deed.VIEW_SHARED, view.id, name=view.name)
    return view


async def remove(ctx: Context, member: Member, view_id: str) -> SavedView:
    """Delete a view. Raises RefusedError: "forbidden", "not_found"."""
    member.require(Permission.READ)
    async with ctx.db.write() as tx:
        view = await saved_views.get(tx, view_id)
        is_visible = view is not None and view.shop_id == member.shop_id
        if view is None or not is_visible or view.user_id not in ("", member.actor):
            raise RefusedError("not_found", what="page")
        if view.is_shared:
            member.require(Permission.SETTINGS)
            await audit_log.record(ctx, tx, member, Deed.VIEW_REMOVED, view.id, name=view.name)
        await saved_views.remove(tx, view_id)
    return view
