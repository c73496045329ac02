"""VK market: prices in both directions, items, access, photos, orders."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.channels.vk import market
from sigma.channels.vk.client import VkClient
from sigma.channels.vk.errors import NeedsOwnerError, RetryLaterError
from sigma.domain.catalogue.market_item import MarketItemDraft
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.messaging.vk_order import OrderItem
from sigma.domain.money import Money
from tests.channels.vk_server import VkServer, json_response, open_vk
from tests.providers.scripted_server import http_response

JPEG = b"\xff\xd8\xff\xe0picture"
DRAFT = MarketItemDraft("Портрет", "Час съёмки, двадцать снимков", Money(4500_00), photo_id=7)
ITEM: dict[str, Any] = {
    "id": 9876,
    "owner_id": -123456,
    "title": "Portrait session",
    "description": "1 hour, 20 photos",
    "price": {
        "amount": "450000",
        "currency": {"id": 643, "name": "RUB", "title": "₽"},
        "text": "4 500 ₽",
        "old_amount": "500000",
        "price_type": 0,
    },
    "availability": 0,
    "thumb_photo": "https://sun1.example/1.jpg",
    "category": {"id": 3, "name": "…", "inner_type": "market_market_category_nested"},
    "photos": [{"id": 11, "owner_id": -123456, "sizes": []}],
}


@pytest.fixture
async def vk_and_server() -> AsyncIterator[tuple[VkClient, VkServer]]:
    async with open_vk() as pair:
        yield pair


def priced(**price: Any) -> dict[str, Any]:
    return {**ITEM, "price": {**ITEM["price"], **price}}


@pytest.mark.parametrize(
    ("minor", "sent"), [(4500_00, "4500"), (4500_50, "4500.50"), (1, "0.01"), (10_00, "10")]
)
async def test_price_is_sent_in_roubles(
    vk_and_server: tuple[VkClient, VkServer], minor: int, sent: str
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"market_item_id": 5})
    await market.add_item(vk, 123456, replace(DRAFT, amount=Money(minor)))
    assert vk_server.requests[0].form["price"] == sent


@pytest.mark.parametrize(
    ("amount", "minor"), [("450000", 4500_00), ("1", 1), (450_050, 4500_50), ("0", 0)]
)
def test_price_is_parsed_from_kopecks(amount: object, minor: int) -> None:
    price = {"amount": amount, "currency": {"name": "RUB"}}
    assert market.parse_price(price) == Money(minor)


@given(st.integers(0, 10**12))
def test_price_survives_round_trip(minor: int) -> None:
    roubles = market.encode_price(Money(minor))
    whole, _, part = roubles.partition(".")
    kopecks = str(int(whole) * 100 + int(part or "0"))  # the format of VK responses
    assert market.parse_price({"amount": kopecks}) == Money(minor)


@pytest.mark.parametrize(
    "price",
    [
        {},
        {"amount": None},
        {"amount": 45.5},
        {"amount": True},
        {"amount": "4 500"},
        {"amount": "-1"},
        {"amount": "9" * 30},
        {"amount": "100", "currency": {"name": "XXX"}},
        {"amount": "١٢"},
    ],
)
def test_unreadable_price_is_none(price: dict[str, Any]) -> None:
    assert market.parse_price(price) is None


@pytest.mark.parametrize(
    ("price", "kind", "amount"),
    [
        ({}, PriceKind.FIXED, Money(4500_00)),
        ({"price_type": 2, "amount_to": "900000"}, PriceKind.FROM, Money(4500_00)),
        ({"price_type": 3}, PriceKind.AGREEMENT, None),
        ({"amount": "0"}, PriceKind.AGREEMENT, None),
        ({"currency": {"name": "XXX"}}, PriceKind.AGREEMENT, None),
    ],
)
def test_price_kind_is_parsed(price: dict[str, Any], kind: PriceKind, amount: Money | None) -> None:
    item = market.parse_item(priced(**price))
    assert (item.price_kind, item.amount) == (kind, amount)


async def test_items_are_listed_with_hidden_and_rejected_ones(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    rejected = {**ITEM, "id": 2, "availability": 2, "reject_info": {"title": "Отклонено"}}
    vk_server.queue_responses({"count": 2, "items": [ITEM, rejected]})
    first, second = [item async for item in market.iterate_items(vk, 123456)]
    assert vk_server.calls == [
        (
            "market.get",
            {
                "owner_id": "-123456",
                "count": "200",
                "offset": "0",
                "extended": "1",
                "with_disabled": "1",
            },
        )
    ]
    assert (first.id, first.title, first.is_available) == (9876, "Portrait session", True)
    assert (first.photo_id, first.category_id) == (11, 3)
    assert first.photo_url == "https://sun1.example/1.jpg"
    assert (second.is_available, second.rejection_reason) == (False, "Отклонено")


async def test_items_are_listed_page_by_page(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"count": 201, "items": [{**ITEM, "id": n + 1} for n in range(200)]})
    vk_server.queue_responses({"count": 201, "items": [{**ITEM, "id": 201}]})
    assert [item.id async for item in market.iterate_items(vk, 123456)] == list(range(1, 202))
    assert [form["offset"] for _, form in vk_server.calls] == ["0", "200"]


async def test_market_access_is_probed(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"count": 0, "items": []})
    vk_server.queue_errors(27)
    vk_server.queue_errors(15)
    assert [await market.probe_access(vk, 123456) for _ in range(3)] == ["ok", "27", "15"]
    vk_server.queue_errors(5)
    with pytest.raises(NeedsOwnerError):
        await market.probe_access(vk, 123456)


async def test_item_is_added_and_edited_with_all_fields(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"market_item_id": 9876}, 9877, 1)
    assert await market.add_item(vk, 123456, DRAFT) == 9876
    unavailable = replace(DRAFT, amount=None, is_available=False)
    assert await market.add_item(vk, 123456, unavailable) == 9877
    await market.edit_item(vk, 123456, 9876, DRAFT)
    common = {"owner_id": "-123456", "name": "Портрет", "category_id": "1", "main_photo_id": "7"}
    common["description"] = DRAFT.description
    assert vk_server.calls == [
        ("market.add", {**common, "deleted": "0", "price": "4500"}),
        ("market.add", {**common, "deleted": "1"}),
        ("market.edit", {**common, "deleted": "0", "price": "4500", "item_id": "9876"}),
    ]


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (replace(DRAFT, title="Арт"), "title"),
        (replace(DRAFT, title="Ж" * 101), "title"),
        (replace(DRAFT, title="🌸" * 20), "title"),
        (replace(DRAFT, description="Коротко"), "description"),
        (replace(DRAFT, photo_id=0), "photo"),
    ],
)
async def test_invalid_item_draft_is_not_sent(
    vk_and_server: tuple[VkClient, VkServer], draft: MarketItemDraft, field: str
) -> None:
    vk, vk_server = vk_and_server
    with pytest.raises(ValueError, match=field):
        await market.add_item(vk, 123456, draft)
    assert vk_server.requests == []


async def test_item_photo_is_uploaded_and_saved(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"upload_url": f"{vk_server.url}/upload?act=goods&hash=x"})
    vk_server.responses.append(http_response(200, b'{"sha":"1","secret":"2"}'))
    vk_server.queue_responses({"photo_id": 7})
    assert await market.upload_photo(vk, 123456, JPEG, "a.jpg") == 7
    upload = vk_server.requests[1]
    assert (upload.http_method, upload.target) == ("POST", "/upload?act=goods&hash=x")
    assert "authorization" not in upload.headers
    assert b'name="file"; filename="a.jpg"' in upload.body
    assert JPEG in upload.body
    assert vk_server.requests[2].form == {"upload_response": '{"sha":"1","secret":"2"}'}


async def test_order_payment_status_and_receipt_link_are_sent(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    await market.edit_order(
        vk, 777, 31, payment_status="paid", receipt_link="https://shop.example/r/1"
    )
    assert vk_server.calls == [
        (
            "market.editOrder",
            {
                "user_id": "777",
                "order_id": "31",
                "payment_status": "paid",
                "receipt_link": "https://shop.example/r/1",
            },
        )
    ]


async def test_order_is_parsed(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    raw_order = {
        "id": 31,
        "group_id": 123456,
        "user_id": 777,
        "display_order_id": "777-31",
        "date": 1767000000,
        "status": 0,
        "items_count": 1,
        "total_price": ITEM["price"],
        "comment": "Позвоните",
        "preview_order_items": [{"owner_id": -123456, "item_id": 9876, "quantity": 1}],
    }
    vk_server.queue_responses({"count": 2, "items": [raw_order, {"id": 0}]})
    (order,) = await market.list_orders(vk, 123456)
    assert (order.id, order.user_id, order.display_id, order.status) == (31, 777, "777-31", 0)
    assert order.total == Money(4500_00)
    assert order.content.items == (OrderItem(9876, quantity=1),)
    assert order.content.comment == "Позвоните"
    assert "Позвоните" not in repr(order)


@pytest.mark.parametrize("answer", [{"response": {}}, {"response": {"market_item_id": "5"}}])
async def test_add_response_without_id_means_item_may_have_been_added(
    vk_and_server: tuple[VkClient, VkServer], answer: dict[str, Any]
) -> None:
    vk, vk_server = vk_and_server
    vk_server.responses.append(json_response(answer))
    with pytest.raises(RetryLaterError) as caught:
        await market.add_item(vk, 123456, DRAFT)
    assert caught.value.is_outcome_unknown
