"""A stage for the contract: an acquirer's test world, with the people and the troubles in it."""

from enum import StrEnum
from typing import Protocol

from sigma.domain.billing.payment import Reply
from sigma.providers.base import Access, Provider


class Call(StrEnum):
    """What a trouble can happen to."""

    CREATE = "create"
    GET = "get"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    GET_REFUND = "get_refund"
    LIST = "list"
    LIST_REFUNDS = "list_refunds"
    CHECK = "check"


class Trouble(StrEnum):
    """What can go wrong between us and an acquirer. LOST ones happen after the work is done."""

    CUT_BEFORE = "cut_before"
    ERROR_BEFORE = "error_before"
    TOO_MANY = "too_many"
    SLOW = "slow"
    LOST_CUT = "lost_cut"
    LOST_ERROR = "lost_error"
    LOST_LATER = "lost_later"  # "still being done, ask again"
    LOST_GARBAGE = "lost_garbage"


SLOW_S = 0.3  # how long a SLOW answer takes; the contract waits less


class Stage(Protocol):
    """One per adapter. Every account it gives is fresh: nobody else has payments there."""

    provider: Provider
    mask: str  # of the card that `pay` pays with
    brand: str
    decline_reason: str  # of the card that `decline` uses

    def access(self) -> Access:
        """A fresh account."""

    def without_rights(self, access: Access) -> Access:
        """The same account with a secret that does not fit."""

    async def pay(self, access: Access, provider_id: str) -> None:
        """The client pays with a good card."""

    async def decline(self, access: Access, provider_id: str) -> None:
        """The client tries a card without money."""

    async def expire(self, access: Access) -> None:
        """The time for paying goes by."""

    async def forget_keys(self, access: Access) -> None:
        """So much time goes by that the operation keys are forgotten."""

    async def hold_refunds(self, access: Access) -> None:
        """The next refund is first pending and succeeds at the next question."""

    async def refuse_refunds(self, access: Access) -> None:
        """The next refund is refused by the client's bank."""

    async def trouble(self, access: Access, trouble: Trouble, call: Call) -> None:
        """The next such call meets this trouble, once."""

    async def misname(
        self, access: Access, call: Call, *, value: str = "", currency: str = ""
    ) -> None:
        """The next such call's answer names another sum or currency."""

    async def created(self, access: Access) -> int:
        """How many payments the account really has."""

    async def refunds(self, access: Access, provider_id: str) -> int:
        """How many refunds the payment really has."""

    def notice(self, reply: Reply) -> bytes:
        """What the acquirer would tell us of this payment."""
