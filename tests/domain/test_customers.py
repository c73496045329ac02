"""Rules of customers: joining, names, search words, masking, moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.customers.customer import CustomerDetails, IdentityKind, NameSource, replaces_name
from sigma.domain.customers.edits import CustomerForm, check_form, parse_tags
from sigma.domain.customers.joining import Contact, by_strength, join
from sigma.domain.customers.masking import mask_contact, mask_name
from sigma.domain.customers.moves import goes_with, joined_details, separated_details
from sigma.domain.customers.search import index_tokens, query_tokens

VK, EMAIL, PHONE = IdentityKind.VK, IdentityKind.EMAIL, IdentityKind.PHONE


@pytest.mark.parametrize(
    ("owners", "invoice_customer", "expected", "doubles"),
    [
        ([], None, None, ()),
        ([(EMAIL, "a"), (PHONE, "a")], None, "a", ()),
        ([(EMAIL, "a"), (PHONE, "b")], None, "a", (("b", PHONE),)),
        ([(VK, "a"), (EMAIL, "b"), (PHONE, "b")], None, "a", (("b", EMAIL),)),
        ([(VK, "a"), (EMAIL, "b"), (PHONE, "c")], None, "a", (("b", EMAIL), ("c", PHONE))),
        ([(EMAIL, "b")], "a", "a", (("b", EMAIL),)),
        ([], "a", "a", ()),
    ],
)
def test_strongest_contact_decides_and_others_are_only_suggested(
    owners: list[tuple[IdentityKind, str]],
    invoice_customer: str | None,
    expected: str | None,
    doubles: tuple[tuple[str, IdentityKind], ...],
) -> None:
    joining = join(owners, invoice_customer)
    assert joining.customer_id == expected
    assert joining.doubles == doubles


def test_contacts_are_ordered_by_strength_and_empty_ones_left_out() -> None:
    given_contacts = [Contact(PHONE, "+7"), Contact(EMAIL, ""), Contact(VK, "5")]
    assert [one.kind for one in by_strength(given_contacts)] == [VK, PHONE]


@pytest.mark.parametrize(
    ("current", "offered", "expected"),
    [
        (NameSource.NONE, NameSource.ANSWER, True),
        (NameSource.ANSWER, NameSource.ANSWER, False),
        (NameSource.ANSWER, NameSource.VK, True),
        (NameSource.VK, NameSource.VK, True),
        (NameSource.VK, NameSource.ANSWER, False),
        (NameSource.MEMBER, NameSource.VK, False),
        (NameSource.MEMBER, NameSource.MEMBER, True),
    ],
)
def test_name_is_replaced_only_by_a_better_source(
    current: NameSource, offered: NameSource, expected: bool
) -> None:
    assert replaces_name(current, offered) is expected


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        *(("ива", True), ("ИВАНОВ", True), ("иванова", True), ("артем", True), ("ли", True)),
        *(("артём ив", False), ("сидор", False), ("л", False)),
    ],
)
def test_search_compares_the_beginnings_of_words(query: str, is_found: bool) -> None:
    tokens = set(index_tokens("Артём Иванов Ли", ("Опт",)))
    assert (set(query_tokens(query)) <= tokens) is is_found
    assert "#опт" in tokens


@given(st.text(max_size=30))
def test_every_name_is_found_by_itself(name: str) -> None:
    assert set(query_tokens(name)) <= set(index_tokens(name))


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        (EMAIL, "anna@example.net", "a***@example.net"),
        (PHONE, "+79167654321", "+7 ••• 21"),
        (VK, "123456", "id•••"),
    ],
)
def test_contact_is_masked(kind: IdentityKind, value: str, masked: str) -> None:
    assert mask_contact(kind, value) == masked


def test_name_is_masked_to_its_initials() -> None:
    assert mask_name("анна  Кузнецова") == "А. К."
    assert mask_name("") == ""


def test_tags_are_split_and_repeated_once() -> None:
    assert parse_tags(" опт, #VIP;\nОпт , ") == ("опт", "VIP")
    form = CustomerForm("x" * 201, "x" * 5001, tuple(str(n) for n in range(21)))
    assert [(one.field, one.code) for one in check_form(form)] == [
        ("name", "too_long"),
        ("notes", "too_long"),
        ("tags", "too_many"),
    ]


@pytest.mark.parametrize(
    ("contacts", "chosen", "leaves"),
    [
        (["v", "e", "p"], {"e", "p"}, False),
        (["v", "e", "p"], {"v"}, True),
        (["foreign", "e"], {"e"}, True),
        (["foreign"], {"e"}, False),
        ([], {"e"}, False),
    ],
)
def test_row_leaves_with_its_strongest_contact_that_the_customer_has(
    contacts: list[str], chosen: set[str], leaves: bool
) -> None:
    assert goes_with(contacts, {"v", "e", "p"}, chosen) is leaves


def test_notes_of_a_merge_are_joined_and_separated() -> None:
    own, other = CustomerDetails("своё", ("а",)), CustomerDetails("чужое", ("б", "а"))
    joined = joined_details(own, other)
    assert joined == CustomerDetails("своё\n\nчужое", ("а", "б"))
    assert separated_details(joined, other).notes == "своё"
    assert separated_details(joined_details(CustomerDetails(), other), other).notes == ""
    assert separated_details(CustomerDetails("новое"), other).notes == "новое"
