"""A customer: one person who pays or writes, known by VK id, e-mail and phone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_NAME: Final = 200
MAX_NOTES: Final = 5000
MAX_TAGS: Final = 20
MAX_TAG: Final = 40


class IdentityKind(StrEnum):
    """What identifies a person. In the order of trust: see sigma.domain.customers.joining."""

    VK = "vk"  # the id of a VK user, which VK itself reports
    EMAIL = "email"
    PHONE = "phone"


class NameSource(StrEnum):
    """Where the name of a customer is from. A later source replaces an earlier one."""

    NONE = ""
    ANSWER = "answer"  # the question "name" of a payment page
    VK = "vk"  # the public profile
    MEMBER = "member"  # typed by a member of the shop


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of one shop. Times are UTC microseconds.

    `name_encrypted` decrypts to the name, empty while it is not known. `details_encrypted` decrypts
    to CustomerDetails. `photo_url` is of the public VK profile. `merged_into_id`: this customer was
    merged into another one and has no rows any more. `last_activity_at_us`: the last message from
    the customer or payment form.
    """

    id: str
    shop_id: str
    created_at_us: int
    last_activity_at_us: int
    name_encrypted: str = ""
    name_source: NameSource = NameSource.NONE
    details_encrypted: str = ""
    photo_url: str = ""
    merged_into_id: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """What members wrote about a customer. Personal data."""

    notes: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """A VK id, e-mail address or phone of a customer. Of one shop, it belongs to one customer.

    `identity_hash` is the keyed hash by which it is found. `value_encrypted` decrypts to the
    normalized value: a number as text, an address, a phone in E.164.
    """

    id: str
    shop_id: str
    customer_id: str
    kind: IdentityKind
    identity_hash: str
    value_encrypted: str
    created_at_us: int
    version: int = 0


def replaces_name(current: NameSource, offered: NameSource) -> bool:
    """Return whether a name from one source replaces the stored one.

    The same source replaces itself, except the answer of a payment page: anybody can type a known
    address with another name.
    """
    order = list(NameSource)
    if current is offered:
        return offered is not NameSource.ANSWER
    return order.index(offered) > order.index(current)
