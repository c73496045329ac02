"""Record a payment that the acquirer has and Sigma lacks: by our ids in its metadata.

Both functions only give Sigma a payment with the acquirer's id. What the acquirer says about it is
recorded afterwards by `payments.advance`, as for every payment.
"""

import re
from dataclasses import replace

from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment, PaymentReply, Status, timeline_event
from sigma.domain.change import Change, Job, NewId

_PAYMENT_ID = re.compile(r"pay_[0-9a-z]{23}", re.ASCII)
_SHOP_PART = slice(15, 19)  # of an id: see sigma.services.ids


def link(payment: Payment, provider_id: str, now_us: int, new_id: NewId, actor: str) -> Change:
    """Give a payment the id that the acquirer has for it; an empty Change if it has one.

    The caller must hold the invoice lock.
    """
    if payment.provider_id is not None:
        return Change()
    linked = replace(payment, provider_id=provider_id)
    return _with_event(linked, now_us, new_id, actor)


def recreate(
    reply: PaymentReply,
    invoice: Invoice,
    connection: Connection,
    *,
    is_duplicate: bool,
    token: str,
    now_us: int,
    new_id: NewId,
    actor: str,
) -> Change:
    """Return a new payment of the invoice for a payment of the acquirer without a row in Sigma.

    It keeps its former id, for example after a restore from a backup; a duplicate gets a new one.
    The client's answers and e-mail address are unknown. `token` is a new public token.
    """
    keeps_id = not is_duplicate and _is_payment_id(reply.payment_id, invoice.shop_id)
    payment = Payment(
        id=reply.payment_id if keeps_id else new_id("pay"),
        shop_id=invoice.shop_id,
        invoice_id=invoice.id,
        connection_id=connection.id,
        provider=connection.provider,
        operation_key=new_id("op"),
        token=token,
        amount=invoice.amount,
        status=Status.CREATED,
        created_at_us=reply.created_at_us or now_us,
        provider_id=reply.provider_id,
        form_nonce=f"acquirer:{reply.provider_id}",
        service_id=invoice.service_id,
        issued_by=invoice.created_by,
    )
    return _with_event(payment, now_us, new_id, actor)


def _is_payment_id(text: str, shop_id: str) -> bool:
    is_of_shop = text[_SHOP_PART] == shop_id[_SHOP_PART]
    return _PAYMENT_ID.fullmatch(text) is not None and is_of_shop


def _with_event(payment: Payment, now_us: int, new_id: NewId, actor: str) -> Change:
    event = timeline_event(payment, "found_at_acquirer", now_us, new_id, actor)
    job = Job("payment.advance", payment.id, payment.shop_id, 0, payment.connection_id)
    return Change((payment, event), jobs=(job,))
