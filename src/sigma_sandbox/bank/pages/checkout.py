"""The hosted card page: card form, 3-D Secure code, outcome. Works without JavaScript.

The return URL gets no status, as with YooKassa: the merchant must read the payment by the API.
"""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.bank import cards, payments
from sigma_sandbox.bank.http import get_bank
from sigma_sandbox.bank.pages import card_form, texts
from sigma_sandbox.bank.pages.card_form import CardForm
from sigma_sandbox.bank.store import Payment
from sigma_sandbox.money import format_amount
from sigma_sandbox.responses import AnyRequest, redirect, render_page

THREE_DS_CODE = "1234"


def _find_payment(request: AnyRequest, payment_id: str) -> Payment | None:
    """Return the payment after expiring due ones, or None if there is no such payment."""
    bank = get_bank(request)
    payment = bank.payments.get(payment_id)
    if payment is not None:
        with bank.transaction():
            payments.expire_due(bank, payment.shop_id)
    return bank.payments.get(payment_id)


def _lang(request: AnyRequest, payment: Payment | None) -> str:
    chosen = request.query_params.get("lang")
    locale = chosen or (payment and payment.locale) or request.app.state["locale"]
    return "en" if str(locale).lower().startswith("en") else "ru"


def _payment_page(
    request: AnyRequest, payment: Payment, template: str, status: int = 200, **values: Any
) -> Response[bytes]:
    lang = _lang(request, payment)
    t = texts.TEXTS[lang]
    shop = get_bank(request).get_or_create_shop(payment.shop_id)
    return render_page(
        request,
        template,
        status,
        lang=lang,
        t=t,
        payment=payment,
        brand=cards.brand_name,
        seller=shop.name or t["shop"].format(id=shop.id),
        total=format_amount(payment.amount_minor, payment.currency, lang),
        **values,
    )


def _unknown_payment_page(request: AnyRequest) -> Response[bytes]:
    lang = _lang(request, None)
    t = texts.TEXTS[lang]
    values = {"title": t["unknown"], "text": t["unknown_text"], "link": None}
    return render_page(request, "message.html", 404, lang=lang, **values)


def _card_page(request: AnyRequest, payment: Payment, form: CardForm) -> Response[bytes]:
    lang = _lang(request, payment)
    rows = [(_card_result_text(group[0], lang), group) for group in cards.CARD_GROUPS]
    status = 422 if form.errors else 200
    return _payment_page(request, payment, "card.html", status, form=form, rows=rows)


def _card_result_text(card: cards.ListedCard, lang: str) -> str:
    t = texts.TEXTS[lang]
    if card.decline_reason is None:
        return t["ok_3ds" if card.has_three_ds else "ok"]
    return texts.decline_text(card.decline_reason, lang).split(". ")[0].rstrip(".")


def _outcome_page(request: AnyRequest, payment: Payment) -> Response[bytes]:
    """Show the result of a payment that can no longer be paid."""
    t = texts.TEXTS[_lang(request, payment)]
    kinds = {"succeeded": "paid", "waiting_for_capture": "held"}
    reasons = {"expired_on_confirmation": "expired", "canceled_by_merchant": "canceled"}
    kind = kinds.get(payment.status) or reasons.get(payment.cancel_reason or "", "declined")
    if payment.cancel_reason == "expired_on_capture":
        kind = "canceled"
    if kind == "declined":
        text = texts.decline_text(payment.cancel_reason or "", _lang(request, payment))
        note = t["declined_note"]
    else:
        text, note = t[f"{kind}_text"], None
    return _payment_page(request, payment, "outcome.html", kind=kind, text=text, note=note)


def _redirect_payer(request: AnyRequest, payment: Payment) -> Response[bytes]:
    """Redirect the payer: to the return URL, to the 3-D Secure page, or to the outcome page."""
    lang = request.query_params.get("lang")
    suffix = f"?lang={'en' if lang == 'en' else 'ru'}" if lang else ""
    if payment.status in ("succeeded", "waiting_for_capture"):
        return redirect(payment.return_url)
    if payment.status == "pending" and payment.challenge is not None:
        return redirect(f"/bank/checkout/{payment.id}/3ds{suffix}")
    return redirect(f"/bank/checkout/{payment.id}{suffix}")


@get("/checkout/{payment_id:str}")
async def show_card(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Show the card form, or the outcome if the payment is not pending."""
    payment = _find_payment(request, payment_id)
    if payment is None:
        return _unknown_payment_page(request)
    if payment.status != "pending":
        return _outcome_page(request, payment)
    return _card_page(request, payment, card_form.EMPTY_FORM)


@post("/checkout/{payment_id:str}", status_code=200)
async def submit_card(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Process the card form; errors are shown beside the fields with status 422."""
    fields = await request.form()
    payment = _find_payment(request, payment_id)
    if payment is None:
        return _unknown_payment_page(request)
    if payment.status != "pending":
        return _redirect_payer(request, payment)
    bank = get_bank(request)
    number, expiry, csc = (str(fields.get(name) or "") for name in ("number", "expiry", "csc"))
    form = card_form.parse(number, expiry, csc, bank.now_us(payment.shop_id))
    if form.errors or form.card is None:
        return _card_page(request, payment, form)
    card = cards.mask_card(form.card, form.month, form.year)
    with bank.transaction():
        payment = payments.submit_card(bank, payment, form.card, card)
    return _redirect_payer(request, payment)


@get("/checkout/{payment_id:str}/3ds")
async def show_code(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Show the 3-D Secure page of the bank that issued the card."""
    payment = _find_payment(request, payment_id)
    if payment is None:
        return _unknown_payment_page(request)
    if payment.status != "pending" or payment.challenge is None:
        return redirect(f"/bank/checkout/{payment.id}")
    return _code_page(request, payment)


@post("/checkout/{payment_id:str}/3ds", status_code=200)
async def submit_code(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Process the 3-D Secure code, or the payer's refusal (button `decline`)."""
    fields = await request.form()
    payment = _find_payment(request, payment_id)
    if payment is None:
        return _unknown_payment_page(request)
    if payment.status != "pending" or payment.challenge is None:
        return _redirect_payer(request, payment)
    bank = get_bank(request)
    is_correct = "".join(str(fields.get("code") or "").split()) == THREE_DS_CODE
    with bank.transaction():
        if fields.get("decline"):
            payment = payments.decline_three_ds(bank, payment)
        else:
            payment = payments.submit_code(bank, payment, is_correct)
    if payment.status == "pending" and not is_correct:
        return _code_page(request, payment)
    return _redirect_payer(request, payment)


def _code_page(request: AnyRequest, payment: Payment) -> Response[bytes]:
    challenge = payment.challenge
    assert challenge is not None
    error = None
    if challenge.failed_attempts:
        lang = _lang(request, payment)
        left = texts.attempts_left(payments.MAX_CODE_ATTEMPTS - challenge.failed_attempts, lang)
        error = texts.TEXTS[lang]["acs_wrong"].format(left=left)
    values = {"card": challenge.card, "code": THREE_DS_CODE, "error": error}
    return _payment_page(request, payment, "three_ds.html", 422 if error else 200, **values)


HANDLERS = [show_card, submit_card, show_code, submit_code]
