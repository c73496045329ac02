"""The return URL of a seller, with the invoice, the payment and the status filled in."""

from urllib.parse import quote

from sigma.domain.accounts.shop import is_web_url


def return_link(template: str, *, invoice: str, payment: str, status: str) -> str | None:
    """Return the URL with {invoice}, {payment} and {status} filled in, percent-encoded.

    None when the template is empty or is not a valid http(s) URL.
    """
    if not is_web_url(template):
        return None
    values = {"invoice": invoice, "payment": payment, "status": status}
    link = template
    for name, value in values.items():
        link = link.replace("{" + name + "}", quote(value, safe=""))
    return link if is_web_url(link) else None
