"""View models of customers: titles, contacts, sums."""

from dataclasses import dataclass

from sigma.domain.customers.customer import IdentityKind
from sigma.domain.money import Money
from sigma.services.billing.customer_history import CustomerPayment
from sigma.services.customers.customer_views import ContactView, CustomerRow
from sigma.texts import Translator
from sigma.web.cabinet.payments.view_models import AnswerText, answer_row


@dataclass(frozen=True, slots=True)
class ContactText:
    """A contact as text. `label`: its kind; `url`: of the VK profile, empty for others."""

    id: str
    label: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class CustomerItem:
    """A customer in a list. `title` is never empty; `totals` are what stays after refunds."""

    id: str
    title: str
    photo_url: str
    contacts: list[ContactText]
    payment_count: int
    totals: list[Money]
    last_activity_at_us: int


def contact_text(contact: ContactView, translator: Translator, *, is_masked: bool) -> ContactText:
    """Return a contact as people write it."""
    text, url = contact.text, ""
    if contact.kind is IdentityKind.PHONE and not is_masked:
        text = translator.phone(text) or text
    if contact.kind is IdentityKind.VK and not is_masked:
        text = f"id{contact.text}"
        url = f"https://vk.com/{text}"
    return ContactText(contact.id, translator.t(f"customers.by_{contact.kind}"), text, url)


def customer_item(row: CustomerRow, translator: Translator) -> CustomerItem:
    """Return a customer for a list. Without a name the first contact is the title."""
    contacts = [contact_text(one, translator, is_masked=row.is_masked) for one in row.contacts]
    title = row.name
    if not title and contacts:
        title, contacts = contacts[0].text, contacts[1:]
    return CustomerItem(
        id=row.customer.id,
        title=title or translator.t("customers.nameless"),
        photo_url=row.photo_url,
        contacts=contacts,
        payment_count=sum(one.payment_count for one in row.sums),
        totals=[one.total for one in row.sums],
        last_activity_at_us=row.customer.last_activity_at_us,
    )


def given_answers(payment: CustomerPayment, translator: Translator) -> list[AnswerText]:
    """Return the answers that have a text."""
    rows = [answer_row(one, translator) for one in payment.answers]
    return [one for one in rows if one.text]
