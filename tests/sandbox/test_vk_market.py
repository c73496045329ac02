"""Goods, services and orders of VKontakte in a box: prices, photos, whose key may do what."""

import httpx

from sigma_sandbox.app import Sandbox
from tests.sandbox.communities import Owner, drawn


async def test_goods_are_closed_to_a_communitys_key_until_opened(owner: Owner) -> None:
    await owner.test(f"communities/{owner.group_id}", market="basic")
    assert await owner.code("market.get", owner_id=-owner.group_id) == 27
    await owner.control(vk_market_open=True)
    assert (await owner.call("market.get", owner_id=-owner.group_id))["count"] == 0


async def test_prices_go_in_as_roubles_and_come_out_as_kopecks(owner: Owner) -> None:
    await owner.test(f"communities/{owner.group_id}", market="basic")
    own = {"token": owner.user_token, "owner_id": -owner.group_id}
    where = await owner.call(
        "market.getProductPhotoUploadServer", token=owner.user_token, group_id=owner.group_id
    )
    uploaded = await owner.http.post(where["upload_url"], files={"file": ("1.png", drawn("PNG"))})
    saved = await owner.call(
        "market.saveProductPhoto", token=owner.user_token, upload_response=uploaded.text
    )
    item = {"name": "Стрижка", "description": "Быстро и ровно", "category_id": 1}
    item |= {"price": "1500.50", "main_photo_id": saved["photo_id"]}
    number = (await owner.call("market.add", **own, **item))["market_item_id"]
    asked = {"token": owner.user_token, "item_ids": f"-{owner.group_id}_{number}"}
    (read,) = (await owner.call("market.getById", **asked, extended=1))["items"]
    assert (read["price"]["amount"], read["price"]["text"]) == ("150050", "1\u00a0500,50\u00a0₽")
    assert read["photos"][0]["id"] == saved["photo_id"]
    assert await owner.call("market.edit", **own, **item | {"price": 2}, item_id=number) == 1
    (read,) = (await owner.call("market.get", **own))["items"]
    assert read["price"]["amount"] == "200"
    assert await owner.call("market.delete", **own, item_id=number) == 1
    assert (await owner.call("market.get", **own))["count"] == 0


async def test_the_seeded_studio_sells_in_all_kinds_of_prices(sandbox: Sandbox) -> None:
    token = sandbox.vk.create_user_key(1001, ["market"])
    async with httpx.AsyncClient() as http:
        owner = Owner(sandbox, http, 1, token)
        items = (await owner.call("market.get", owner_id=-1, extended=1))["items"]
        prices = [(one["price"]["price_type"], one["price"]["text"]) for one in items[-4:]]
        assert prices == [
            (3, "Цена по договорённости"),
            (2, "от 3\u00a0500\u00a0₽"),
            (0, "2\u00a0800\u00a0₽"),
            (0, "2\u00a0200\u00a0₽"),
        ]
        shown = await http.get(items[0]["thumb_photo"])
        assert shown.headers["content-type"] == "image/png"


async def test_orders_of_the_advanced_shop_are_marked_paid_by_a_communitys_key(
    owner: Owner,
) -> None:
    item = await owner.test(f"communities/{owner.group_id}/items", title="Лак", price=45000)
    line = [item["item_id"], 2]
    assert await owner.code("market.getGroupOrders", group_id=owner.group_id) == 1409
    await owner.test(f"communities/{owner.group_id}", market="advanced")
    who = {"person_id": owner.client, "group_id": owner.group_id}
    made = await owner.test("orders", **who, lines=[line])
    asked = {"user_id": owner.client, "order_id": made["order_id"]}
    order = (await owner.call("market.getOrderById", **asked))["order"]
    assert order["total_price"]["amount"] == "90000"
    assert (await owner.call("market.getOrderItems", **asked))["items"][0]["quantity"] == 2
    paid = {"payment_status": "paid", "receipt_link": "https://r.example/1"}
    assert await owner.call("market.editOrder", **asked, **paid) == 1
    (order,) = (await owner.call("market.getGroupOrders", group_id=owner.group_id))["items"]
    assert order["payment"] == {"status": "paid", "receipt_link": "https://r.example/1"}
    assert await owner.code("market.editOrder", **asked, status=9) == 1456
    assert await owner.code("market.getOrderById", order_id=99) == 1436
