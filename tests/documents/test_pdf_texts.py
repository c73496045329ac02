"""The PDF as a reader draws it: every script has glyphs, long words stay in their column."""

import io
from dataclasses import replace

import pypdf
import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from sigma.documents.fonts import printable
from sigma.documents.pdf import draw_pdf, receipt_source
from sigma.domain.billing.answers import Answer
from sigma.domain.billing.invoice import InvoiceItem
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.money import Money
from sigma.texts import Translator
from tests.documents.test_receipts import INVOICE, LINK, RU, SHOP, pdf_text, receipt

MARGIN = 9 / 25.4 * 72  # points
WORD = "Сверхдлинноеназваниеуслугибезпробеловкотороевсёравнопереносится"
SCRIPTS = {
    "Chinese": "美甲和脚部护理",
    "Japanese": "ネイルケアとかな",
    "Korean": "손톱관리",
    "Georgian": "მანიკური",
    "Armenian": "Մատնահարդարում",
    "Hindi": "मैनीक्योर",
    "Bengali": "ম্যানিকিউর",
    "Tamil": "நகம்",
    "Thai": "ทำเล็บ",
    "Amharic": "ጥፍር",
    "Kazakh": "Тырнақ күтімі ұңғыө",
    "Vietnamese": "Làm móng đẹp",
    "Greek": "Μανικιούρ",
    "signs": "№ ½ ₴ ₸ → ✓ ★ ☎ — … «»",
}
EMOJI = (
    "💅🏽",
    "👩\u200d👩\u200d👧",
    "🇷🇺",
    "❤\ufe0f",
    "🫠",
    "1\ufe0f\u20e3",
    "🏴\U000e0067\U000e007f",
)


def drawn(title: str, *, shop_name: str = "Студия", **more: object) -> bytes:
    """Draw a receipt whose only item has this name."""
    items = (InvoiceItem(title, "2", Money(12_345_678_900)),)
    invoice = replace(INVOICE, title="Заказ", items=items, amount=Money(24_691_357_800))
    stored = receipt(invoice, replace(SHOP, name=shop_name))
    return draw_pdf(receipt_source(stored, (), RU, LINK, **more))  # type: ignore[arg-type]


def visible(text: str) -> str:
    """Return the text without spaces and invisible characters."""
    return "".join(c for c in text if c.isprintable() and not c.isspace())


def characters(pdf: bytes) -> tuple[float, list[tuple[str, float, float, float, float]]]:
    """Return the page's width and its characters with left, bottom, right, top, in points."""
    page = pypdfium2.PdfDocument(pdf)[0]
    text = page.get_textpage()
    chars = []
    for n in range(text.count_chars()):
        char = chr(pdfium.FPDFText_GetUnicode(text.raw, n))
        if visible(char):
            chars.append((char, *text.get_charbox(n)))
    return page.get_width(), chars


@pytest.mark.parametrize("script", SCRIPTS)
def test_text_of_every_script_is_readable_in_the_pdf(script: str) -> None:
    assert printable(SCRIPTS[script]) == SCRIPTS[script], "a glyph is missing"
    text = pypdfium2.PdfDocument(drawn(SCRIPTS[script]))[0].get_textpage().get_text_bounded()
    assert visible(SCRIPTS[script]) in visible(text)


@pytest.mark.parametrize(
    ("text", "font"),
    [("مانيكير", "NotoSansArabic"), ("עיצוב ציפורניים", "NotoSansHebrew")]
    + [(emoji, "NotoEmoji") for emoji in EMOJI],
)
def test_arabic_hebrew_and_emoji_are_drawn_with_their_fonts(text: str, font: str) -> None:
    assert printable(text) == text, "a glyph is missing"
    pdf = drawn(text)
    assert any(font in name for name in embedded_fonts(pdf))
    assert not any(font in name for name in embedded_fonts(drawn("Маникюр")))


def embedded_fonts(pdf: bytes) -> set[str]:
    """Return the names of the fonts that the page draws with."""
    resources = pypdf.PdfReader(io.BytesIO(pdf)).pages[0]["/Resources"]
    return {str(font.get_object()["/BaseFont"]) for font in resources["/Font"].values()}  # type: ignore[index]


def test_character_without_a_glyph_is_replaced_or_spelled() -> None:
    assert printable("𝕏 и 𝔄") == "X и A"
    assert printable("\U00012000") == "[cuneiform sign a]"
    assert printable("\ue000") == "[U+E000]".lower()
    assert printable("a\x07b\ud800") == "a b\ufffd"
    assert "cuneiform sign a" in pdf_text(drawn("\U00012000"))


@pytest.mark.parametrize(
    "word",
    [
        WORD,
        "W" * 200,
        "aaaa-" * 3 + "b" * 60,
        "\u00a0".join(["слово"] * 20),
        "美" * 90,
        "💅🏽" * 60,
    ],
)
def test_long_word_breaks_inside_its_column(word: str) -> None:
    question = Question("wish", QuestionKind.TEXT, word[:60], show_on_receipt=True)
    pdf = drawn(word, shop_name=word, answers=(Answer(question, word),))
    width, chars = characters(pdf)
    assert all(left >= MARGIN - 2 and right <= width - MARGIN + 2 for _, left, _, right, _ in chars)
    # «246 913 578,00 ₽» beside the item: nothing else is drawn over it.
    page_text = "".join(c for c, *_ in chars)
    start = page_text.index("246913578,00₽", page_text.index("Оплачено"))
    price = chars[start : start + len("246913578,00₽")]
    others = chars[:start] + chars[start + len(price) :]
    left, bottom = price[0][1], min(c[2] for c in price)
    top = max(c[4] for c in price)
    over = [c for c in others if c[3] > left + 1 and bottom < (c[2] + c[4]) / 2 < top]
    assert over == []


def test_arabic_word_stays_joined_where_it_breaks() -> None:
    width, chars = characters(drawn("مانيكير" * 9))
    assert all(right <= width - MARGIN + 2 for _, _, _, right, _ in chars)


def test_pdf_and_view_say_the_same_in_english() -> None:
    text = pdf_text(draw_pdf(receipt_source(receipt(), (), Translator("en"), LINK)))
    for fact in ("Payment method", "Mir 2200 00** **** 0004", "Студия", "₽1,500.00"):
        assert fact in text, fact
