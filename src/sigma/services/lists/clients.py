"""Who paid, for the rows of a list: name and photo, e-mail or phone as the role may see them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.answers import Answers
from sigma.domain.customers.customer import Customer, IdentityKind
from sigma.domain.customers.masking import mask_contact, mask_name
from sigma.services.answer_codec import read_values
from sigma.services.context import Context
from sigma.services.customers.codec import read_name
from sigma.services.platform import audit_log
from sigma.store.engine.interface import Tx
from sigma.store.lists import rows


@dataclass(frozen=True, slots=True)
class ClientLabel:
    """The client of a row; all parts may be empty.

    `contact` is the e-mail address or the phone. For a member who may not read answers name and
    contact are masked, and there is no photo.
    """

    name: str = ""
    photo_url: str = ""
    contact: str = ""
    customer_id: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.contact)


NO_CLIENT = ClientLabel()


async def list_labels(
    ctx: Context, tx: Tx, member: Member, subjects: Mapping[str, tuple[str | None, str | None]]
) -> dict[str, ClientLabel]:
    """Return the clients by the keys of `subjects`: key → (payment id, customer id)."""
    answers = await rows.latest_answers(tx, [one for one, _ in subjects.values() if one])
    customers = await rows.customers_by_id(tx, [one for _, one in subjects.values() if one])
    return {
        key: _label(ctx, member, answers.get(payment_id or ""), customers.get(customer_id or ""))
        for key, (payment_id, customer_id) in subjects.items()
    }


def _label(
    ctx: Context, member: Member, stored: Answers | None, customer: Customer | None
) -> ClientLabel:
    values = (read_values(ctx.cipher, stored) or {}) if stored else {}
    given = {key: value for key, value in values.items() if isinstance(value, str)}
    name, photo_url, customer_id = given.get("name", ""), "", ""
    if customer is not None:
        customer_id, photo_url = customer.id, customer.photo_url
        name = read_name(ctx.cipher, customer.id, customer.name_encrypted) or name
    kind = IdentityKind.EMAIL if given.get("email") else IdentityKind.PHONE
    contact = given.get(kind, "")
    if member.can(Permission.READ_ANSWERS):
        return ClientLabel(name, photo_url, contact, customer_id)
    masked = mask_contact(kind, contact) if contact else ""
    return ClientLabel(mask_name(name), "", masked, customer_id)


async def record_views(ctx: Context, member: Member, labels: list[ClientLabel]) -> None:
    """Record in the audit log that a list showed names and contacts: once an hour."""
    if member.can(Permission.READ_ANSWERS) and any(labels):
        await audit_log.record_answers_viewed(ctx, member)
