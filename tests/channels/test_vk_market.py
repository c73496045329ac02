"""Goods and orders of a community: prices both ways, who may read them, what is sent."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.channels.vk import market
from sigma.channels.vk.client import Vk
from sigma.channels.vk.errors import Later, NeedsPerson
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.money import Money
from tests.channels.vk_line import Line, said, talking
from tests.providers.lines import http

JPEG = b"\xff\xd8\xff\xe0picture"
DRAFT = market.Draft("Портрет", "Час съёмки, двадцать снимков", Money(4500_00), photo_id=7)
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
async def wire() -> AsyncIterator[tuple[Vk, Line]]:
    async with talking() as pair:
        yield pair


def priced(**price: Any) -> dict[str, Any]:
    return {**ITEM, "price": {**ITEM["price"], **price}}


@pytest.mark.parametrize(
    ("minor", "sent"), [(4500_00, "4500"), (4500_50, "4500.50"), (1, "0.01"), (10_00, "10")]
)
async def test_a_price_goes_in_as_roubles(wire: tuple[Vk, Line], minor: int, sent: str) -> None:
    vk, line = wire
    line.say({"market_item_id": 5})
    await market.add(vk, 123456, replace(DRAFT, amount=Money(minor)))
    assert line.heard[0].form["price"] == sent


@pytest.mark.parametrize(
    ("amount", "minor"), [("450000", 4500_00), ("1", 1), (450_050, 4500_50), ("0", 0)]
)
def test_a_price_comes_out_as_kopecks(amount: object, minor: int) -> None:
    price = {"amount": amount, "currency": {"name": "RUB"}}
    assert market.price_out(price) == Money(minor)


@given(st.integers(0, 10**12))
def test_a_price_survives_the_way_there_and_back(minor: int) -> None:
    roubles = market.price_in(Money(minor))
    whole, _, part = roubles.partition(".")
    told = str(int(whole) * 100 + int(part or "0"))  # as VK tells it
    assert market.price_out({"amount": told}) == Money(minor)


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
def test_a_strange_price_is_no_price(price: dict[str, Any]) -> None:
    assert market.price_out(price) is None


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
def test_how_a_price_is_meant_is_read(
    price: dict[str, Any], kind: PriceKind, amount: Money | None
) -> None:
    item = market.read_item(priced(**price))
    assert (item.price_kind, item.amount) == (kind, amount)


async def test_items_are_read_whole_and_hidden_ones_too(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    rejected = {**ITEM, "id": 2, "availability": 2, "reject_info": {"title": "Отклонено"}}
    line.say({"count": 2, "items": [ITEM, rejected]})
    first, second = [one async for one in market.every_item(vk, 123456)]
    assert line.asked == [
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
    assert (first.id, first.title, first.available) == (9876, "Portrait session", True)
    assert (first.photo_id, first.category_id) == (11, 3)
    assert first.photo_url == "https://sun1.example/1.jpg"
    assert (second.available, second.rejected) == (False, "Отклонено")


async def test_every_item_is_read_page_by_page(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"count": 201, "items": [{**ITEM, "id": n + 1} for n in range(200)]})
    line.say({"count": 201, "items": [{**ITEM, "id": 201}]})
    assert [one.id async for one in market.every_item(vk, 123456)] == list(range(1, 202))
    assert [form["offset"] for _, form in line.asked] == ["0", "200"]


async def test_whether_goods_may_be_read_is_tried(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"count": 0, "items": []})
    line.refuse(27)
    line.refuse(15)
    assert [await market.probe(vk, 123456) for _ in range(3)] == ["ok", "27", "15"]
    line.refuse(5)
    with pytest.raises(NeedsPerson):
        await market.probe(vk, 123456)


async def test_a_new_item_is_sent_with_all_its_fields(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"market_item_id": 9876}, 9877, 1)
    assert await market.add(vk, 123456, DRAFT) == 9876
    assert await market.add(vk, 123456, replace(DRAFT, amount=None, available=False)) == 9877
    await market.edit(vk, 123456, 9876, DRAFT)
    common = {"owner_id": "-123456", "name": "Портрет", "category_id": "1", "main_photo_id": "7"}
    common["description"] = DRAFT.description
    assert line.asked == [
        ("market.add", {**common, "deleted": "0", "price": "4500"}),
        ("market.add", {**common, "deleted": "1"}),
        ("market.edit", {**common, "deleted": "0", "price": "4500", "item_id": "9876"}),
    ]


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        (replace(DRAFT, title="Арт"), "title"),
        (replace(DRAFT, title="Ж" * 101), "title"),
        (replace(DRAFT, title="🌸" * 20), "title"),
        (replace(DRAFT, description="Коротко"), "description"),
        (replace(DRAFT, photo_id=0), "photo"),
    ],
)
async def test_what_vk_would_refuse_is_not_sent(
    wire: tuple[Vk, Line], draft: market.Draft, why: str
) -> None:
    vk, line = wire
    with pytest.raises(ValueError, match=why):
        await market.add(vk, 123456, draft)
    assert line.heard == []


async def test_a_picture_of_an_item_goes_over_the_upload_server(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"upload_url": f"{line.url}/upload?act=goods&hash=x"})
    line.answers.append(http(200, b'{"sha":"1","secret":"2"}'))
    line.say({"photo_id": 7})
    assert await market.photo(vk, 123456, JPEG, "a.jpg") == 7
    upload = line.heard[1]
    assert (upload.verb, upload.target) == ("POST", "/upload?act=goods&hash=x")
    assert "authorization" not in upload.headers
    assert b'name="file"; filename="a.jpg"' in upload.body
    assert JPEG in upload.body
    assert line.heard[2].form == {"upload_response": '{"sha":"1","secret":"2"}'}


async def test_payment_and_receipt_are_written_to_an_order(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    await market.edit_order(
        vk, 777, 31, payment_status="paid", receipt_link="https://shop.example/r/1"
    )
    assert line.asked == [
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


async def test_an_order_is_read(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    told = {
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
    line.say({"count": 2, "items": [told, {"id": 0}]})
    (order,) = await market.orders(vk, 123456)
    assert (order.id, order.user_id, order.display_id, order.status) == (31, 777, "777-31", 0)
    assert (order.total, order.items) == (Money(4500_00), ((9876, 1),))
    assert "Позвоните" not in repr(order)


@pytest.mark.parametrize("answer", [{"response": {}}, {"response": {"market_item_id": "5"}}])
async def test_an_item_without_a_number_may_have_been_added(
    wire: tuple[Vk, Line], answer: dict[str, Any]
) -> None:
    vk, line = wire
    line.answers.append(said(answer))
    with pytest.raises(Later) as lost:
        await market.add(vk, 123456, DRAFT)
    assert lost.value.lost
