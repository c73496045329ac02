"""Whose payment it is, when a payment page is submitted."""

from collections.abc import Mapping

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import AnswerValue
from sigma.domain.customers.customer import IdentityKind, NameSource
from sigma.domain.customers.joining import Contact
from sigma.services.context import Context
from sigma.services.customers.attachment import (
    NO_NAME,
    OfferedName,
    attach,
    forget_if_empty,
    vk_contact,
)
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations


async def find_customer(
    ctx: Context,
    tx: Tx,
    invoice: Invoice,
    payment: Payment,
    answers: Mapping[str, AnswerValue],
) -> str | None:
    """Return the id of the customer who pays, or None when nothing is known of them.

    The invoice is locked. The conversation counts only if the signed payment link proves it.
    """
    name = answers.get("name")
    return await attach(
        ctx,
        tx,
        invoice.shop_id,
        await _contacts(tx, payment, answers),
        invoice_customer_id=None if invoice.is_shared_link else invoice.customer_id,
        name=OfferedName(name, NameSource.ANSWER) if isinstance(name, str) else NO_NAME,
    )


async def forget_mistyped(
    ctx: Context,
    tx: Tx,
    before: Payment | None,
    after: Payment,
    answers: Mapping[str, AnswerValue],
) -> None:
    """Delete the customer of a mistyped address, when the client has corrected the answers.

    Call it after the payment was written. `before`: the unfinished payment as it was.
    """
    if before is None or before.customer_id is None or after.customer_id is None:
        return
    if before.customer_id != after.customer_id:
        contacts = await _contacts(tx, after, answers)
        await forget_if_empty(ctx, tx, before.customer_id, after.customer_id, contacts)


async def _contacts(tx: Tx, payment: Payment, answers: Mapping[str, AnswerValue]) -> list[Contact]:
    contacts = [
        Contact(kind, value)
        for kind in (IdentityKind.EMAIL, IdentityKind.PHONE)
        if isinstance(value := answers.get(kind.value), str)
    ]
    if payment.conversation_id is not None:
        conversation = await conversations.get(tx, payment.conversation_id)
        if conversation is not None:
            contacts.append(vk_contact(conversation.peer_id))
    return contacts
