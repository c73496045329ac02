"""To which customer a payment, an invoice or a conversation belongs. The rule of joining:

1. Each contact (VK id, e-mail, phone) belongs to at most one customer of a shop.
2. An invoice for one payment that was issued to a customer is theirs, whoever pays it. Otherwise
   the strongest contact decides: the VK id (VK itself reports it, or the signed payment link proves
   it), then the e-mail address, then the phone. Its customer is found, or created.
3. A weaker contact that nobody has yet becomes one of that customer.
4. A weaker contact of another customer changes nothing: relatives share phones, and anybody can
   type any address. Both customers are suggested as one person, and a member decides.

So no two customers are ever joined without a person. Only a new contact may be given to the wrong
customer; a split repairs that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sigma.domain.customers.customer import IdentityKind

# Locks are taken in this order too, so that two payments of one person never deadlock.
STRENGTH = tuple(IdentityKind)


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact as it arrives. `value` is normalized: a number as text, an address, E.164."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class Joining:
    """The decision. `customer_id` is None while nobody is known by any contact.

    `doubles`: customers who may be the same person, each with the kind of the shared contact.
    """

    customer_id: str | None
    doubles: tuple[tuple[str, IdentityKind], ...] = ()


def by_strength(contacts: Iterable[Contact]) -> list[Contact]:
    """Return the contacts that have a value, one for each kind, the strongest first."""
    by_kind = {contact.kind: contact for contact in contacts if contact.value}
    return [by_kind[kind] for kind in STRENGTH if kind in by_kind]


def join(
    owners: Sequence[tuple[IdentityKind, str]], invoice_customer_id: str | None = None
) -> Joining:
    """Decide whose row it is. See the rule of the module.

    `owners`: the kinds of the contacts, the strongest first, with the customer who has each.
    `invoice_customer_id`: to whom the invoice for one payment was issued.
    """
    customer_id = invoice_customer_id or next((owner for _, owner in owners), None)
    doubles: dict[str, IdentityKind] = {}
    for kind, owner in owners:
        if owner != customer_id:
            doubles.setdefault(owner, kind)
    return Joining(customer_id, tuple(doubles.items()))
