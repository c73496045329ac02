"""Receipts as PDF and mail: the same facts in each, and seller texts are never markup."""

import io
import re
from dataclasses import replace
from html import unescape

import pypdf
import pytest

from sigma.documents.mails import attention_mail, receipt_mail, refund_mail, trial_mail
from sigma.documents.pdf import draw_pdf, receipt_pdf
from sigma.domain.accounts.shop import Seller, SellerKind, Shop
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.answers import Answer
from sigma.domain.billing.invoice import Invoice, InvoiceItem
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.billing.receipt import Receipt, build_receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.money import Money
from sigma.texts import Translator
from sigma.texts.receipt_view import build_receipt_view

AT_US = 1_795_518_300_000_000  # 24 November 2026, 14:05 in Moscow
LINK = "https://pay.example.ru/r/AbCdEf0123456789AbCdEf"
RU, EN = Translator("ru"), Translator("en")
SELLER = Seller(
    SellerKind.IP,
    "ИП Проверкин Пётр Петрович",
    "500100732259",
    "325774600000039",
    phone="+79161234567",
    email="shop@example.com",
)
SHOP = Shop("shp_1", "Студия", AT_US, SELLER)
INVOICE = Invoice("inv_1", "shp_1", 42, "tok", InvoiceStatus.PAID, "Маникюр", Money(150_000), AT_US)


def receipt(
    invoice: Invoice = INVOICE, shop: Shop = SHOP, mask: str = "220000******0004"
) -> Receipt:
    return build_receipt(
        "rcp_1",
        method="card" if mask else "",
        token="rtok",
        payment_id="pay_1",
        amount=invoice.amount,
        mask=mask,
        brand="mir",
        paid_at_us=AT_US,
        invoice=invoice,
        shop=shop,
        now_us=AT_US,
    )


def refund(minor: int, status: refunds.Status = refunds.Status.SUCCEEDED) -> Refund:
    return Refund(
        f"ref_{minor}",
        "shp_1",
        "pay_1",
        "inv_1",
        "con_1",
        "op",
        Money(minor),
        status,
        AT_US,
        "usr_1",
        finished_at_us=AT_US if status is refunds.Status.SUCCEEDED else None,
    )


def pdf_text(pdf: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    assert len(pages) == 1
    return pages[0].extract_text().replace("\u00a0", " ")


def test_pdf_contains_seller_amount_card_and_time() -> None:
    text = pdf_text(receipt_pdf(receipt(), (), RU, LINK))
    for fact in (
        "1 500,00 ₽",
        "Одна тысяча пятьсот рублей 00 копеек",
        "24 ноября 2026, 14:05 (МСК)",
        "Мир 2200 00** **** 0004",
        "ИП Проверкин Пётр Петрович",
        "500100732259",
        "не кассовый чек",
    ):
        assert fact in text, fact


def test_pdf_of_same_receipt_has_same_bytes() -> None:
    assert receipt_pdf(receipt(), (), RU, LINK) == receipt_pdf(receipt(), (), RU, LINK)


@pytest.mark.parametrize(
    "markup",
    ["#panic()", '#read("/etc/passwd")', "$x$ *b* _i_ `c` \\ // --", "] } ) \" '", "@a <b> = c"],
)
def test_typst_markup_in_seller_text_is_not_executed(markup: str) -> None:
    text = pdf_text(receipt_pdf(receipt(replace(INVOICE, title=markup)), (), RU, LINK))
    assert markup.replace(" ", "") in text.replace(" ", "").replace("\n", "")


def test_receipt_with_hundred_items_has_one_page() -> None:
    items = tuple(InvoiceItem(f"Услуга {n}", "1.5", Money(10_000)) for n in range(100))
    text = pdf_text(receipt_pdf(receipt(replace(INVOICE, items=items)), (), EN, LINK))
    assert "Услуга 99" in text
    assert "1.5 × ₽100.00" in text


def test_refunds_reduce_net_amount_and_failed_ones_are_hidden() -> None:
    refunds_made = (
        refund(50_000),
        refund(10_000, refunds.Status.PENDING),
        refund(7_700, refunds.Status.FAILED),
    )
    view = build_receipt_view(receipt(), refunds_made, RU)
    assert view.net_amount == "1\u00a0000,00\u00a0₽"
    assert [value for _, value in view.refund_rows] == ["−500,00\u00a0₽", "−100,00\u00a0₽"]
    assert not view.is_fully_refunded
    assert build_receipt_view(receipt(), (refund(150_000),), RU).is_fully_refunded
    assert build_receipt_view(receipt(), (), RU).net_amount == ""


@pytest.mark.parametrize("translator", [RU, EN], ids=["ru", "en"])
def test_page_pdf_and_mail_name_who_gave_the_money_back(translator: Translator) -> None:
    made = (
        refund(10_000),
        replace(refund(20_000), origin=refunds.Origin.ACQUIRER),
        replace(refund(30_000), origin=refunds.Origin.CHARGEBACK),
        refund(40_000, refunds.Status.PENDING),
        replace(refund(25_000, refunds.Status.PENDING), origin=refunds.Origin.ACQUIRER),
    )
    labels = [label for label, _ in build_receipt_view(receipt(), made, translator).refund_rows]
    assert len(set(labels)) == 5
    pdf = " ".join(pdf_text(receipt_pdf(receipt(), made, translator, LINK)).split())
    mail = refund_mail(receipt(), made[1], made, translator, LINK)
    html = " ".join(unescape(re.sub(r"<[^>]*>", " ", mail.html)).split())
    for label in labels:
        plain = " ".join(label.split())
        for text in (pdf, html, " ".join(mail.text.split())):
            assert plain in text, label


def test_payment_without_card_has_no_card_row() -> None:
    assert all(
        "Способ оплаты" not in label
        for label, _ in build_receipt_view(receipt(mask=""), (), RU).detail_rows
    )


def test_receipt_mail_contains_all_receipt_facts_in_text_and_html() -> None:
    mail = receipt_mail(receipt(), (), RU, LINK)
    assert mail.subject == "Квитанция на 1\u00a0500,00\u00a0₽: Маникюр"
    view = build_receipt_view(receipt(), (), RU)
    facts = [view.amount, view.amount_in_words, view.shop_name, view.seller_name, LINK]
    facts += [value for _, value in (*view.detail_rows, *view.seller_rows)]
    for fact in facts:
        assert fact in mail.text, fact
        assert fact in mail.html, fact
    assert mail.pdf_name == "kvitanciya-42.pdf"
    assert draw_pdf(mail.pdf_source) == receipt_pdf(receipt(), (), RU, LINK)


def test_text_and_html_of_a_mail_say_the_same() -> None:
    items = (
        InvoiceItem("Снятие", "2.5", Money(40_000)),
        InvoiceItem("Покрытие", "1", Money(50_000)),
    )
    made = (refund(50_000), refund(10_000, refunds.Status.PENDING))
    answers = (
        Answer(Question("address", QuestionKind.ADDRESS), "Тверская, 1\nдомофон 42"),
        Answer(Question("gift", QuestionKind.CHECKBOX, "В подарок?"), True),
    )
    stored = receipt(replace(INVOICE, title="Уход", items=items))
    for translator in (RU, EN):
        for mail in (
            receipt_mail(stored, made, translator, LINK, answers),
            refund_mail(stored, made[0], made, translator, LINK, answers),
        ):
            body = mail.html.partition("<body")[2].partition(">")[2]
            links = re.findall(r'href="(.*?)"', body)
            html = unescape(re.sub(r"<[^>]*>", " ", body)) + " ".join(links)
            assert set(re.findall(r"\w+", html)) == set(re.findall(r"\w+", mail.text))
            view = build_receipt_view(stored, made, translator, answers)
            for fact in (view.shop_name, view.seller_name, *dict(view.refund_rows).values()):
                assert fact in mail.text, fact
                assert fact in html, fact


def test_html_of_every_mail_holds_in_the_word_engine_of_outlook() -> None:
    payment = Payment(
        "pay_1", "shp_1", "inv_1", "con_1", "yookassa", "op", "t", Money(150_000),
        Status.CAPTURED, AT_US,
    )  # fmt: skip
    for mail in (
        receipt_mail(receipt(), (refund(50_000),), RU, LINK),
        attention_mail(payment, "extra", LINK, SHOP, EN),
        trial_mail(SHOP, RU),
    ):
        html = mail.html
        assert "<div" not in html, "Outlook ignores the size and padding of blocks"
        for link in re.findall(r"<a [^>]*>", html):
            assert "padding" not in link
            assert "inline-block" not in link
        for table in re.findall(r"<table[^>]*>", html):
            assert 'cellpadding="0" cellspacing="0" border="0"' in table
        for cell in re.findall(r"<td[^>]*background-color[^>]*>", html):
            assert re.search(r' bgcolor="(#\w{6})" style=.*background-color:\1', cell)
        assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 3
        everywhere = re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL)
        assert everywhere.count("<table") == everywhere.count("</table>")
        assert 'width="520"' in html, "Outlook knows no max-width"


def test_receipt_mail_has_no_scripts_or_remote_resources() -> None:
    html = receipt_mail(receipt(replace(INVOICE, title="<script>x</script>")), (), RU, LINK).html
    assert "&lt;script&gt;" in html
    for forbidden in ("<script", "<img", "<link", "url("):
        assert forbidden not in html


def test_refund_mail_names_refunded_amount() -> None:
    mail = refund_mail(receipt(), refund(50_000), (refund(50_000),), EN, LINK)
    assert mail.subject == "Refund of ₽500.00: Маникюр"
    assert "₽1,000.00" in mail.text
    assert mail.text.startswith("The seller made a refund: ₽500.00\n")


def test_owner_is_mailed_about_every_attention_kind_with_link() -> None:
    payment = Payment(
        "pay_1", "shp_1", "inv_1", "con_1", "yookassa", "op", "t", Money(150_000),
        Status.CAPTURED, AT_US,
    )  # fmt: skip
    mail_texts = {
        attention_mail(
            payment, str(attention), "https://x.ru/payments/pay_1", SHOP, translator
        ).text
        for attention in Attention
        for translator in (RU, EN)
    }
    assert len(mail_texts) == 2 * len(Attention)
    assert all("https://x.ru/payments/pay_1" in text and "500" in text for text in mail_texts)


def test_trial_mail_names_the_shop() -> None:
    mail = trial_mail(SHOP, RU)
    assert "Студия" in mail.subject
    assert mail.pdf_source == ""
