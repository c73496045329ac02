"""The invoice form: input is kept, becomes a draft or problems, and is edited by its buttons."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.invoice import Draft, Invoice, InvoiceItem, Status
from sigma.domain.billing.question import BUILT_IN_KINDS, KEY_PATTERN, Question, QuestionKind
from sigma.domain.money import Money
from sigma.web.cabinet.invoices.form import (
    ExpiryChoice,
    InvoiceForm,
    ItemRow,
    PaymentLimit,
    QuestionRow,
    make_key,
    parse_draft,
    parse_invoice_form,
)
from sigma.web.cabinet.invoices.form_edit import (
    apply_button,
    focus_after_edit,
    form_from_invoice,
    is_edit_button,
    items_total,
    row_from_question,
)

NOW = 1_795_000_000_000_000  # 18 November 2026, 14:06:40 in Moscow
TZ = "Europe/Moscow"
EMAIL_ROW = {"ask.0.kind": ["email"], "ask.0.on": ["1"], "ask.0.required": ["1"]}
FILLED_FORM = {"title": ["Маникюр"], "amount": ["1 500,50 ₽"], **EMAIL_ROW}


def read_draft_and_errors(form_data: dict[str, list[str]]) -> tuple[Draft, dict[str, str]]:
    draft, problems = parse_draft(parse_invoice_form(form_data), tz=TZ, now_us=NOW)
    return draft, {p.field: p.code for p in problems}


def test_filled_form_becomes_a_draft() -> None:
    draft, errors = read_draft_and_errors(
        FILLED_FORM
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
    assert errors == {}
    assert draft == Draft(
        title="Маникюр",
        amount=Money(150_050),
        items=(
            InvoiceItem("Снятие", "1", Money(50_050)),
            InvoiceItem("Покрытие", "2", Money(50_000)),
        ),
        questions=(
            Question("email", QuestionKind.EMAIL, required=True),
            Question("razmer", QuestionKind.SELECT, "Размер", options=("S", "M")),
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
def test_invalid_value_is_reported_once_with_its_field(
    typed: dict[str, list[str]], field: str, code: str
) -> None:
    _, errors = read_draft_and_errors(FILLED_FORM | typed)
    assert errors == {field: code}


def test_problem_fields_contain_the_row_numbers_of_the_form() -> None:
    form = InvoiceForm(
        title="А",
        amount="5",
        items=(ItemRow(), ItemRow("", "1", "сто"), ItemRow("", "1", "5")),
        questions=(
            QuestionRow("email", "email", enabled=False),
            QuestionRow("text", ""),
            QuestionRow("select", "s", label="С"),
        ),
    )
    _, problems = parse_draft(form, tz=TZ, now_us=NOW)
    assert {p.field for p in problems} == {
        "items.1.price",
        "items.2.name",
        "ask.1.label",
        "ask.2.options",
    }


@pytest.mark.parametrize(
    ("expiry", "days"),
    [(ExpiryChoice.DAY, 1), (ExpiryChoice.THREE_DAYS, 3), (ExpiryChoice.WEEK, 7)],
)
def test_preset_expiry_is_the_end_of_day_in_the_shop_time_zone(
    expiry: ExpiryChoice, days: int
) -> None:
    form = InvoiceForm(title="А", amount="5", expiry=expiry)
    draft, problems = parse_draft(form, tz=TZ, now_us=NOW)
    assert problems == []
    midnight = NOW // 86_400_000_000 * 86_400_000_000 - 3 * 3_600_000_000
    assert draft.expires_at_us == midnight + (days + 1) * 86_400_000_000 - 1_000_000


def test_every_contact_field_is_present_once() -> None:
    form = parse_invoice_form(
        {"ask.3.kind": ["phone"], "ask.5.kind": ["phone"], "ask.9.kind": ["text"]}
    )
    kinds = [row.kind for row in form.questions]
    assert kinds == ["phone", "text", "email", "name", "address"]
    assert not any(row.enabled for row in form.questions if row.is_contact)


def test_new_form_asks_for_an_email() -> None:
    rows = [row for row in InvoiceForm().questions if row.is_included]
    assert rows == [QuestionRow("email", "email", required=True)]


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
def test_question_key_is_derived_from_the_label(label: str, key: str) -> None:
    derived = make_key(label)
    assert derived.startswith(key)
    assert KEY_PATTERN.fullmatch(derived)


@given(st.lists(st.text(min_size=1), max_size=8))
def test_question_keys_of_any_labels_are_valid_and_unique(labels: list[str]) -> None:
    taken: set[str] = set()
    for label in labels:
        key = make_key(label, taken)
        assert KEY_PATTERN.fullmatch(key)
        assert key not in taken | set(BUILT_IN_KINDS)
        taken.add(key)


def test_question_key_stays_when_the_label_changes() -> None:
    form = parse_invoice_form({"ask.0.kind": ["text"], "ask.0.label": ["Размер"]})
    again = parse_invoice_form(
        {"ask.0.kind": ["text"], "ask.0.label": ["Рост"], "ask.0.key": [form.questions[0].key]}
    )
    assert again.questions[0].key == "razmer"


def test_buttons_add_move_and_remove_rows() -> None:
    form = apply_button(InvoiceForm(), "ask-add")
    assert form.questions[-1] == QuestionRow("text")
    assert focus_after_edit(InvoiceForm(), "ask-add") == "ask.4.label"
    moved = apply_button(form, "ask-up-4")
    assert [row.kind for row in moved.questions] == ["email", "phone", "name", "text", "address"]
    assert apply_button(moved, "ask-down-3") == form
    assert apply_button(form, "ask-remove-4") == InvoiceForm()
    assert apply_button(form, "ask-up-0") == form
    assert apply_button(form, "ask-remove-99") == form
    with_item = apply_button(form, "items-add")
    assert with_item.items == (ItemRow(),)
    assert apply_button(with_item, "items-remove-0").items == ()


@pytest.mark.parametrize(
    "button", ["issue", "draft", "preview", "", "ask-burn-1", "sum-1", "ask-up-1\n"]
)
def test_unknown_buttons_change_nothing(button: str) -> None:
    assert not is_edit_button(button)
    assert apply_button(InvoiceForm(title="А"), button) == InvoiceForm(title="А")


def test_number_of_rows_is_limited() -> None:
    form = InvoiceForm()
    for _ in range(200):
        form = apply_button(apply_button(form, "ask-add"), "items-add")
    assert len(form.questions) == 30
    assert len(form.items) == 100


def test_amount_is_filled_with_the_sum_of_items() -> None:
    form = InvoiceForm(items=(ItemRow("А", "1,5", "100"), ItemRow(), ItemRow("Б", "", "0,50")))
    assert items_total(form) == Money(15_050)
    assert apply_button(form, "sum").amount == "150,50"
    invalid = replace(form, items=(ItemRow("А", "x", "100"),))
    assert items_total(invalid) is None
    assert apply_button(invalid, "sum") == invalid
    assert items_total(InvoiceForm()) is None


def test_form_of_a_repeated_invoice_becomes_the_same_draft() -> None:
    draft = Draft(
        title="Маникюр",
        amount=Money(150_050, "USD"),
        description="Две\nстроки",
        items=(
            InvoiceItem("А", "1.5", Money(100_000, "USD")),
            InvoiceItem("Б", "1", Money(50, "USD")),
        ),
        questions=(
            Question(
                "wish", QuestionKind.MULTISELECT, "Пожелания", options=("а", "б"), hint="любые"
            ),
            Question("phone", QuestionKind.PHONE),
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
        expires_at_us=NOW + 1,
    )
    assert parse_draft(form_from_invoice(invoice), tz=TZ, now_us=NOW) == (draft, [])
    any_number = form_from_invoice(replace(invoice, max_payments=None))
    assert any_number.payment_limit is PaymentLimit.ANY


FIELD_NAMES = (
    "title",
    "amount",
    "do",
    "expiry",
    "times",
    "max_payments",
    "items.0.price",
    "ask.1.kind",
)


@given(
    st.dictionaries(
        st.sampled_from(FIELD_NAMES) | st.text(max_size=12),
        st.lists(st.text(st.characters(exclude_categories=())), max_size=2),
    )
)
def test_any_posted_data_is_parsed(posted: dict[str, list[str]]) -> None:
    form = parse_invoice_form(posted)
    draft, problems = parse_draft(form, tz=TZ, now_us=NOW)
    assert problems or draft.title
    assert parse_invoice_form(posted) == form


def test_show_on_receipt_survives_the_form_for_contact_and_custom_fields() -> None:
    form = parse_invoice_form(
        {
            **EMAIL_ROW,
            "ask.0.receipt": ["1"],
            "ask.1.kind": ["text"],
            "ask.1.label": ["Пожелания"],
            "ask.1.receipt": ["1"],
            "ask.2.kind": ["text"],
            "ask.2.label": ["Заметка"],
        }
    )
    draft, _ = parse_draft(form, tz="Europe/Moscow", now_us=0)
    assert [(q.key, q.show_on_receipt) for q in draft.questions] == [
        ("email", True),
        ("pozhelaniya", True),
        ("zametka", False),
    ]
    assert [row_from_question(q).show_on_receipt for q in draft.questions] == [True, True, False]
