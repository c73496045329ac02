"""The small parts of the client's pages: colour, the way back, fields, language, form of a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.question import Kind, Question
from sigma.domain.errors import Problem
from sigma.texts import Words
from sigma.web.checkout import colour
from sigma.web.checkout.fields import fields, typed
from sigma.web.checkout.page_context import initials, split
from sigma.web.checkout.return_link import return_link
from sigma.web.rendering import lines, preferred

RU = Words("ru")
COLOURS = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")
PAID = {"invoice": "inv_1", "payment": "pay_1", "status": "captured"}


@given(COLOURS)
def test_any_accent_can_be_read_on_light_and_on_dark_pages(chosen: str) -> None:
    light, dark = colour.on_light(chosen), colour.on_dark(chosen)
    for ground in (*colour.LIGHT_PAGES, light.on, light.soft):
        assert colour.contrast(light.colour, ground) >= 4.5
    for ground in (*colour.DARK_PAGES, dark.on, dark.soft):
        assert colour.contrast(dark.colour, ground) >= 4.5


def test_a_readable_accent_is_left_as_it_is() -> None:
    assert colour.on_light("#3a36c9").colour == "#3a36c9"
    assert colour.contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("wrong", ["red", "#fff", "3a36c9", "#3a36c9;}", "#3a36cg", ""])
def test_only_a_whole_colour_becomes_style(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        colour.style(wrong)


def test_the_way_back_tells_the_shop_what_happened() -> None:
    link = return_link("https://shop.ru/back?i={invoice}&p={payment}&s={status}", **PAID)
    assert link == "https://shop.ru/back?i=inv_1&p=pay_1&s=captured"


def test_values_of_the_way_back_cannot_leave_their_place() -> None:
    sly = {**PAID, "status": "a&b=c#d/../é\r\n"}
    link = return_link("https://shop.ru/{status}", **sly)
    assert link == "https://shop.ru/a%26b%3Dc%23d%2F..%2F%C3%A9%0D%0A"


@pytest.mark.parametrize(
    "sly",
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
def test_a_way_back_that_is_not_plain_http_is_no_way(sly: str) -> None:
    assert return_link(sly, **PAID) is None


def shown(kind: Kind, label: str = "") -> dict[str, str]:
    question = Question(str(kind) if not label else "own", kind, label)
    return dict(fields((question,), RU)[0].attributes)


def test_each_kind_gets_its_keyboard_and_autofill() -> None:
    assert shown(Kind.EMAIL)["inputmode"] == "email"
    assert shown(Kind.EMAIL)["autocomplete"] == "email"
    assert shown(Kind.PHONE) == {"type": "tel", "inputmode": "tel", "autocomplete": "tel"}
    assert shown(Kind.NAME)["autocomplete"] == "name"
    assert shown(Kind.ADDRESS)["autocomplete"] == "street-address"
    assert shown(Kind.NUMBER, "Вес")["inputmode"] == "decimal"
    assert shown(Kind.NUMBER, "Вес")["type"] == "text"
    assert shown(Kind.DATE, "День")["type"] == "date"


def test_the_first_wrong_field_takes_the_focus_and_keeps_what_was_typed() -> None:
    asked = (Question("email", Kind.EMAIL), Question("phone", Kind.PHONE))
    wrong = (Problem("phone", "phone_short"), Problem("email", "email"))
    email, phone = fields(asked, RU, given={"email": ["a@"], "phone": ["8916"]}, problems=wrong)
    assert (email.focus, phone.focus) == (True, False)
    assert (email.value, phone.value) == ("a@", "8916")
    assert "11 цифр" in phone.error
    assert phone.described_by == "phone-error"


def test_a_date_typed_by_hand_is_not_dropped() -> None:
    (day,) = fields((Question("day", Kind.DATE, "День"),), RU, given={"day": ["32.13.2026"]})
    assert day.attributes["type"] == "text"


def test_saved_answers_come_back_as_they_would_be_typed() -> None:
    asked = (
        Question("phone", Kind.PHONE),
        Question("more", Kind.MULTISELECT, "Ещё", options=("а", "б")),
        Question("child", Kind.CHECKBOX, "С ребёнком"),
        Question("wish", Kind.TEXT, "Пожелания"),
    )
    saved = {"phone": "+79161234567", "more": ["а"], "child": False}
    assert typed(asked, saved, RU) == {"phone": ["+7 916 123-45-67"], "more": ["а"]}


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
def test_english_is_spoken_only_to_those_who_clearly_want_it(header: str, locale: str) -> None:
    assert preferred(header) == locale


def test_initials_stand_for_a_shop_without_a_logo() -> None:
    assert initials("Студия «Лак и ножницы»") == "СЛ"
    assert initials("Маша") == "М"
    assert initials("!!!") == ""


def test_a_long_description_is_cut_at_a_space_and_nothing_is_lost() -> None:
    text = "слово " * 100
    head, rest = split(text)
    assert len(head) <= 240
    assert (head + " " + rest).split() == text.split()
    assert split("коротко") == ("коротко", "")
    head, rest = split("х" * 1000)
    assert head + rest == "х" * 1000


def test_markup_in_a_sellers_text_stays_text() -> None:
    assert str(lines("<b>1</b>\n2")) == "&lt;b&gt;1&lt;/b&gt;<br>2"
