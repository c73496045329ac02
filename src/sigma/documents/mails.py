"""Mails: subject, plain text, HTML and attachments, rendered from the receipt view."""

from dataclasses import dataclass, replace
from typing import Any

from sigma.documents.html_templates import html_environment
from sigma.documents.pdf import receipt_source
from sigma.domain.accounts.invitation import Invitation
from sigma.domain.accounts.member import User
from sigma.domain.accounts.security_notice import NoticeDetail, NoticeKind, SecurityNotice
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.answers import Answer
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.reminders.reminder import ReminderKind
from sigma.texts import Translator
from sigma.texts.graphemes import shorten
from sigma.texts.receipt_view import ReceiptView, build_receipt_view
from sigma.texts.reminders import reminder_text

MAX_SUBJECT_TITLE = 60  # graphemes
CHAR_WIDTH = 9  # pixels of a monospaced character of 14 px, rounded up


@dataclass(frozen=True, slots=True)
class MailBody:
    """The content of a mail without its addresses.

    `pdf_source` is what the attached PDF is drawn from (`sigma.documents.pdf.draw_pdf`), outside
    the event loop; "" without an attachment. `pdf_name` is its file name. `stop_url` ends letters
    of this kind; "" where they cannot be ended.
    """

    subject: str
    text: str
    html: str
    pdf_name: str = ""
    pdf_source: str = ""
    stop_url: str = ""


def receipt_mail(
    receipt: Receipt,
    refunds: tuple[Refund, ...],
    translator: Translator,
    receipt_url: str,
    answers: tuple[Answer, ...] = (),
) -> MailBody:
    """Return the mail with a receipt for the client. `answers` are those of `receipt_answers`."""
    view = build_receipt_view(receipt, refunds, translator, answers)
    title = shorten(view.title, MAX_SUBJECT_TITLE)
    return _receipt_body(
        view,
        translator,
        subject=translator.t("mail.receipt.subject", sum=view.amount, title=title),
        greeting=translator.t("mail.receipt.greeting"),
        amount=view.amount,
        remark="",
        url=receipt_url,
        pdf_source=receipt_source(receipt, refunds, translator, receipt_url, answers),
    )


def refund_mail(
    receipt: Receipt,
    refund: Refund,
    refunds: tuple[Refund, ...],
    translator: Translator,
    receipt_url: str,
    answers: tuple[Answer, ...] = (),
) -> MailBody:
    """Return the mail about one refund for the client, with the receipt and all refunds so far."""
    view = build_receipt_view(receipt, refunds, translator, answers)
    title = shorten(view.title, MAX_SUBJECT_TITLE)
    return _receipt_body(
        view,
        translator,
        subject=translator.t("mail.refund.subject", sum=refund.amount, title=title),
        greeting=translator.t("mail.refund.greeting"),
        amount=translator.money(refund.amount),
        remark=translator.t("mail.refund.when"),
        url=receipt_url,
        pdf_source=receipt_source(receipt, refunds, translator, receipt_url, answers),
    )


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


def invitation_mail(
    invitation: Invitation, inviter: str, url: str, shop: Shop, translator: Translator
) -> MailBody:
    """Return the mail that invites an address into the team of a shop.

    `inviter`: name of the person who invites, "" for the command line of the server.
    """
    return _plain_body(
        translator,
        subject=translator.t("mail.invitation.subject", shop=shop.name),
        explanation=translator.t(
            "mail.invitation.text_from" if inviter else "mail.invitation.text",
            inviter=inviter,
            shop=shop.name,
            role=translator.t(f"team.role_{invitation.role}"),
            until=translator.datetime(invitation.expires_at_us),
        ),
        button=translator.t("mail.invitation.button"),
        url=url,
        footer=translator.t("mail.invitation.footer", login=invitation.login),
    )


def invoice_mail(
    invoice: Invoice,
    shop: Shop,
    translator: Translator,
    kind: ReminderKind | None,
    payment_url: str,
    stop_url: str,
) -> MailBody:
    """Return the letter with an invoice, or the reminder of it of a kind, for the client."""
    title = shorten(invoice.title, MAX_SUBJECT_TITLE)
    name = str(kind) if kind else "invoice"
    seller = shop.seller.full_name or shop.name
    contacts = ", ".join(filter(None, (shop.seller.phone, shop.seller.email)))
    lines = [
        reminder_text(invoice, kind, translator) if kind else "",
        translator.t("mail.invoice.number", number=invoice.number, title=invoice.title),
        *invoice.description.splitlines(),
        translator.t("mail.invoice.sum", sum=invoice.amount),
        translator.t("mail.invoice.seller", seller=seller),
        translator.t("mail.invoice.until", moment=translator.datetime(invoice.expires_at_us))
        if invoice.expires_at_us
        else "",
        translator.t("mail.invoice.contacts", contacts=contacts) if contacts else "",
    ]
    body = _plain_body(
        translator,
        subject=translator.t(f"mail.invoice.subject.{name}", sum=invoice.amount, title=title),
        explanation="\n".join(line for line in lines if line),
        button=translator.t("mail.invoice.button", sum=invoice.amount),
        url=payment_url,
        footer=translator.t("mail.invoice.footer", shop=shop.name),
        stop=translator.t("mail.invoice.stop"),
        stop_url=stop_url,
    )
    return replace(body, stop_url=stop_url)


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


def notification_mail(
    title: str, body: str, url: str, shop: Shop, translator: Translator
) -> MailBody:
    """Return the mail of a notification to a member."""
    return _plain_body(
        translator,
        subject=title,
        explanation=f"{title}\n{body}",
        button=translator.t("mail.notification.button"),
        url=url,
        footer=translator.t("mail.notification.footer", shop=shop.name),
    )


def password_reset_mail(url: str, translator: Translator) -> MailBody:
    """Return the mail with the link for a new password."""
    return _plain_body(
        translator,
        subject=translator.t("mail.password_reset.subject"),
        explanation=translator.t("mail.password_reset.text"),
        button=translator.t("mail.password_reset.button"),
        url=url,
        footer=translator.t("mail.password_reset.footer"),
    )


def security_mail(
    notice: SecurityNotice,
    detail: NoticeDetail,
    actor: User | None,
    shop: Shop,
    translator: Translator,
    settings_url: str,
) -> MailBody:
    """Return the mail about a change of access. `actor` None: the command line of the server."""
    subject = detail.subject
    if notice.kind in (NoticeKind.FACTOR_ADDED, NoticeKind.FACTOR_REMOVED):
        factor, _, name = subject.partition(":")
        subject = translator.t(f"mail.security.factor.{factor}", name=name)
    who = translator.t("mail.security.server")
    if actor is not None:
        who = f"{actor.name}, {actor.login}" if actor.name else actor.login
    lines = [
        translator.t(f"mail.security.text.{notice.kind}", subject=subject, shop=shop.name),
        "",
        translator.t("mail.security.who", who=who),
        translator.t("mail.security.when", at=translator.datetime(notice.occurred_at_us)),
    ]
    if detail.device_name:
        lines.append(translator.t("mail.security.device", device=detail.device_name))
    if detail.address:
        lines.append(translator.t("mail.security.address", address=detail.address))
    lines += ["", translator.t("mail.security.advice")]
    return _plain_body(
        translator,
        subject=translator.t(f"mail.security.subject.{notice.kind}", shop=shop.name),
        explanation="\n".join(lines),
        button=translator.t("mail.security.button"),
        url=settings_url,
        footer=translator.t("mail.security.footer", shop=shop.name),
    )


def _receipt_body(
    view: ReceiptView, translator: Translator, *, pdf_source: str, **context: str
) -> MailBody:
    """Render a mail around a receipt. `context`: subject, greeting, amount, remark or "", url."""
    amounts = [view.amount, view.net_amount, *(item.amount for item in view.items)]
    amounts += [amount for _, amount in view.refund_rows]
    amount_width = max(map(len, amounts)) * CHAR_WIDTH + 8
    values = context | {"receipt": view, "amount_width": amount_width}
    return MailBody(
        subject=context["subject"],
        text=_render("receipt.txt", translator, values),
        html=_render("receipt.html", translator, values),
        pdf_name=translator.t("receipt.file_name", number=view.invoice_number),
        pdf_source=pdf_source,
    )


def _plain_body(translator: Translator, **context: str) -> MailBody:
    return MailBody(
        subject=context["subject"],
        text=_render("plain.txt", translator, context),
        html=_render("plain.html", translator, context),
    )


def _render(template: str, translator: Translator, context: dict[str, Any]) -> str:
    compiled = html_environment().get_template(template)
    return (
        compiled.render(context | {"t": translator.t, "locale": translator.locale}).strip() + "\n"
    )
