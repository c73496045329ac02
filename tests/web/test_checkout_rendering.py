"""Parts of the checkout pages: accent colour, return link, form fields, language, text."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.question import AnswerValue, Question, QuestionKind
from sigma.domain.errors import Problem
from sigma.texts import Translator
from sigma.texts.formats import initials
from sigma.web.checkout import colour
from sigma.web.checkout.fields import build_fields, to_form_values
from sigma.web.checkout.page_context import split_description
from sigma.web.checkout.return_link import return_link
from sigma.web.rendering import line_breaks, preferred_language

RU = Translator("ru")
COLOURS = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")
PAYMENT = {"invoice": "inv_1", "payment": "pay_1", "status": "captured"}


@given(COLOURS)
def test_any_accent_has_enough_contrast_on_light_and_dark_pages(chosen: str) -> None:
    light, dark = colour.accent_on_light(chosen), colour.accent_on_dark(chosen)
    for background in (*colour.LIGHT_PAGES, light.on, light.soft):
        assert colour.contrast_ratio(light.colour, background) >= 4.5
    for background in (*colour.DARK_PAGES, dark.on, dark.soft):
        assert colour.contrast_ratio(dark.colour, background) >= 4.5


def test_accent_with_enough_contrast_is_unchanged() -> None:
    assert colour.accent_on_light("#3a36c9").colour == "#3a36c9"
    assert colour.contrast_ratio("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("wrong", ["red", "#fff", "3a36c9", "#3a36c9;}", "#3a36cg", ""])
def test_invalid_colour_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        colour.accent_css(wrong)


def test_return_link_contains_invoice_payment_and_status() -> None:
    link = return_link("https://shop.ru/back?i={invoice}&p={payment}&s={status}", **PAYMENT)
    assert link == "https://shop.ru/back?i=inv_1&p=pay_1&s=captured"


def test_return_link_values_are_escaped() -> None:
    values = {**PAYMENT, "status": "a&b=c#d/../é\r\n"}
    link = return_link("https://shop.ru/{status}", **values)
    assert link == "https://shop.ru/a%26b%3Dc%23d%2F..%2F%C3%A9%0D%0A"


@pytest.mark.parametrize(
    "template",
    [
        "",
        "javascript:alert(1)",
        "JavaScript://shop.ru/%0aalert(1)",
        "data:text/html,x",
        "//evil.ru/",
        "/\\evil.ru",
        "https:evil.ru",
        "https://shop.ru\r\nSet-Cookie: a=b",
        "https://shop.ru/\nx",
        "https://user:pass@shop.ru/",
        "https://shop.ru\\@evil.ru",
        "https://shop.ru/<script>",
        "ftp://shop.ru/",
        " https://shop.ru/",
    ],
)
def test_unsafe_return_link_is_dropped(template: str) -> None:
    assert return_link(template, **PAYMENT) is None


TODAY = date(2026, 11, 28)


def field_attributes(kind: QuestionKind, label: str = "") -> dict[str, str]:
    question = Question(str(kind) if not label else "own", kind, label)
    return dict(build_fields((question,), RU, today=TODAY)[0].attributes)


def test_question_kind_sets_keyboard_and_autofill() -> None:
    assert field_attributes(QuestionKind.EMAIL)["inputmode"] == "email"
    assert field_attributes(QuestionKind.EMAIL)["autocomplete"] == "email"
    assert field_attributes(QuestionKind.PHONE) == {
        "type": "tel",
        "inputmode": "tel",
        "autocomplete": "tel",
    }
    assert field_attributes(QuestionKind.NAME)["autocomplete"] == "name"
    assert field_attributes(QuestionKind.ADDRESS)["autocomplete"] == "street-address"
    assert field_attributes(QuestionKind.NUMBER, "Вес")["inputmode"] == "decimal"
    assert field_attributes(QuestionKind.NUMBER, "Вес")["type"] == "text"
    assert field_attributes(QuestionKind.DATE, "День")["type"] == "date"


def test_first_invalid_field_gets_focus_and_fields_keep_the_input() -> None:
    questions = (Question("email", QuestionKind.EMAIL), Question("phone", QuestionKind.PHONE))
    errors = (Problem("phone", "phone_short"), Problem("email", "email"))
    email, phone = build_fields(
        questions,
        RU,
        form_values={"email": ["a@"], "phone": ["8916"]},
        problems=errors,
        today=TODAY,
    )
    assert (email.has_focus, phone.has_focus) == (True, False)
    assert (email.value, phone.value) == ("a@", "8916")
    assert "11 цифр" in phone.error
    assert phone.described_by == "phone-error"


def test_invalid_date_input_is_kept_in_a_text_field() -> None:
    (day,) = build_fields(
        (Question("day", QuestionKind.DATE, "День"),),
        RU,
        form_values={"day": ["32.13.2026"]},
        today=TODAY,
    )
    assert day.attributes["type"] == "text"


@pytest.mark.parametrize(
    ("label", "first", "last"),
    [
        ("Дата рождения", "1900-01-01", "2026-11-28"),
        ("Дата визита", "2026-11-27", "2028-11-28"),
        ("День", "1900-01-01", "2076-11-28"),
    ],
)
def test_date_input_offers_the_dates_that_its_question_accepts(
    label: str, first: str, last: str
) -> None:
    attributes = field_attributes(QuestionKind.DATE, label)
    assert (attributes["min"], attributes["max"]) == (first, last)


def test_saved_answers_are_formatted_as_form_input() -> None:
    questions = (
        Question("phone", QuestionKind.PHONE),
        Question("more", QuestionKind.MULTISELECT, "Ещё", options=("а", "б")),
        Question("child", QuestionKind.CHECKBOX, "С ребёнком"),
        Question("wish", QuestionKind.TEXT, "Пожелания"),
    )
    saved: dict[str, AnswerValue] = {"phone": "+79161234567", "more": ["а"], "child": False}
    assert to_form_values(questions, saved, RU) == {"phone": ["+7 916 123-45-67"], "more": ["а"]}


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", "ru"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8", "ru"),
        ("en-US,en;q=0.9", "en"),
        ("en-US,en;q=0.9,ru;q=0.8", "en"),
        ("en;q=0.5,ru;q=0.5", "ru"),
        ("de-DE,de;q=0.9", "ru"),
        ("nonsense;;;q=,", "ru"),
    ],
)
def test_english_is_chosen_only_when_preferred_to_russian(header: str, locale: str) -> None:
    assert preferred_language(header) == locale


def test_initials_of_a_shop_name() -> None:
    assert initials("Студия «Лак и ножницы»") == "СЛ"
    assert initials("Маша") == "М"
    assert initials("!!!") == ""


def test_long_description_is_split_at_a_space_without_loss() -> None:
    text = "слово " * 100
    head, rest = split_description(text)
    assert len(head) <= 240
    assert (head + " " + rest).split() == text.split()
    assert split_description("коротко") == ("коротко", "")
    head, rest = split_description("х" * 1000)
    assert head + rest == "х" * 1000


def test_markup_in_seller_text_is_escaped() -> None:
    assert str(line_breaks("<b>1</b>\n2")) == "&lt;b&gt;1&lt;/b&gt;<br>2"
