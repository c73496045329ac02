"""Services of the API: all fields, in the order of the catalogue, links once they exist."""

from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, ServiceFields
from sigma.domain.money import Money
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from tests.photos import make_photo
from tests.sandbox_communities import connect_community, create_community
from tests.web.api_harness import ApiClient
from tests.world import World

QUESTIONS = (Question("email", QuestionKind.EMAIL, required=True),)


async def test_services_are_listed_in_catalogue_order_with_all_fields(
    world: World, api_client: ApiClient
) -> None:
    assert (await api_client.get("/services")).json() == {"data": [], "next_cursor": None}
    stored_photo = await services.add_photo(world.ctx, world.member, make_photo(50, 50))
    all_fields = [
        ServiceFields(
            "Маникюр",
            price_kind=PriceKind.FIXED,
            amount=Money(150_050),
            photo_id=stored_photo.id,
            invoice_template=InvoiceTemplate(QUESTIONS, 3, "https://vk.me/studio"),
        ),
        ServiceFields(
            "Образ", is_visible=False, invoice_template=InvoiceTemplate(expires_days=None)
        ),
    ]
    for fields in all_fields:
        await services.save(world.ctx, world.member, None, fields)
    manicure, styling = (await api_client.get("/services")).json()["data"]
    assert (manicure["title"], manicure["price"], manicure["visible"]) == ("Маникюр", "fixed", True)
    assert manicure["amount"] == {"value": "1500.50", "currency": "RUB"}
    assert manicure["photo_url"].endswith(f"/photos/{stored_photo.id}")
    assert [q["key"] for q in manicure["ask"]] == ["email"]
    assert (manicure["expires_days"], manicure["return_url"]) == (3, "https://vk.me/studio")
    assert (manicure["page_url"], manicure["dialog_url"]) == (None, None)
    assert (styling["price"], styling["amount"], styling["visible"]) == ("agreement", None, False)
    assert styling["expires_days"] is None


async def test_service_has_links_once_page_and_community_exist(
    world: World, api_client: ApiClient
) -> None:
    service = await services.save(world.ctx, world.member, None, ServiceFields("Маникюр"))
    hidden = await services.save(
        world.ctx, world.member, None, ServiceFields("Тайна", is_visible=False)
    )
    await storefront.save_slug(world.ctx, world.member, "lak")
    await connect_community(world, create_community(world, screen_name="lak"))
    visible_item, hidden_item = (await api_client.get("/services")).json()["data"]
    assert visible_item["page_url"].endswith(f"/s/lak/{service.id}")
    assert visible_item["dialog_url"].endswith(f"/me/lak?ref={service.id}&ref_source=sigma")
    assert hidden_item["page_url"] is None
    assert hidden.id in hidden_item["dialog_url"]


async def test_services_are_read_by_pages_also_when_one_is_moved_or_deleted_meanwhile(
    world: World, api_client: ApiClient
) -> None:
    titles = [f"Услуга {number}" for number in range(30)]
    made = [
        await services.save(world.ctx, world.member, None, ServiceFields(title)) for title in titles
    ]
    first = (await api_client.get("/services")).json()
    assert [one["title"] for one in first["data"]] == titles[:25]
    second = (await api_client.get(f"/services?cursor={first['next_cursor']}")).json()
    assert ([one["title"] for one in second["data"]], second["next_cursor"]) == (titles[25:], None)
    ten = (await api_client.get("/services?limit=10")).json()
    await services.delete(world.ctx, world.member, made[9].id)
    rest = (await api_client.get(f"/services?limit=100&cursor={ten['next_cursor']}")).json()
    assert [one["title"] for one in rest["data"]] == titles[10:]


async def test_unknown_cursor_and_parameter_of_services_are_refused(
    world: World, api_client: ApiClient
) -> None:
    for query, field in (
        ("cursor=svc_0000000000000000000000", "cursor"),
        ("cursor=inv_0000000000000000000000", "cursor"),
        ("limit=101", "limit"),
        ("visible=true", "visible"),
    ):
        answer = await api_client.get(f"/services?{query}")
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field], query
