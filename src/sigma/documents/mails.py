"""Mails: subject, plain text, HTML and attachments, rendered from the receipt view."""

import functools
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from sigma.documents.pdf import receipt_pdf
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.mail import Attachment
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.texts import Translator
from sigma.texts.receipt_view import ReceiptView, build_receipt_view


@dataclass(frozen=True, slots=True)
class MailBody:
    """The content of a mail without its addresses."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("sigma.documents"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def receipt_mail(
    receipt: Receipt, refunds: tuple[Refund, ...], translator: Translator, receipt_url: str
) -> MailBody:
    """Return the mail with a receipt and its PDF for the client."""
    view = build_receipt_view(receipt, refunds, translator)
    subject = translator.t("mail.receipt.subject", sum=view.amount, title=_short_title(view.title))
    greeting = translator.t("mail.receipt.greeting")
    pdf = receipt_pdf(receipt, refunds, translator, receipt_url)
    return _receipt_body(view, translator, subject, (greeting, view.amount, ""), receipt_url, pdf)


def refund_mail(
    receipt: Receipt,
    refund: Refund,
    refunds: tuple[Refund, ...],
    translator: Translator,
    receipt_url: str,
) -> MailBody:
    """Return the mail about one refund for the client, with the receipt and all refunds so far."""
    view = build_receipt_view(receipt, refunds, translator)
    subject = translator.t("mail.refund.subject", sum=refund.amount, title=_short_title(view.title))
    intro = (
        translator.t("mail.refund.greeting"),
        translator.money(refund.amount),
        translator.t("mail.refund.when"),
    )
    pdf = receipt_pdf(receipt, refunds, translator, receipt_url)
    return _receipt_body(view, translator, subject, intro, receipt_url, pdf)


def attention_mail(
    payment: Payment, attention: str, payment_url: str, shop: Shop, translator: Translator
) -> MailBody:
    """Return the mail to the owner about a payment that needs a decision.

    `attention` is a value of `Attention`.
    """
    return _plain_body(
        translator,
        subject=translator.t("mail.attention.subject", sum=payment.amount),
        explanation=translator.t(f"mail.attention.{attention}", sum=payment.amount),
        button=translator.t("mail.attention.button"),
        url=payment_url,
        footer=translator.t("mail.attention.footer", shop=shop.name),
    )


def trial_mail(shop: Shop, translator: Translator) -> MailBody:
    """Return a mail that checks the shop's mail settings."""
    return _plain_body(
        translator,
        subject=translator.t("mail.test.subject", shop=shop.name),
        explanation=translator.t("mail.test.text"),
        button="",
        url="",
        footer=translator.t("mail.attention.footer", shop=shop.name),
    )


def _receipt_body(
    view: ReceiptView,
    translator: Translator,
    subject: str,
    intro: tuple[str, str, str],
    receipt_url: str,
    pdf: bytes,
) -> MailBody:
    """Render a mail around a receipt. `intro`: greeting, amount, remark or ""."""
    name = translator.t("receipt.file_name", number=view.invoice_number)
    context = {
        "receipt": view,
        "subject": subject,
        "greeting": intro[0],
        "amount": intro[1],
        "remark": intro[2],
        "title": _short_title(view.title),
        "url": receipt_url,
    }
    return MailBody(
        subject=subject,
        text=_render("receipt.txt", translator, context),
        html=_render("receipt.html", translator, context),
        attachments=(Attachment(name, "application/pdf", pdf),),
    )


def _plain_body(translator: Translator, **context: str) -> MailBody:
    return MailBody(
        subject=context["subject"],
        text=_render("plain.txt", translator, context),
        html=_render("plain.html", translator, context),
    )


def _render(template: str, translator: Translator, context: dict[str, Any]) -> str:
    compiled = _environment().get_template(template)
    return (
        compiled.render(context | {"t": translator.t, "locale": translator.locale}).strip() + "\n"
    )


def _short_title(title: str) -> str:
    """Cut a title to 60 characters for the subject."""
    return title if len(title) <= 60 else title[:59].rstrip() + "…"
