"""Services: order, edits, deletion, and photos re-encoded within limits."""

import asyncio
import io
import zlib
from dataclasses import replace

import pytest
from PIL import Image

from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Status
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, fields_of, thumbnail_id
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import image_processing, services
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Buyer
from sigma.services.platform import housekeeping
from sigma.store import changes
from tests.photos import decode_image, make_photo
from tests.service_factories import create_service, service_fields
from tests.world import World

QUESTIONS = (Question("email", QuestionKind.EMAIL, required=True),)


async def list_titles(world: World) -> list[str]:
    return [service.title for service in await services.list_for_shop(world.ctx, world.member)]


def refusal_codes(caught: pytest.ExceptionInfo[RefusedError]) -> set[str]:
    return {p.code for p in caught.value.problems} or {caught.value.code}


async def test_services_keep_their_order_and_can_be_moved(world: World) -> None:
    first, second, third = [await create_service(world, name) for name in ("А", "Б", "В")]
    assert await list_titles(world) == ["А", "Б", "В"]
    await services.move(world.ctx, world.member, third.id, -1)
    await services.move(world.ctx, world.member, first.id, 1)
    assert await list_titles(world) == ["В", "А", "Б"]
    await asyncio.gather(
        *(services.move(world.ctx, world.member, second.id, step) for step in (-1, -1, 1))
    )
    positions = [
        service.position for service in await services.list_for_shop(world.ctx, world.member)
    ]
    assert positions == sorted(set(positions))


async def test_invoices_survive_edit_and_deletion_of_their_service(world: World) -> None:
    service = await create_service(world, invoice_template=InvoiceTemplate(QUESTIONS, 3))
    await storefront.save_slug(world.ctx, world.member, "lak")
    invoice = await storefront.buy(world.ctx, "lak", service.id, Buyer("b", "203.0.113.1"))
    changed = await services.save(
        world.ctx,
        world.member,
        service.id,
        replace(fields_of(service), title="Педикюр", price_kind=PriceKind.AGREEMENT),
    )
    assert (changed.title, changed.amount) == ("Педикюр", None)
    assert not (await services.set_visible(world.ctx, world.member, service.id, False)).is_visible
    await services.delete(world.ctx, world.member, service.id)
    assert await list_titles(world) == []
    with pytest.raises(RefusedError, match="not_found"):
        await services.get(world.ctx, world.member, service.id)
    stored_invoice = await invoices.get(world.ctx, world.member, invoice.id)
    assert (stored_invoice.title, stored_invoice.service_id, stored_invoice.status) == (
        "Маникюр",
        service.id,
        Status.OPEN,
    )


async def test_invalid_fields_operators_and_strangers_are_refused(world: World) -> None:
    with pytest.raises(RefusedError) as caught:
        await create_service(
            world, " ", amount=Money(0), invoice_template=InvoiceTemplate(expires_days=0)
        )
    assert refusal_codes(caught) == {"required", "money_positive", "range"}
    service = await create_service(world)
    operator = replace(world.member, role=Role.OPERATOR)
    with pytest.raises(RefusedError, match="forbidden"):
        await services.save(world.ctx, operator, service.id, service_fields())
    assert await services.list_for_shop(world.ctx, operator) == [service]
    stranger = Member("usr_x", "shp_1k10mxcfc57xxxxxxxxxxxx", Role.OWNER)
    for call in (services.get, services.delete):
        with pytest.raises(RefusedError, match="not_found"):
            await call(world.ctx, stranger, service.id)


def rgba_pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """Return red, green, blue and alpha of one pixel, each 0..255."""
    pixel = image.convert("RGBA").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


async def test_photo_is_reencoded_upright_and_without_metadata(world: World) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90°
    exif[0x010F] = "Secret Camera"
    exif[0x8825] = {1: "N", 2: (55.0, 45.0, 0.0)}  # GPS position
    uploaded = make_photo(3000, 2000, exif=exif.tobytes(), comment=b"secret words")
    stored = await services.add_photo(world.ctx, world.member, uploaded)
    assert (stored.media_type, stored.width, stored.height) == ("image/jpeg", 1067, 1600)
    for name, longest in ((stored.id, 1600), (thumbnail_id(stored.id), 320)):
        encoded = await services.get_photo(world.ctx, name)
        image = decode_image(encoded.data)
        assert max(image.size) == longest
        assert not image.getexif()
        assert b"ecret" not in encoded.data
        red, green, _ = rgba_pixel(image, image.width - 5, 5)[:3]  # rotated clockwise
        assert (red > 230, green > 230) == (True, True)


async def test_transparent_photo_keeps_its_transparency(world: World) -> None:
    opaque = await services.add_photo(
        world.ctx, world.member, make_photo(100, 80, "PNG", mode="RGBA")
    )
    assert opaque.media_type == "image/jpeg"  # fully opaque: the alpha channel is dropped
    image = Image.new("RGBA", (100, 80), (255, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, "PNG")
    transparent = await services.add_photo(world.ctx, world.member, out.getvalue())
    assert transparent.media_type == "image/png"
    assert rgba_pixel(decode_image(transparent.data), 5, 5)[3] == 0


def oversized_png(width: int, height: int) -> bytes:
    """Return a small PNG file whose header claims `width` × `height` pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(name + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + name + body + crc

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    body = zlib.compress(b"\0" * 1000)
    signed = b"\x89PNG\r\n\x1a\n"
    return signed + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "photo_format"),
        (b"GIF89a" + b"\0" * 20, "photo_format"),
        (SVG, "photo_format"),
        (b"<html><script>alert(1)</script>", "photo_format"),
        (b"%PDF-1.7", "photo_format"),
        (make_photo()[:2000], "photo_format"),  # truncated
        (b"\xff\xd8\xff" + b"\xff" * 5000, "photo_format"),
        (oversized_png(300, 300), "photo_format"),  # fewer pixels than the header claims
        (oversized_png(8000, 8000), "photo_pixels"),
        (oversized_png(20_000, 10_000), "photo_pixels"),
        (oversized_png(2**31 - 1, 2**31 - 1), "photo_pixels"),
        (b"\xff\xd8\xff" + b"\0" * image_processing.MAX_BYTES, "photo_size"),
    ],
)
async def test_invalid_or_oversized_photo_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        await image_processing.reencode(data)
    assert refusal_codes(caught) == {code}


async def test_bytes_after_the_photo_are_dropped(world: World) -> None:
    polyglot = make_photo(50, 50) + b"<script>alert(1)</script>"
    stored = await services.add_photo(world.ctx, world.member, polyglot)
    assert b"script" not in stored.data


async def test_photo_of_another_shop_is_refused(world: World) -> None:
    own_photo = await services.add_photo(world.ctx, world.member, make_photo(50, 50))
    other_shop = Shop(id=world.ctx.new_id("shp"), name="Чужая", created_at_us=0)
    await changes.commit(world.ctx.db, Change((other_shop,)), 0)
    stranger = Member("usr_x", other_shop.id, Role.OWNER)
    assert await services.get_photo_size(world.ctx, stranger, own_photo.id) == {}
    service = await create_service(world, photo_id=own_photo.id)
    foreign_photo = await services.add_photo(world.ctx, stranger, make_photo(50, 50))
    for photo_id in ("pho_nosuch", foreign_photo.id):
        changed = replace(fields_of(service), photo_id=photo_id)
        with pytest.raises(RefusedError) as caught:
            await services.save(world.ctx, world.member, service.id, changed)
        assert refusal_codes(caught) == {"photo_gone"}


async def test_unused_photos_are_deleted_after_a_day(world: World) -> None:
    unused, used = [
        (await services.add_photo(world.ctx, world.member, make_photo(50, 50))).id for _ in range(2)
    ]
    await create_service(world, photo_id=used)
    await housekeeping.clean_up(world.ctx)
    assert (await services.get_photo(world.ctx, unused)).id == unused
    world.clock.advance(days=2)
    await housekeeping.clean_up(world.ctx)
    for name in (used, thumbnail_id(used)):
        assert (await services.get_photo(world.ctx, name)).id == name
    for name in (unused, thumbnail_id(unused)):
        with pytest.raises(RefusedError, match="not_found"):
            await services.get_photo(world.ctx, name)
