"""The bank's own cabinet: shops, their payments, where notices go and how they were answered."""

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.bank import test_api
from sigma_sandbox.bank.serializers import Refused
from sigma_sandbox.bank.store import Bank, Shop
from sigma_sandbox.responses import Asked, away, missing, page

SHOWN = 50


def _bank(request: Asked) -> Bank:
    bank = request.app.state["bank"]
    assert isinstance(bank, Bank)
    return bank


@get("/")
async def shops(request: Asked) -> Response[bytes]:
    """Every shop with its last payment."""
    bank = _bank(request)
    rows = []
    for shop in reversed(bank.shops.values()):
        made = list(bank.payments_of(shop.id))
        rows.append({"shop": shop, "count": len(made), "last": made[-1] if made else None})
    return page(request, "shops.html", rows=rows[:SHOWN], more=max(0, len(rows) - SHOWN))


def _shop_page(request: Asked, shop: Shop, url: str, error: str | None) -> Response[bytes]:
    bank = _bank(request)
    made = list(bank.payments_of(shop.id))[-SHOWN:]
    sent = [d for d in reversed(bank.deliveries.values()) if d.shop_id == shop.id][:SHOWN]
    backs = {payment.id: list(bank.refunds_of(payment.id)) for payment in made}
    status = 422 if error else 200
    values = {"shop": shop, "url": url, "error": error, "refunds": backs}
    return page(request, "shop.html", status, payments=made[::-1], deliveries=sent, **values)


@get("/shops/{shop_id:str}")
async def show_shop(request: Asked, shop_id: FromPath[str]) -> Response[bytes]:
    """One shop: the notification URL, payments, notices."""
    shop = _bank(request).shops.get(shop_id)
    if shop is None:
        return missing(request)
    return _shop_page(request, shop, shop.notification_url or "", None)


@post("/shops/{shop_id:str}", status_code=200)
async def save_shop(request: Asked, shop_id: FromPath[str]) -> Response[bytes]:
    """The form with the notification URL."""
    bank = _bank(request)
    url = str((await request.form()).get("notification_url") or "").strip()
    shop = bank.shops.get(shop_id)
    if shop is None:
        return missing(request)
    try:
        test_api.set_up(bank, shop_id, {"notification_url": url})
    except Refused:
        words = "Адрес начинается с http:// или https://"
        return _shop_page(request, shop, url, words)
    return away(f"/bank/shops/{shop_id}")


HANDLERS = [shops, show_shop, save_shop]
