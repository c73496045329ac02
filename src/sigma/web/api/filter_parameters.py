"""The filters of lists as OpenAPI describes them."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.lists.filters import Refunded, Sort
from sigma.domain.lists.period import Preset

Json = dict[str, Any]

_OLD_NAMES: Final = frozenset({"query", "invoice"})  # accepted, but not documented
_MOMENT = "A day of the shop (2026-11-24) or a time (RFC 3339)"


def _id(prefix: str) -> Json:
    return {"pattern": f"^{prefix}_[0-9a-z]{{10,40}}$"}


_SCHEMAS: Final[dict[str, tuple[str, Json]]] = {
    "q": (
        "Number, title, sum, contact, name, VK id, last four digits, id, metadata or answers",
        {"maxLength": 100},
    ),
    "period": ("A period that ends today", {"enum": [str(one) for one in Preset]}),
    "created_from": (f"{_MOMENT}, inclusive", {}),
    "created_to": (f"{_MOMENT}. The day is inclusive, the time is not", {}),
    "service": ("Only of this service", _id("svc")),
    "member": ("Only of invoices issued by this user or API key", _id("[a-z]{3}")),
    "customer_id": ("Only of this customer", _id("cus")),
    "amount_from": ("From this amount, such as 1500.00", {}),
    "amount_to": ("Up to this amount", {}),
    "email": ("Only with this e-mail address in the answers. Needs the scope `answers:read`", {}),
    "phone": ("Only with this phone in the answers. Needs the scope `answers:read`", {}),
    "sort": ("Order of the list", {"enum": [str(one) for one in Sort]}),
    "metadata[key]": ("Only with this value of a key of the metadata, such as metadata[order]", {}),
    "invoice_id": ("Only of this invoice", _id("inv")),
    "refunded": ("How much is refunded", {"enum": [str(one) for one in Refunded]}),
    "attention": ("Only payments that need attention", {"enum": ["yes"]}),
    "method": ("Only with this kind of payment method, such as card or sbp", {}),
    "connection": ("Only through this connection", _id("con")),
    "empty": ("Only where the question with this key was asked and not answered", {}),
}


def filter_parameters(names: Collection[str], path: str) -> Iterator[tuple[str, str, Json]]:
    """Yield name, description and schema of each documented filter of a list."""
    statuses = PaymentStatus if path == "/payments" else InvoiceStatus
    for name in names:
        if name in _OLD_NAMES:
            continue
        if name == "status":
            values = [str(one) for one in statuses]
            yield name, "Only with this status", {"type": "string", "enum": values}
            continue
        text, schema = _SCHEMAS[name]
        yield name, text, {"type": "string", **schema}
