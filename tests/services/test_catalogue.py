"""The catalogue: kept in order, photos drawn anew within limits, the public page and its limits."""

import asyncio
import io
import zlib
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Status
from sigma.domain.billing.question import Kind, Question
from sigma.domain.catalogue.service import PriceKind, Service, Template
from sigma.domain.change import Change
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import image_processing, services
from sigma.services.catalogue.services import offer_of, small_of
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Buyer
from sigma.services.platform import housekeeping
from sigma.store import changes
from tests.offers import made, offer
from tests.photos import opened, photo
from tests.world import World

ASK = (Question("email", Kind.EMAIL, required=True),)


async def titles(world: World) -> list[str]:
    return [s.title for s in await services.listing(world.ctx, world.member)]


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {p.code for p in refused.value.problems} or {refused.value.code}


async def test_services_stand_in_their_order_and_move(world: World) -> None:
    first, second, third = [await made(world, name) for name in ("А", "Б", "В")]
    assert await titles(world) == ["А", "Б", "В"]
    await services.move(world.ctx, world.member, third.id, -1)
    await services.move(world.ctx, world.member, first.id, 1)
    assert await titles(world) == ["В", "А", "Б"]
    await asyncio.gather(
        *(services.move(world.ctx, world.member, second.id, step) for step in (-1, -1, 1))
    )
    positions = [s.position for s in await services.listing(world.ctx, world.member)]
    assert positions == sorted(set(positions))


async def test_a_service_is_changed_hidden_and_deleted_and_its_invoices_stay(world: World) -> None:
    service = await made(world, template=Template(ASK, 3))
    await storefront.save_slug(world.ctx, world.member, "lak")
    invoice = await storefront.buy(world.ctx, "lak", service.id, Buyer("b", "203.0.113.1"))
    changed = await services.save(
        world.ctx,
        world.member,
        service.id,
        replace(offer_of(service), title="Педикюр", price=PriceKind.AGREEMENT),
    )
    assert (changed.title, changed.amount) == ("Педикюр", None)
    assert not (await services.show(world.ctx, world.member, service.id, False)).visible
    await services.delete(world.ctx, world.member, service.id)
    assert await titles(world) == []
    with pytest.raises(Refused, match="not_found"):
        await services.get(world.ctx, world.member, service.id)
    kept = await invoices.get(world.ctx, world.member, invoice.id)
    assert (kept.title, kept.service_id, kept.status) == ("Маникюр", service.id, Status.OPEN)


async def test_wrong_offers_and_strangers_are_refused(world: World) -> None:
    with pytest.raises(Refused) as refused:
        await made(world, " ", amount=Money(0), template=Template(expires_days=0))
    assert codes(refused) == {"required", "money_positive", "range"}
    service = await made(world)
    operator = replace(world.member, role=Role.OPERATOR)
    with pytest.raises(Refused, match="forbidden"):
        await services.save(world.ctx, operator, service.id, offer())
    assert await services.listing(world.ctx, operator) == [service]
    stranger = Member("usr_x", "shp_1k10mxcfc57xxxxxxxxxxxx", Role.OWNER)
    for act in (services.get, services.delete):
        with pytest.raises(Refused, match="not_found"):
            await act(world.ctx, stranger, service.id)


async def test_a_photo_is_drawn_anew_without_what_the_camera_wrote(world: World) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    exif[0x010F] = "Secret Camera"
    exif[0x8825] = {1: "N", 2: (55.0, 45.0, 0.0)}  # where
    sent = photo(3000, 2000, exif=exif.tobytes(), comment=b"secret words")
    kept = await services.add_photo(world.ctx, world.member, sent)
    assert (kept.media_type, kept.width, kept.height) == ("image/jpeg", 1067, 1600)
    for name, longest in ((kept.id, 1600), (small_of(kept.id), 320)):
        found = await services.photo(world.ctx, name)
        image = opened(found.data)
        assert max(image.size) == longest
        assert not image.getexif()
        assert b"ecret" not in found.data
        red, green, _ = image.convert("RGB").getpixel((image.width - 5, 5))  # turned clockwise
        assert (red > 230, green > 230) == (True, True)


async def test_a_see_through_picture_stays_see_through(world: World) -> None:
    clear = await services.add_photo(world.ctx, world.member, photo(100, 80, "PNG", mode="RGBA"))
    assert clear.media_type == "image/jpeg"  # it has a channel for it, and does not use it
    image = Image.new("RGBA", (100, 80), (255, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, "PNG")
    kept = await services.add_photo(world.ctx, world.member, out.getvalue())
    assert kept.media_type == "image/png"
    assert opened(kept.data).convert("RGBA").getpixel((5, 5))[3] == 0


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""

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
        (photo()[:2000], "photo_format"),  # cut short
        (b"\xff\xd8\xff" + b"\xff" * 5000, "photo_format"),
        (bomb(300, 300), "photo_format"),  # fewer points than it says
        (bomb(8000, 8000), "photo_pixels"),
        (bomb(20_000, 10_000), "photo_pixels"),
        (bomb(2**31 - 1, 2**31 - 1), "photo_pixels"),
        (b"\xff\xd8\xff" + b"\0" * image_processing.MAX_BYTES, "photo_size"),
    ],
)
async def test_what_is_no_photo_or_too_much_of_one_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        await image_processing.drawn(data)
    assert codes(refused) == {code}


async def test_a_file_with_something_behind_the_photo_loses_it(world: World) -> None:
    both = photo(50, 50) + b"<script>alert(1)</script>"
    kept = await services.add_photo(world.ctx, world.member, both)
    assert b"script" not in kept.data


async def test_another_shops_photo_cannot_be_taken(world: World) -> None:
    kept = await services.add_photo(world.ctx, world.member, photo(50, 50))
    other = Shop(id=world.ctx.new_id("shp"), name="Чужая", created_at=0)
    await changes.commit(world.ctx.db, Change((other,)), 0)
    stranger = Member("usr_x", other.id, Role.OWNER)
    assert await services.photo_size(world.ctx, stranger, kept.id) == {}
    service = await made(world, photo_id=kept.id)
    theirs = await services.add_photo(world.ctx, stranger, photo(50, 50))
    for photo_id in ("pho_nosuch", theirs.id):
        changed = replace(offer_of(service), photo_id=photo_id)
        with pytest.raises(Refused) as refused:
            await services.save(world.ctx, world.member, service.id, changed)
        assert codes(refused) == {"photo_gone"}


async def test_photos_that_no_service_took_are_forgotten(world: World) -> None:
    lost, used = [
        (await services.add_photo(world.ctx, world.member, photo(50, 50))).id for _ in range(2)
    ]
    await made(world, photo_id=used)
    await housekeeping.tidy(world.ctx)
    assert (await services.photo(world.ctx, lost)).id == lost
    world.clock.move(days=2)
    await housekeeping.tidy(world.ctx)
    for name in (used, small_of(used)):
        assert (await services.photo(world.ctx, name)).id == name
    for name in (lost, small_of(lost)):
        with pytest.raises(Refused, match="not_found"):
            await services.photo(world.ctx, name)


async def test_a_page_has_a_name_of_its_own(world: World) -> None:
    with pytest.raises(Refused, match="not_found"):
        await storefront.front(world.ctx, "lak")
    await storefront.save_slug(world.ctx, world.member, "lak")
    hidden = await made(world, visible=False)
    shown = await made(world)
    front = await storefront.front(world.ctx, "lak")
    assert (front.shop.id, front.services, front.payable) == (world.shop.id, (shown,), True)
    with pytest.raises(Refused, match="not_found"):
        front.service(hidden.id)
    with pytest.raises(Refused) as refused:
        await storefront.save_slug(world.ctx, world.member, "admin")
    assert codes(refused) == {"slug_taken"}
    await storefront.save_slug(world.ctx, world.member, None)
    with pytest.raises(Refused, match="not_found"):
        await storefront.front(world.ctx, "lak")


async def sold(world: World, **more: Any) -> Service:
    await storefront.save_slug(world.ctx, world.member, "lak")
    return await made(world, template=Template(ASK, 3, "https://vk.me/lak"), **more)


async def test_buying_makes_an_invoice_of_the_template(world: World) -> None:
    service = await sold(world)
    invoice = await storefront.buy(world.ctx, "lak", service.id, Buyer("one", "203.0.113.1"))
    assert invoice.status is Status.OPEN
    assert invoice.created_by == "storefront"
    assert invoice.amount == Money(150_000)
    assert invoice.service_id == service.id
    assert (invoice.questions, invoice.return_url) == (ASK, "https://vk.me/lak")
    payment = await world.started(invoice)
    assert payment.confirmation_url


async def test_the_same_browser_gets_the_same_invoice_while_it_can_be_paid(world: World) -> None:
    service = await sold(world)

    async def buy(secret: str = "one") -> str:
        buyer = Buyer(secret, "203.0.113.1")
        return (await storefront.buy(world.ctx, "lak", service.id, buyer)).id

    first = await asyncio.gather(*(buy() for _ in range(5)))
    assert len(set(first)) == 1
    assert await buy("other") != first[0]
    await invoices.void(world.ctx, world.member, first[0])
    second = await buy()
    assert second not in first
    assert await buy() == second
    world.clock.move(hours=25)  # no longer fresh, though it can still be paid
    third = await buy()
    assert third not in (*first, second)
    await services.save(
        world.ctx, world.member, service.id, replace(offer_of(service), amount=Money(200_000))
    )
    fourth = await storefront.buy(world.ctx, "lak", service.id, Buyer("one", "203.0.113.1"))
    assert fourth.id != third
    assert fourth.amount == Money(200_000)


async def test_a_paid_service_can_be_bought_again(world: World) -> None:
    service = await sold(world)
    buyer = Buyer("one", "203.0.113.1")
    first = await storefront.buy(world.ctx, "lak", service.id, buyer)
    await world.paid(first)
    assert (await storefront.buy(world.ctx, "lak", service.id, buyer)).id != first.id


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"price": PriceKind.FROM}, "service_not_payable"),
        ({"price": PriceKind.AGREEMENT}, "service_not_payable"),
        ({"visible": False}, "not_found"),
    ],
)
async def test_what_is_not_for_sale_is_not_sold(
    world: World, more: dict[str, Any], code: str
) -> None:
    service = await sold(world, **more)
    with pytest.raises(Refused, match=code):
        await storefront.buy(world.ctx, "lak", service.id, Buyer("one", "203.0.113.1"))
    assert (await invoices.listing(world.ctx, world.member)).data == []


async def test_one_address_cannot_fill_the_books(world: World) -> None:
    service = await sold(world)

    async def buy(n: int, ip: str) -> str:
        return (await storefront.buy(world.ctx, "lak", service.id, Buyer(f"b{n}", ip))).id

    for n in range(storefront.PER_ADDRESS):
        await buy(n, f"2001:db8::{n}")  # one household
    with pytest.raises(Refused, match="too_many_requests"):
        await buy(99, "2001:db8::ffff")
    await buy(0, "2001:db8::ffff")  # what was begun goes on
    await buy(100, "2001:db8:0:1::1")
    world.clock.move(minutes=11)
    await buy(101, "2001:db8::1")


async def test_many_addresses_cannot_fill_the_books_either(world: World) -> None:
    service = await sold(world)
    for n in range(storefront.PER_SHOP):
        buyer = Buyer(f"b{n}", f"198.51.{n // 250}.{n % 250}")
        invoice = await storefront.buy(world.ctx, "lak", service.id, buyer)
    with pytest.raises(Refused, match="too_many_requests"):
        await storefront.buy(world.ctx, "lak", service.id, Buyer("last", "192.0.2.1"))
    await world.paid(invoice)  # who pays is no bot
    await storefront.buy(world.ctx, "lak", service.id, Buyer("last", "192.0.2.1"))
