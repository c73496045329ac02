"""The way back to the shop: the seller's own address with what happened filled in."""

from urllib.parse import quote

from sigma.domain.accounts.shop import url_ok


def return_link(template: str, *, invoice: str, payment: str, status: str) -> str | None:
    """The address with {invoice}, {payment} and {status} filled in, percent-encoded.

    None when there is no address or it is anything but plain http(s).
    """
    if not url_ok(template):
        return None
    values = {"invoice": invoice, "payment": payment, "status": status}
    link = template
    for name, value in values.items():
        link = link.replace("{" + name + "}", quote(value, safe=""))
    return link if url_ok(link) else None
