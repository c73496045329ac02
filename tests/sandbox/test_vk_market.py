"""Market items and orders of the sandbox VK: prices, photos, which access key can do what."""

import httpx

from sigma_sandbox.app import Sandbox
from tests.sandbox.community_owner import CommunityOwner, make_picture


async def test_community_key_cannot_read_market_items_by_default(
    community_owner: CommunityOwner,
) -> None:
    await community_owner.call_test_api(f"communities/{community_owner.group_id}", market="basic")
    assert await community_owner.error_code("market.get", owner_id=-community_owner.group_id) == 27
    await community_owner.inject_faults(vk_market_open=True)
    assert (await community_owner.call("market.get", owner_id=-community_owner.group_id))[
        "count"
    ] == 0


async def test_price_is_written_in_roubles_and_read_in_kopecks(
    community_owner: CommunityOwner,
) -> None:
    await community_owner.call_test_api(f"communities/{community_owner.group_id}", market="basic")
    params = {"access_key": community_owner.user_key, "owner_id": -community_owner.group_id}
    upload_server = await community_owner.call(
        "market.getProductPhotoUploadServer",
        access_key=community_owner.user_key,
        group_id=community_owner.group_id,
    )
    uploaded = await community_owner.http.post(
        upload_server["upload_url"], files={"file": ("1.png", make_picture("PNG"))}
    )
    saved = await community_owner.call(
        "market.saveProductPhoto",
        access_key=community_owner.user_key,
        upload_response=uploaded.text,
    )
    item = {"name": "Стрижка", "description": "Быстро и ровно", "category_id": 1}
    item |= {"price": "1500.50", "main_photo_id": saved["photo_id"]}
    item_id = (await community_owner.call("market.add", **params, **item))["market_item_id"]
    query = {
        "access_key": community_owner.user_key,
        "item_ids": f"-{community_owner.group_id}_{item_id}",
    }
    (read,) = (await community_owner.call("market.getById", **query, extended=1))["items"]
    assert (read["price"]["amount"], read["price"]["text"]) == ("150050", "1\u00a0500,50\u00a0₽")
    assert read["photos"][0]["id"] == saved["photo_id"]
    assert (
        await community_owner.call("market.edit", **params, **item | {"price": 2}, item_id=item_id)
        == 1
    )
    (read,) = (await community_owner.call("market.get", **params))["items"]
    assert read["price"]["amount"] == "200"
    assert await community_owner.call("market.delete", **params, item_id=item_id) == 1
    assert (await community_owner.call("market.get", **params))["count"] == 0


async def test_seeded_community_has_items_of_every_price_type(sandbox: Sandbox) -> None:
    token = sandbox.vk.create_user_key(1001, ["market"])
    async with httpx.AsyncClient() as http:
        owner = CommunityOwner(sandbox, http, 1, token)
        items = (await owner.call("market.get", owner_id=-1, extended=1))["items"]
        prices = [(one["price"]["price_type"], one["price"]["text"]) for one in items[-4:]]
        assert prices == [
            (3, "Цена по договорённости"),
            (2, "от 3\u00a0500\u00a0₽"),
            (0, "2\u00a0800\u00a0₽"),
            (0, "2\u00a0200\u00a0₽"),
        ]
        image = await http.get(items[0]["thumb_photo"])
        assert image.headers["content-type"] == "image/png"


async def test_community_key_marks_order_paid(
    community_owner: CommunityOwner,
) -> None:
    item = await community_owner.call_test_api(
        f"communities/{community_owner.group_id}/items", title="Лак", price=45000
    )
    order_line = [item["item_id"], 2]
    assert (
        await community_owner.error_code("market.getGroupOrders", group_id=community_owner.group_id)
        == 1409
    )
    await community_owner.call_test_api(
        f"communities/{community_owner.group_id}", market="advanced"
    )
    params = {"person_id": community_owner.client_id, "group_id": community_owner.group_id}
    order = await community_owner.call_test_api("orders", **params, lines=[order_line])
    order_ids = {"user_id": community_owner.client_id, "order_id": order["order_id"]}
    order = (await community_owner.call("market.getOrderById", **order_ids))["order"]
    assert order["total_price"]["amount"] == "90000"
    assert (await community_owner.call("market.getOrderItems", **order_ids))["items"][0][
        "quantity"
    ] == 2
    paid = {"payment_status": "paid", "receipt_link": "https://r.example/1"}
    assert await community_owner.call("market.editOrder", **order_ids, **paid) == 1
    (order,) = (
        await community_owner.call("market.getGroupOrders", group_id=community_owner.group_id)
    )["items"]
    assert order["payment"] == {"status": "paid", "receipt_link": "https://r.example/1"}
    assert await community_owner.error_code("market.editOrder", **order_ids, status=9) == 1456
    assert await community_owner.error_code("market.getOrderById", order_id=99) == 1436
