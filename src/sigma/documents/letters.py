"""Letters: subject, plain text, HTML for mail programs, files. Each says what the receipt says."""

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
from sigma.texts import Words
from sigma.texts.receipt_view import Slip, slip


@dataclass(frozen=True, slots=True)
class MailBody:
    """What a letter says, before it has an addressee."""

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
    receipt: Receipt, refunds: tuple[Refund, ...], words: Words, receipt_url: str
) -> MailBody:
    """The receipt to its client, with the PDF."""
    shown = slip(receipt, refunds, words)
    subject = words.t("mail.receipt.subject", sum=shown.sum, title=_short(shown.title))
    greeting = words.t("mail.receipt.greeting")
    pdf = receipt_pdf(receipt, refunds, words, receipt_url)
    return _slip_letter(shown, words, subject, (greeting, shown.sum, ""), receipt_url, pdf)


def refund_mail(
    receipt: Receipt,
    refund: Refund,
    refunds: tuple[Refund, ...],
    words: Words,
    receipt_url: str,
) -> MailBody:
    """News of one refund to the client, with the receipt as it now stands."""
    shown = slip(receipt, refunds, words)
    subject = words.t("mail.refund.subject", sum=refund.amount, title=_short(shown.title))
    news = (
        words.t("mail.refund.greeting"),
        words.money(refund.amount),
        words.t("mail.refund.when"),
    )
    pdf = receipt_pdf(receipt, refunds, words, receipt_url)
    return _slip_letter(shown, words, subject, news, receipt_url, pdf)


def attention_mail(
    payment: Payment, why: str, payment_url: str, shop: Shop, words: Words
) -> MailBody:
    """Tells the owner that a payment waits for a person's decision. `why` is an Attention word."""
    return _plain_letter(
        words,
        subject=words.t("mail.attention.subject", sum=payment.amount),
        sentence=words.t(f"mail.attention.{why}", sum=payment.amount),
        button=words.t("mail.attention.button"),
        url=payment_url,
        footer=words.t("mail.attention.footer", shop=shop.name),
    )


def test_mail(shop: Shop, words: Words) -> MailBody:
    """Proves that the shop's mail works."""
    return _plain_letter(
        words,
        subject=words.t("mail.test.subject", shop=shop.name),
        sentence=words.t("mail.test.text"),
        button="",
        url="",
        footer=words.t("mail.attention.footer", shop=shop.name),
    )


def _slip_letter(
    shown: Slip,
    words: Words,
    subject: str,
    news: tuple[str, str, str],
    receipt_url: str,
    pdf: bytes,
) -> MailBody:
    """`news`: what happened, the sum it is about, a remark or nothing."""
    name = words.t("receipt.file_name", number=shown.number)
    context = {
        "slip": shown,
        "subject": subject,
        "greeting": news[0],
        "sum": news[1],
        "remark": news[2],
        "title": _short(shown.title),
        "url": receipt_url,
    }
    return MailBody(
        subject=subject,
        text=_draw("receipt.txt", words, context),
        html=_draw("receipt.html", words, context),
        attachments=(Attachment(name, "application/pdf", pdf),),
    )


def _plain_letter(words: Words, **context: str) -> MailBody:
    return MailBody(
        subject=context["subject"],
        text=_draw("plain.txt", words, context),
        html=_draw("plain.html", words, context),
    )


def _draw(template: str, words: Words, context: dict[str, Any]) -> str:
    drawn = _environment().get_template(template)
    return drawn.render(context | {"t": words.t, "locale": words.locale}).strip() + "\n"


def _short(title: str) -> str:
    """A title that leaves room in a list of letters."""
    return title if len(title) <= 60 else title[:59].rstrip() + "…"
