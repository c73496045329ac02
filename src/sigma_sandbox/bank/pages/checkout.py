"""The hosted card page: the card, the code of 3-D Secure, the outcome. Works without JavaScript.

The shop learns nothing here: the payer is sent to the return URL without any status.
"""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.bank import cards, payments
from sigma_sandbox.bank.pages import card_form, texts
from sigma_sandbox.bank.pages.card_form import CardForm
from sigma_sandbox.bank.store import Bank, Payment
from sigma_sandbox.money import to_person
from sigma_sandbox.responses import Asked, away, page

CODE = "1234"


def _bank(request: Asked) -> Bank:
    bank = request.app.state["bank"]
    assert isinstance(bank, Bank)
    return bank


def _find(request: Asked, payment_id: str) -> Payment | None:
    """The payment as it is now, its term considered."""
    bank = _bank(request)
    payment = bank.payments.get(payment_id)
    if payment is not None:
        with bank.together():
            payments.expire_due(bank, payment.shop_id)
    return bank.payments.get(payment_id)


def _lang(request: Asked, payment: Payment | None) -> str:
    asked = request.query_params.get("lang")
    said = asked or (payment and payment.locale) or request.app.state["locale"]
    return "en" if str(said).lower().startswith("en") else "ru"


def _show(
    request: Asked, payment: Payment, template: str, status: int = 200, **values: Any
) -> Response[bytes]:
    lang = _lang(request, payment)
    words = texts.TEXTS[lang]
    shop = _bank(request).shop(payment.shop_id)
    return page(
        request,
        template,
        status,
        lang=lang,
        t=words,
        payment=payment,
        seller=shop.name or words["shop"].format(id=shop.id),
        total=to_person(payment.amount, payment.currency, lang),
        **values,
    )


def _unknown(request: Asked) -> Response[bytes]:
    lang = _lang(request, None)
    words = texts.TEXTS[lang]
    values = {"title": words["unknown"], "text": words["unknown_text"], "link": None}
    return page(request, "message.html", 404, lang=lang, **values)


def _card_page(request: Asked, payment: Payment, form: CardForm) -> Response[bytes]:
    lang = _lang(request, payment)
    rows = [(_meaning(group[0], lang), group) for group in cards.GROUPS]
    status = 422 if form.errors else 200
    return _show(request, payment, "card.html", status, form=form, rows=rows)


def _meaning(card: cards.ListedCard, lang: str) -> str:
    words = texts.TEXTS[lang]
    if card.reason is None:
        return words["ok_3ds" if card.three_ds else "ok"]
    return texts.reason(card.reason, lang).split(". ")[0].rstrip(".")


def _outcome(request: Asked, payment: Payment) -> Response[bytes]:
    """What became of a payment that cannot be paid any more."""
    words = texts.TEXTS[_lang(request, payment)]
    kinds = {"succeeded": "paid", "waiting_for_capture": "held"}
    reasons = {"expired_on_confirmation": "expired", "canceled_by_merchant": "canceled"}
    kind = kinds.get(payment.status) or reasons.get(payment.cancel_reason or "", "declined")
    if payment.cancel_reason == "expired_on_capture":
        kind = "canceled"
    if kind == "declined":
        text = texts.reason(payment.cancel_reason or "", _lang(request, payment))
        note = words["declined_note"]
    else:
        text, note = words[f"{kind}_text"], None
    return _show(request, payment, "outcome.html", kind=kind, text=text, note=note)


def _next(request: Asked, payment: Payment) -> Response[bytes]:
    """Where the payer goes after an answer: back to the shop, to the code, or to the sad page."""
    lang = request.query_params.get("lang")
    suffix = f"?lang={'en' if lang == 'en' else 'ru'}" if lang else ""
    if payment.status in ("succeeded", "waiting_for_capture"):
        return away(payment.return_url)
    if payment.status == "pending" and payment.challenge is not None:
        return away(f"/bank/checkout/{payment.id}/3ds{suffix}")
    return away(f"/bank/checkout/{payment.id}{suffix}")


@get("/checkout/{payment_id:str}")
async def show_card(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """The card form, or what became of the payment."""
    payment = _find(request, payment_id)
    if payment is None:
        return _unknown(request)
    if payment.status != "pending":
        return _outcome(request, payment)
    return _card_page(request, payment, card_form.EMPTY)


@post("/checkout/{payment_id:str}", status_code=200)
async def take_card(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """A card was entered."""
    typed = await request.form()
    payment = _find(request, payment_id)
    if payment is None:
        return _unknown(request)
    if payment.status != "pending":
        return _next(request, payment)
    bank = _bank(request)
    number, expiry, csc = (str(typed.get(name) or "") for name in ("number", "expiry", "csc"))
    form = card_form.read(number, expiry, csc, bank.now(payment.shop_id))
    if form.errors or form.card is None:
        return _card_page(request, payment, form)
    card = cards.remember(form.card, form.month, form.year)
    with bank.together():
        payment = payments.attempt(bank, payment, form.card, card)
    return _next(request, payment)


@get("/checkout/{payment_id:str}/3ds")
async def show_code(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """The page of the card's own bank."""
    payment = _find(request, payment_id)
    if payment is None:
        return _unknown(request)
    if payment.status != "pending" or payment.challenge is None:
        return away(f"/bank/checkout/{payment.id}")
    return _code_page(request, payment)


@post("/checkout/{payment_id:str}/3ds", status_code=200)
async def take_code(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """A code was entered, or the payer declined."""
    typed = await request.form()
    payment = _find(request, payment_id)
    if payment is None:
        return _unknown(request)
    if payment.status != "pending" or payment.challenge is None:
        return _next(request, payment)
    bank = _bank(request)
    right = "".join(str(typed.get("code") or "").split()) == CODE
    with bank.together():
        if typed.get("decline"):
            payment = payments.decline_code(bank, payment)
        else:
            payment = payments.answer_code(bank, payment, right)
    if payment.status == "pending" and not right:
        return _code_page(request, payment)
    return _next(request, payment)


def _code_page(request: Asked, payment: Payment) -> Response[bytes]:
    challenge = payment.challenge
    assert challenge is not None
    error = None
    if challenge.tries:
        lang = _lang(request, payment)
        left = texts.tries_left(payments.CODE_TRIES - challenge.tries, lang)
        error = texts.TEXTS[lang]["acs_wrong"].format(left=left)
    values = {"card": challenge.card, "code": CODE, "error": error}
    return _show(request, payment, "three_ds.html", 422 if error else 200, **values)


HANDLERS = [show_card, take_card, show_code, take_code]
