"""The receipt as a file and as letters: the same facts everywhere, whatever a seller writes."""

import io
from dataclasses import replace

import pypdf
import pytest

from sigma.documents import attention_mail, receipt_mail, receipt_pdf, refund_mail
from sigma.documents import test_mail as trial_mail
from sigma.domain.accounts.shop import Seller, SellerKind, Shop
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.invoice import Invoice, Item
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.billing.receipt import Receipt, build_receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.money import Money
from sigma.texts import Words
from sigma.texts.receipt_view import slip

MOMENT = 1_795_518_300_000_000  # 24 November 2026, 14:05 in Moscow
LINK = "https://pay.example.ru/r/AbCdEf0123456789AbCdEf"
RU, EN = Words("ru"), Words("en")
SELLER = Seller(
    SellerKind.IP,
    "ИП Проверкин Пётр Петрович",
    "500100732259",
    "325774600000039",
    phone="+79161234567",
    email="shop@example.com",
)
SHOP = Shop("shp_1", "Студия", MOMENT, SELLER)
INVOICE = Invoice(
    "inv_1", "shp_1", 42, "tok", InvoiceStatus.PAID, "Маникюр", Money(150_000), MOMENT
)


def receipt(
    invoice: Invoice = INVOICE, shop: Shop = SHOP, mask: str = "220000******0004"
) -> Receipt:
    return build_receipt(
        "rcp_1",
        token="rtok",
        payment_id="pay_1",
        amount=invoice.amount,
        mask=mask,
        brand="mir",
        paid_at=MOMENT,
        invoice=invoice,
        shop=shop,
        now=MOMENT,
    )


def back(minor: int, status: refunds.Status = refunds.Status.SUCCEEDED) -> Refund:
    return Refund(
        f"ref_{minor}",
        "shp_1",
        "pay_1",
        "inv_1",
        "con_1",
        "op",
        Money(minor),
        status,
        MOMENT,
        "usr_1",
        finished_at=MOMENT if status is refunds.Status.SUCCEEDED else None,
    )


def read(pdf: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    assert len(pages) == 1
    return pages[0].extract_text().replace("\u00a0", " ")


def test_the_pdf_names_seller_sum_card_and_time() -> None:
    text = read(receipt_pdf(receipt(), (), RU, LINK))
    for words in (
        "1 500,00 ₽",
        "Одна тысяча пятьсот рублей 00 копеек",
        "24 ноября 2026, 14:05 (МСК)",
        "Мир 2200 00** **** 0004",
        "ИП Проверкин Пётр Петрович",
        "500100732259",
        "не кассовый чек",
    ):
        assert words in text, words


def test_the_same_receipt_is_the_same_bytes() -> None:
    assert receipt_pdf(receipt(), (), RU, LINK) == receipt_pdf(receipt(), (), RU, LINK)


@pytest.mark.parametrize(
    "sly",
    ["#panic()", '#read("/etc/passwd")', "$x$ *b* _i_ `c` \\ // --", "] } ) \" '", "@a <b> = c"],
)
def test_what_a_seller_writes_is_text_and_never_a_programme(sly: str) -> None:
    text = read(receipt_pdf(receipt(replace(INVOICE, title=sly)), (), RU, LINK))
    assert sly.replace(" ", "") in text.replace(" ", "").replace("\n", "")


def test_a_hundred_items_stay_on_one_page() -> None:
    many = tuple(Item(f"Услуга {n}", "1.5", Money(10_000)) for n in range(100))
    text = read(receipt_pdf(receipt(replace(INVOICE, items=many)), (), EN, LINK))
    assert "Услуга 99" in text
    assert "1.5 × ₽100.00" in text


def test_refunds_are_taken_from_the_total_and_failed_ones_are_not_told() -> None:
    told = (
        back(50_000),
        back(10_000, refunds.Status.PENDING),
        back(7_700, refunds.Status.FAILED),
    )
    shown = slip(receipt(), told, RU)
    assert shown.net == "1\u00a0000,00\u00a0₽"
    assert [value for _, value in shown.refunds] == ["−500,00\u00a0₽", "−100,00\u00a0₽"]
    assert not shown.fully_refunded
    assert slip(receipt(), (back(150_000),), RU).fully_refunded
    assert slip(receipt(), (), RU).net == ""


def test_a_payment_without_a_card_has_no_card_line() -> None:
    assert all("Карта" not in label for label, _ in slip(receipt(mask=""), (), RU).rows)


def test_the_letter_says_what_the_slip_says_in_text_and_in_html() -> None:
    letter = receipt_mail(receipt(), (), RU, LINK)
    assert letter.subject == "Чек на 1\u00a0500,00\u00a0₽: Маникюр"
    shown = slip(receipt(), (), RU)
    facts = [shown.sum, shown.in_words, shown.seller, LINK]
    facts += [value for _, value in (*shown.rows, *shown.seller_rows)]
    for fact in facts:
        assert fact in letter.text, fact
        assert fact in letter.html, fact
    (file,) = letter.attachments
    assert (file.name, file.media_type) == ("chek-42.pdf", "application/pdf")
    assert file.data == receipt_pdf(receipt(), (), RU, LINK)


def test_a_letter_loads_nothing_and_runs_nothing() -> None:
    html = receipt_mail(receipt(replace(INVOICE, title="<script>x</script>")), (), RU, LINK).html
    assert "&lt;script&gt;" in html
    for wrong in ("<script", "<img", "<link", "url("):
        assert wrong not in html


def test_news_of_a_refund_is_about_the_sum_given_back() -> None:
    letter = refund_mail(receipt(), back(50_000), (back(50_000),), EN, LINK)
    assert letter.subject == "Refund of ₽500.00: Маникюр"
    assert "₽1,000.00" in letter.text
    assert letter.text.startswith("The seller returned money to you: ₽500.00\n")


def test_the_owner_is_told_of_every_kind_of_trouble_with_a_link() -> None:
    payment = Payment(
        "pay_1", "shp_1", "inv_1", "con_1", "yookassa", "op", "t", Money(150_000),
        Status.CAPTURED, MOMENT,
    )  # fmt: skip
    letters = {
        attention_mail(payment, str(why), "https://x.ru/payments/pay_1", SHOP, words).text
        for why in Attention
        for words in (RU, EN)
    }
    assert len(letters) == 2 * len(Attention)
    assert all("https://x.ru/payments/pay_1" in text and "500" in text for text in letters)


def test_a_test_letter_names_the_shop() -> None:
    letter = trial_mail(SHOP, RU)
    assert "Студия" in letter.subject
    assert letter.attachments == ()
