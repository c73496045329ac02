"""Services of a shop, in their order, with photos and invoice templates."""

from collections.abc import Callable
from dataclasses import replace

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.catalogue.photo import Photo
from sigma.domain.catalogue.service import (
    Service,
    ServiceFields,
    mark_deleted,
    reordered,
    reordered_category,
    thumbnail_id,
    with_fields,
    with_visibility,
)
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.idempotency import Idempotency
from sigma.services.catalogue import image_processing
from sigma.services.context import Context
from sigma.services.paging import Page, make_page
from sigma.services.platform import quotas
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.catalogue import photos as photo_rows
from sigma.store.catalogue import services
from sigma.store.engine.interface import Tx

MAX_SERVICES = 10_000


async def list_for_shop(ctx: Context, member: Member) -> list[Service]:
    """Return the shop's services in their order, including hidden ones."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        return await services.list_for_shop(tx, member.shop_id)


async def list_page(
    ctx: Context, member: Member, *, limit: int, cursor: str | None = None
) -> Page[Service]:
    """Return a page of the shop's services in their order, including hidden ones.

    `cursor` is the id of the last service of the page before, deleted or not. Raises
    RefusedError("validation") for the id of no service.
    """
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        after = await services.get(tx, cursor) if cursor is not None else None
        if cursor is not None and (after is None or after.shop_id != member.shop_id):
            raise validation_error(Problem("cursor", "cursor"))
        listed = await services.list_page(tx, member.shop_id, after=after, limit=limit + 1)
    return make_page(listed, limit, lambda service: service.id)


async def get(ctx: Context, member: Member, service_id: str) -> Service:
    """Return a service. Raises RefusedError("not_found"), also for a deleted one."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        return _require_own(await services.get(tx, service_id), member)


def _require_own(service: Service | None, member: Member) -> Service:
    if service is None or service.shop_id != member.shop_id or service.deleted_at_us is not None:
        raise RefusedError("not_found", what="service")
    return service


def new_service(ctx: Context, shop_id: str, position: int) -> Service:
    """Return a new, empty service; it is not stored."""
    return Service(
        id=ctx.new_id("svc", shop_id),
        shop_id=shop_id,
        title="",
        created_at_us=ctx.now_us(),
        position=position,
    )


async def save(
    ctx: Context,
    member: Member,
    service_id: str | None,
    fields: ServiceFields,
    *,
    idempotency: Idempotency[Service] | None = None,
) -> Service:
    """Add a service at the end of the catalogue (`service_id` None) or change one.

    Raises RefusedError: "validation" with all problems, "not_found".
    """
    member.require(Permission.CATALOGUE)
    if service_id is not None:
        return await _update(
            ctx, member, service_id, lambda current: with_fields(current, fields), fields
        )
    async with ctx.db.write() as tx:
        await lock_catalogue(tx, member.shop_id, 1)
        await _require_own_photo(tx, member, fields.photo_id)
        position = await services.next_position(tx, member.shop_id)
        service = with_fields(new_service(ctx, member.shop_id, position), fields)
        now_us = ctx.now_us()
        change = Change((service,)).with_response(idempotency, service, now_us)
        await changes.write(tx, change, now_us)
    return replace(service, version=1)


async def lock_catalogue(tx: Tx, shop_id: str, extra_count: int) -> list[Service]:
    """Lock the shop's catalogue against concurrent additions and return its services.

    Raises RefusedError("validation") when `extra_count` more services would be too many.
    """
    await shops.lock(tx, shop_id)
    existing = await services.list_for_shop(tx, shop_id)
    if len(existing) + extra_count > MAX_SERVICES:
        raise validation_error(Problem("title", "too_many", {"max": MAX_SERVICES}))
    return existing


async def _update(
    ctx: Context,
    member: Member,
    service_id: str,
    apply_change: Callable[[Service], Service],
    fields: ServiceFields | None = None,
) -> Service:
    member.require(Permission.CATALOGUE)
    await get(ctx, member, service_id)
    async with ctx.db.write() as tx:
        current = _require_own(await services.lock(tx, service_id), member)
        if fields is not None and fields.photo_id != current.photo_id:
            await _require_own_photo(tx, member, fields.photo_id)
        after = apply_change(current)
        if after == current:
            return current
        await changes.write(tx, Change((after,)), ctx.now_us())
    return replace(after, version=after.version + 1)


async def _require_own_photo(tx: Tx, member: Member, photo_id: str | None) -> None:
    if photo_id is None:
        return
    photo = await photo_rows.get(tx, photo_id)
    if photo is None or photo.shop_id != member.shop_id:
        raise validation_error(Problem("photo", "photo_gone"))


async def set_visible(ctx: Context, member: Member, service_id: str, is_visible: bool) -> Service:
    """Show a service to clients or hide it. Raises RefusedError("not_found")."""
    return await _update(
        ctx, member, service_id, lambda current: with_visibility(current, is_visible)
    )


async def delete(ctx: Context, member: Member, service_id: str) -> Service:
    """Delete a service for good; its invoices and conversations stay.

    The market item in VK is not deleted, only its link to the service.
    """
    return await _update(
        ctx, member, service_id, lambda current: mark_deleted(current, ctx.now_us())
    )


async def move(ctx: Context, member: Member, service_id: str, step: int) -> None:
    """Move a service down in its category by `step` positions (-1: up by one)."""
    member.require(Permission.CATALOGUE)
    await get(ctx, member, service_id)
    async with ctx.db.write() as tx:
        existing = await lock_catalogue(tx, member.shop_id, 0)
        await changes.write(tx, Change(tuple(reordered(existing, service_id, step))), ctx.now_us())


async def move_category(ctx: Context, member: Member, category: str, step: int) -> None:
    """Move a whole category down the catalogue by `step` positions (-1: up by one)."""
    member.require(Permission.CATALOGUE)
    async with ctx.db.write() as tx:
        existing = await lock_catalogue(tx, member.shop_id, 0)
        moved = reordered_category(existing, category, step)
        await changes.write(tx, Change(tuple(moved)), ctx.now_us())


async def add_photo(ctx: Context, member: Member, data: bytes, name: str | None = None) -> Photo:
    """Store a photo and its small version; unused photos are deleted after a day.

    `name`: of the uploaded file, None for one that Sigma itself has fetched.

    Raises RefusedError("validation") for "photo", also above the quota of the shop.
    """
    member.require(Permission.CATALOGUE)
    full, small = await image_processing.reencode(data, name)
    photo_id, now_us = f"pho_{ctx.new_token()}", ctx.now_us()
    photos = [
        Photo(
            image_id,
            member.shop_id,
            image.media_type,
            image.width,
            image.height,
            image.data,
            now_us,
        )
        for image_id, image in ((photo_id, full), (thumbnail_id(photo_id), small))
    ]
    async with ctx.db.write() as tx:
        await quotas.require_storage(tx, member.shop_id, sum(len(one.data) for one in photos))
        await changes.write(tx, Change(tuple(photos)), now_us)
    return replace(photos[0], version=1)


async def get_photo(ctx: Context, photo_id: str) -> Photo:
    """Return a photo by its unguessable id, without a permission check.

    Raises RefusedError("not_found").
    """
    async with ctx.db.read() as tx:
        row = await photo_rows.get(tx, photo_id)
    if row is None:
        raise RefusedError("not_found", what="photo")
    return row


async def get_photo_size(
    ctx: Context, member: Member, photo_id: str | None
) -> dict[str, tuple[int, int]]:
    """Return photo id → (width, height) in pixels; {} when it is not a photo of the shop."""
    if photo_id is None:
        return {}
    async with ctx.db.read() as tx:
        row = await photo_rows.get(tx, photo_id)
    if row is None or row.shop_id != member.shop_id:
        return {}
    return {photo_id: (row.width, row.height)}
