"""Settings of a shop: its name, notification URL and subscribed events."""

from msgspec.structs import replace

from sigma_sandbox.bank.errors import invalid_request
from sigma_sandbox.bank.store import EVENTS, Bank, Json, Shop


def set_up(bank: Bank, shop_id: str, body: Json) -> Shop:
    """Change the shop's name, notification URL and events; create the shop if it is new.

    Absent fields stay as they are. Raises ApiError for invalid values.
    """
    shop = bank.get_or_create_shop(shop_id)
    if "name" in body:
        shop = replace(shop, name=str(body["name"] or "")[:100] or None)
    if "notification_url" in body:
        url = body["notification_url"] or None
        if url is not None and not str(url).startswith(("http://", "https://")):
            raise invalid_request("An http(s) address is expected", "notification_url")
        shop = replace(shop, notification_url=url)
    if "events" in body:
        events = body["events"]
        if not isinstance(events, list) or not set(events) <= set(EVENTS):
            raise invalid_request(f"Some of: {', '.join(EVENTS)}", "events")
        shop = replace(shop, events=events)
    bank.put_shop(shop)
    return shop


def shop_json(shop: Shop) -> Json:
    """Return the shop's settings as JSON."""
    return {
        "id": shop.id,
        "name": shop.name,
        "notification_url": shop.notification_url,
        "events": shop.events,
    }
