"""The bank's cabinet: shops, their payments, notification URL and sent notices."""

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.bank import shops
from sigma_sandbox.bank.errors import ApiError
from sigma_sandbox.bank.http import get_bank
from sigma_sandbox.bank.store import Shop
from sigma_sandbox.responses import AnyRequest, not_found_page, redirect, render_page

MAX_ROWS = 50


@get("/")
async def list_shops(request: AnyRequest) -> Response[bytes]:
    """List shops, newest first, each with its last payment."""
    bank = get_bank(request)
    rows = []
    for shop in reversed(bank.shops.values()):
        payments = list(bank.list_payments(shop.id))
        last = payments[-1] if payments else None
        rows.append({"shop": shop, "count": len(payments), "last": last})
    return render_page(
        request, "shops.html", rows=rows[:MAX_ROWS], more=max(0, len(rows) - MAX_ROWS)
    )


def _shop_page(request: AnyRequest, shop: Shop, url: str, error: str | None) -> Response[bytes]:
    bank = get_bank(request)
    payments = list(bank.list_payments(shop.id))[-MAX_ROWS:]
    deliveries = [d for d in reversed(bank.deliveries.values()) if d.shop_id == shop.id][:MAX_ROWS]
    refunds = {payment.id: list(bank.list_refunds(payment.id)) for payment in payments}
    status = 422 if error else 200
    values = {"shop": shop, "url": url, "error": error, "refunds": refunds}
    values |= {"payments": payments[::-1], "deliveries": deliveries}
    return render_page(request, "shop.html", status, **values)


@get("/shops/{shop_id:str}")
async def show_shop(request: AnyRequest, shop_id: FromPath[str]) -> Response[bytes]:
    """Show one shop: notification URL, payments, notices."""
    shop = get_bank(request).shops.get(shop_id)
    if shop is None:
        return not_found_page(request)
    return _shop_page(request, shop, shop.notification_url or "", None)


@post("/shops/{shop_id:str}", status_code=200)
async def save_shop(request: AnyRequest, shop_id: FromPath[str]) -> Response[bytes]:
    """Save the notification URL; an invalid one is answered with 422 and an error text."""
    bank = get_bank(request)
    url = str((await request.form()).get("notification_url") or "").strip()
    shop = bank.shops.get(shop_id)
    if shop is None:
        return not_found_page(request)
    try:
        shops.set_up(bank, shop_id, {"notification_url": url})
    except ApiError:
        error = "Адрес начинается с http:// или https://"
        return _shop_page(request, shop, url, error)
    return redirect(f"/bank/shops/{shop_id}")


HANDLERS = [list_shops, show_shop, save_shop]
