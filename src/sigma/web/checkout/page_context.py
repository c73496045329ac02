"""Template context of the payment page: seller, items, amount, questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice, require_payable
from sigma.domain.errors import Problem, RefusedError
from sigma.domain.local_time import local_time
from sigma.services.billing.invoices import PublicInvoice
from sigma.texts import Translator, consent_text, text_hash
from sigma.texts.formats import initials
from sigma.web.checkout.fields import build_fields

VISIBLE_ITEMS = 3
SHORT_DESCRIPTION_CHARS = 240  # more would push the amount below the first screen of a phone
LONG_AMOUNT_CHARS = 12  # a longer amount gets a smaller font and stays on one line


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item of the invoice as texts; `quantity` is "" for a quantity of 1."""

    name: str
    quantity: str
    amount: str


def item_rows(invoice: Invoice, translator: Translator) -> list[ItemRow]:
    """Return the items as texts; empty for an invoice without items."""
    return [
        ItemRow(
            item.name,
            ""
            if item.quantity == "1"
            else translator.t(
                "checkout.quantity",
                quantity=translator.number(item.quantity),
                price=translator.money(item.price),
            ),
            translator.money(item.total()),
        )
        for item in invoice.items
    ]


def split_description(text: str) -> tuple[str, str]:
    """Split a long description at a space into the visible and the folded part ("" if short)."""
    if len(text) <= SHORT_DESCRIPTION_CHARS + 40:
        return text, ""
    at = max(
        text.rfind(" ", 0, SHORT_DESCRIPTION_CHARS), text.rfind("\n", 0, SHORT_DESCRIPTION_CHARS)
    )
    at = at if at > 0 else SHORT_DESCRIPTION_CHARS
    return text[:at].rstrip(), text[at:].strip()


def invoice_context(invoice: Invoice, shop: Shop, translator: Translator) -> dict[str, Any]:
    """Return the context of the invoice header, used by every page about an invoice."""
    total = translator.money(invoice.amount)
    head, rest = split_description(invoice.description)
    return {
        "description": head,
        "description_rest": rest,
        "invoice": invoice,
        "initials": initials(shop.name),
        "item_rows": item_rows(invoice, translator),
        "visible_items": VISIBLE_ITEMS,
        "amount": total,
        "is_long_amount": len(total) > LONG_AMOUNT_CHARS,
    }


def payment_page_context(
    public: PublicInvoice,
    translator: Translator,
    *,
    form_values: Mapping[str, list[str]] | None = None,
    problems: tuple[Problem, ...] = (),
    nonce: str = "",
    given_consent: str = "",
    now_us: int,
) -> dict[str, Any]:
    """Return the context of a payment page. `form_values`: question key → values as typed.

    `given_consent`: hash of the text that the client has consented to, "yes" for the current one.
    `now_us`: UTC microseconds.
    """
    invoice, shop = public.invoice, public.shop
    text = consent_text(shop, invoice.questions, translator)[0]
    errors = {p.field: translator.problem_text(p) for p in reversed(problems)}
    form_fields = build_fields(
        invoice.questions,
        translator,
        form_values=form_values,
        problems=problems,
        today=local_time(now_us, shop.tz).date(),
    )
    provider = f"checkout.provider.{public.provider}"
    return invoice_context(invoice, shop, translator) | {
        "fields": form_fields,
        "has_personal_data": any(q.is_personal for q in invoice.questions),
        "consent_text": text,
        "consent_hash": text_hash(text),
        "has_consented": given_consent in ("yes", text_hash(text)),
        "consent_error": errors.get("consent", ""),
        "consent_has_focus": "consent" in errors and not any(f.has_focus for f in form_fields),
        "has_errors": bool(problems),
        "provider_name": translator.t(provider) if translator.has(provider) else "",
        "nonce": nonce,
    }


def closed_reason(public: PublicInvoice, now_us: int) -> str:
    """Return the refusal code of why the invoice cannot be paid now; "" when it can."""
    try:
        require_payable(public.invoice, now_us, public.held_count)
    except RefusedError as error:
        return error.code
    if not public.is_secret_readable:
        return "secret_unreadable"
    return "" if public.provider else "no_connection"
