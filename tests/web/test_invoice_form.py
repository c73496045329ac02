"""The invoice form keeps what was typed, means a draft, and changes by its own buttons."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.invoice import Draft, Invoice, Item, Status
from sigma.domain.billing.question import BUILT_IN, KEY, Kind, Question
from sigma.domain.money import Money
from sigma.web.cabinet.invoices.form import (
    AskRow,
    Expiry,
    InvoiceForm,
    ItemRow,
    Times,
    make_key,
    read_draft,
    read_form,
)
from sigma.web.cabinet.invoices.form_edit import edited, edits, focus_after, form_of, sum_of_items

NOW = 1_795_000_000_000_000  # 18 November 2026, 14:06:40 in Moscow
TZ = "Europe/Moscow"
ROW = {"ask.0.kind": ["email"], "ask.0.on": ["1"], "ask.0.required": ["1"]}
FILLED = {"title": ["Маникюр"], "amount": ["1 500,50 ₽"], **ROW}


def draft_and_faults(given: dict[str, list[str]]) -> tuple[Draft, dict[str, str]]:
    draft, problems = read_draft(read_form(given), tz=TZ, now=NOW)
    return draft, {p.field: p.code for p in problems}


def test_a_filled_form_means_a_draft() -> None:
    draft, faults = draft_and_faults(
        FILLED
        | {
            "ask.1.kind": ["select"],
            "ask.1.label": ["Размер"],
            "ask.1.options": ["S\r\n\r\n M \r\n"],
            "ask.2.kind": ["phone"],
            "items.0.name": ["Снятие"],
            "items.0.price": ["500,50"],
            "items.3.name": ["Покрытие"],
            "items.3.quantity": ["2"],
            "items.3.price": ["500"],
            "items.7.quantity": ["1"],
            "times": ["count"],
            "max_payments": ["3"],
        }
    )
    assert faults == {}
    assert draft == Draft(
        title="Маникюр",
        amount=Money(150_050),
        items=(
            Item("Снятие", "1", Money(50_050)),
            Item("Покрытие", "2", Money(50_000)),
        ),
        questions=(
            Question("email", Kind.EMAIL, required=True),
            Question("razmer", Kind.SELECT, "Размер", options=("S", "M")),
        ),
        max_payments=3,
    )


@pytest.mark.parametrize(
    ("typed", "field", "code"),
    [
        ({"title": [""]}, "title", "required"),
        ({"amount": ["сто"]}, "amount", "money_format"),
        ({"amount": ["0"]}, "amount", "money_positive"),
        ({"return_url": ["vk.me"]}, "return_url", "url"),
        ({"expiry": ["date"]}, "expires_on", "required"),
        ({"expiry": ["date"], "expires_on": ["31.02.2027"]}, "expires_on", "date"),
        ({"expiry": ["date"], "expires_on": ["2020-01-01"]}, "expires_on", "in_the_past"),
        ({"times": ["count"]}, "max_payments", "required"),
        ({"times": ["count"], "max_payments": ["0"]}, "max_payments", "range"),
        ({"items.0.name": ["А"], "items.0.price": ["x"]}, "items.0.price", "money_format"),
        ({"items.5.name": ["А"], "items.5.price": ["5"]}, "items", "items_sum"),
        (
            {"items.5.price": ["1"], "items.5.quantity": ["-1"], "items.5.name": ["А"]},
            "items.0.quantity",
            "quantity",
        ),
        ({"ask.4.kind": ["text"]}, "ask.1.label", "required"),
        ({"ask.4.kind": ["select"], "ask.4.label": ["Размер"]}, "ask.1.options", "options"),
    ],
)
def test_what_is_wrong_is_told_once_beside_its_field(
    typed: dict[str, list[str]], field: str, code: str
) -> None:
    _, faults = draft_and_faults(FILLED | typed)
    assert faults == {field: code}


def test_numbers_in_problems_are_the_rows_of_the_form() -> None:
    form = InvoiceForm(
        title="А",
        amount="5",
        items=(ItemRow(), ItemRow("", "1", "сто"), ItemRow("", "1", "5")),
        ask=(
            AskRow("email", "email", on=False),
            AskRow("text", ""),
            AskRow("select", "s", label="С"),
        ),
    )
    _, problems = read_draft(form, tz=TZ, now=NOW)
    assert {p.field for p in problems} == {
        "items.1.price",
        "items.2.name",
        "ask.1.label",
        "ask.2.options",
    }


@pytest.mark.parametrize(
    ("expiry", "days"), [(Expiry.DAY, 1), (Expiry.THREE_DAYS, 3), (Expiry.WEEK, 7)]
)
def test_a_quick_expiry_is_the_end_of_that_day_in_the_shop(expiry: Expiry, days: int) -> None:
    form = InvoiceForm(title="А", amount="5", expiry=expiry)
    draft, problems = read_draft(form, tz=TZ, now=NOW)
    assert problems == []
    midnight = NOW // 86_400_000_000 * 86_400_000_000 - 3 * 3_600_000_000
    assert draft.expires_at == midnight + (days + 1) * 86_400_000_000 - 1_000_000


def test_contact_fields_are_always_there_once() -> None:
    form = read_form({"ask.3.kind": ["phone"], "ask.5.kind": ["phone"], "ask.9.kind": ["text"]})
    kinds = [row.kind for row in form.ask]
    assert kinds == ["phone", "text", "email", "name", "address"]
    assert not any(row.on for row in form.ask if row.built_in)


def test_a_fresh_form_asks_for_an_email() -> None:
    asked = [row for row in InvoiceForm().ask if row.asked]
    assert asked == [AskRow("email", "email", required=True)]


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("Размер футболки", "razmer_futbolki"),
        ("Ёжик, щука и объём", "ezhik_schuka_i_obem"),
        ("Color?", "color"),
        ("2 имя", "field_2_imya"),
        ("電話", "field"),
        ("Email", "email_2"),
        ("nonce", "nonce_2"),
        ("!!!", "field"),
        (
            "Очень длинное название поля, которое не кончается",
            "ochen_dlinnoe_nazvanie_polya_kotoro",
        ),
    ],
)
def test_a_key_is_made_from_the_label(label: str, key: str) -> None:
    made = make_key(label)
    assert made.startswith(key)
    assert KEY.fullmatch(made)


@given(st.lists(st.text(min_size=1), max_size=8))
def test_keys_of_any_labels_are_right_and_different(labels: list[str]) -> None:
    taken: set[str] = set()
    for label in labels:
        key = make_key(label, taken)
        assert KEY.fullmatch(key)
        assert key not in taken | set(BUILT_IN)
        taken.add(key)


def test_a_key_stays_when_the_label_changes() -> None:
    form = read_form({"ask.0.kind": ["text"], "ask.0.label": ["Размер"]})
    again = read_form(
        {"ask.0.kind": ["text"], "ask.0.label": ["Рост"], "ask.0.key": [form.ask[0].key]}
    )
    assert again.ask[0].key == "razmer"


def test_rows_are_added_moved_and_removed_by_buttons() -> None:
    form = edited(InvoiceForm(), "ask-add")
    assert form.ask[-1] == AskRow("text")
    assert focus_after(InvoiceForm(), "ask-add") == "ask.4.label"
    moved = edited(form, "ask-up-4")
    assert [row.kind for row in moved.ask] == ["email", "phone", "name", "text", "address"]
    assert edited(moved, "ask-down-3") == form
    assert edited(form, "ask-remove-4") == InvoiceForm()
    assert edited(form, "ask-up-0") == form
    assert edited(form, "ask-remove-99") == form
    item = edited(form, "items-add")
    assert item.items == (ItemRow(),)
    assert edited(item, "items-remove-0").items == ()


@pytest.mark.parametrize(
    "button", ["issue", "draft", "look", "", "ask-burn-1", "sum-1", "ask-up-1\n"]
)
def test_other_buttons_change_nothing(button: str) -> None:
    assert not edits(button)
    assert edited(InvoiceForm(title="А"), button) == InvoiceForm(title="А")


def test_a_form_does_not_grow_without_end() -> None:
    form = InvoiceForm()
    for _ in range(200):
        form = edited(edited(form, "ask-add"), "items-add")
    assert len(form.ask) == 30
    assert len(form.items) == 100


def test_the_sum_of_items_is_offered() -> None:
    form = InvoiceForm(items=(ItemRow("А", "1,5", "100"), ItemRow(), ItemRow("Б", "", "0,50")))
    assert sum_of_items(form) == Money(15_050)
    assert edited(form, "sum").amount == "150,50"
    unread = replace(form, items=(ItemRow("А", "x", "100"),))
    assert sum_of_items(unread) is None
    assert edited(unread, "sum") == unread
    assert sum_of_items(InvoiceForm()) is None


def test_an_invoice_repeated_means_the_same_draft() -> None:
    draft = Draft(
        title="Маникюр",
        amount=Money(150_050, "USD"),
        description="Две\nстроки",
        items=(Item("А", "1.5", Money(100_000, "USD")), Item("Б", "1", Money(50, "USD"))),
        questions=(
            Question("wish", Kind.MULTISELECT, "Пожелания", options=("а", "б"), hint="любые"),
            Question("phone", Kind.PHONE),
        ),
        max_payments=5,
        return_url="https://vk.me/studio",
    )
    invoice = Invoice(
        "inv_1",
        "shp_1",
        1,
        "t",
        Status.PAID,
        draft.title,
        draft.amount,
        NOW,
        description=draft.description,
        items=draft.items,
        questions=draft.questions,
        max_payments=5,
        return_url=draft.return_url,
        expires_at=NOW + 1,
    )
    assert read_draft(form_of(invoice), tz=TZ, now=NOW) == (draft, [])
    any_number = form_of(replace(invoice, max_payments=None))
    assert any_number.times is Times.ANY


NAMES = ("title", "amount", "do", "expiry", "times", "max_payments", "items.0.price", "ask.1.kind")


@given(
    st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=12),
        st.lists(st.text(st.characters(exclude_categories=())), max_size=2),
    )
)
def test_no_post_breaks_the_form(posted: dict[str, list[str]]) -> None:
    form = read_form(posted)
    draft, problems = read_draft(form, tz=TZ, now=NOW)
    assert problems or draft.title
    assert read_form(posted) == form
