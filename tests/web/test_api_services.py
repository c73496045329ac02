"""The catalogue at the API: everything of a service, in the shop's order, for its own key alone."""

from sigma.domain.billing.question import Kind, Question
from sigma.domain.catalogue.service import PriceKind, Template
from sigma.domain.money import Money
from sigma.services.catalogue import services
from sigma.services.catalogue.services import Offer
from sigma.services.checkout import storefront
from tests.clubs import connected, open_club
from tests.photos import photo
from tests.web.api_stage import Program
from tests.world import World

ASK = (Question("email", Kind.EMAIL, required=True),)


async def test_the_catalogue_is_read_whole_and_in_its_order(world: World, program: Program) -> None:
    assert (await program.get("/services")).json() == {"data": [], "next_cursor": None}
    kept = await services.add_photo(world.ctx, world.member, photo(50, 50))
    offers = [
        Offer(
            "Маникюр",
            price=PriceKind.FIXED,
            amount=Money(150_050),
            photo_id=kept.id,
            template=Template(ASK, 3, "https://vk.me/studio"),
        ),
        Offer("Образ", visible=False, template=Template(expires_days=None)),
    ]
    for offer in offers:
        await services.save(world.ctx, world.member, None, offer)
    nails, look = (await program.get("/services")).json()["data"]
    assert (nails["title"], nails["price"], nails["visible"]) == ("Маникюр", "fixed", True)
    assert nails["amount"] == {"value": "1500.50", "currency": "RUB"}
    assert nails["photo_url"].endswith(f"/photos/{kept.id}")
    assert [q["key"] for q in nails["ask"]] == ["email"]
    assert (nails["expires_days"], nails["return_url"]) == (3, "https://vk.me/studio")
    assert (nails["page_url"], nails["dialog_url"]) == (None, None)
    assert (look["price"], look["amount"], look["visible"]) == ("agreement", None, False)
    assert look["expires_days"] is None


async def test_links_are_told_once_there_are_any(world: World, program: Program) -> None:
    service = await services.save(world.ctx, world.member, None, Offer("Маникюр"))
    hidden = await services.save(world.ctx, world.member, None, Offer("Тайна", visible=False))
    await storefront.save_slug(world.ctx, world.member, "lak")
    await connected(world, open_club(world, screen_name="lak"))
    shown, secret = (await program.get("/services")).json()["data"]
    assert shown["page_url"].endswith(f"/s/lak/{service.id}")
    assert shown["dialog_url"].endswith(f"/me/lak?ref={service.id}&ref_source=sigma")
    assert secret["page_url"] is None
    assert hidden.id in secret["dialog_url"]
