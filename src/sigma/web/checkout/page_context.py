"""The payment page as facts for its template: who sells, what for, how much, what is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice, check_payable
from sigma.domain.errors import Problem, Refused
from sigma.services.billing.invoices import Public
from sigma.texts import Words, consent_text
from sigma.web.checkout.fields import fields

FOLDED_AFTER = 3
SHORT_DESCRIPTION = 240  # characters; more would push the sum off a phone's screen
LONG_SUM = 12  # characters; a longer one is set smaller, so that it stays in one line


@dataclass(frozen=True, slots=True)
class Line:
    """An item of the invoice as texts; `quantity` is empty for a single one."""

    name: str
    quantity: str
    sum: str


def initials(name: str) -> str:
    """One or two letters that stand for a shop without a logo."""
    letters = [
        word[0] for word in name.replace("«", " ").replace('"', " ").split() if word[0].isalnum()
    ]
    return "".join(letters[:2]).upper()


def lines(invoice: Invoice, words: Words) -> list[Line]:
    """The items; none for an invoice that is only a sum."""
    return [
        Line(
            item.name,
            ""
            if item.quantity == "1"
            else words.t(
                "checkout.quantity",
                quantity=words.number(item.quantity),
                price=words.money(item.price),
            ),
            words.money(item.sum()),
        )
        for item in invoice.items
    ]


def split(text: str) -> tuple[str, str]:
    """A long description cut at a space: what is seen at once, and what unfolds."""
    if len(text) <= SHORT_DESCRIPTION + 40:
        return text, ""
    at = max(text.rfind(" ", 0, SHORT_DESCRIPTION), text.rfind("\n", 0, SHORT_DESCRIPTION))
    at = at if at > 0 else SHORT_DESCRIPTION
    return text[:at].rstrip(), text[at:].strip()


def summary(invoice: Invoice, shop: Shop, words: Words) -> dict[str, Any]:
    """What stands above everything else on every page about an invoice."""
    total = words.money(invoice.amount)
    head, rest = split(invoice.description)
    return {
        "description": head,
        "description_rest": rest,
        "invoice": invoice,
        "initials": initials(shop.name),
        "lines": lines(invoice, words),
        "folded_after": FOLDED_AFTER,
        "sum": total,
        "sum_is_long": len(total) > LONG_SUM,
    }


def sheet(
    public: Public,
    words: Words,
    *,
    given: Mapping[str, list[str]] | None = None,
    problems: tuple[Problem, ...] = (),
    nonce: str = "",
) -> dict[str, Any]:
    """Everything on an open payment page. `given` is what to fill in again, as typed."""
    invoice, shop = public.invoice, public.shop
    text = consent_text(shop, invoice.questions, words)[0]
    wrong = {p.field: words.problem(p) for p in reversed(problems)}
    asked = fields(invoice.questions, words, given=given, problems=problems)
    provider = f"checkout.provider.{public.provider}"
    return summary(invoice, shop, words) | {
        "fields": asked,
        "personal": any(q.personal for q in invoice.questions),
        "consent": text,
        "consent_error": wrong.get("consent", ""),
        "consent_focus": "consent" in wrong and not any(f.focus for f in asked),
        "wrong": bool(problems),
        "provider": words.t(provider) if words.has(provider) else "",
        "nonce": nonce,
    }


def closed(public: Public, now: int) -> str:
    """The code of why this invoice cannot be paid now; empty when it can."""
    try:
        check_payable(public.invoice, now, public.holds)
    except Refused as refused:
        return refused.code
    return "" if public.provider else "no_connection"
