"""The one place where what happened becomes an event that others are informed about.

`store.changes` calls `announce_jobs` for every Change, so the job is written in the transaction of
the deed. Its subject is the id of a row of that Change: a timeline event, a client's message, a
mail. A receiver of another kind reads the same events.
"""

from sigma.domain.billing.mail import Mail
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.change import Change, Job, TimelineEvent
from sigma.domain.messaging.message import AUTHOR_CLIENT, Message
from sigma.domain.notifications.kind import Kind

# Mails that a client waits for.
CLIENT_MAILS = ("receipt", "refund")
_TIMELINE_KINDS = {
    "payment.captured": Kind.PAYMENT_RECEIVED,
    "refund.failed": Kind.REFUND_FAILED,
    "refund.charged_back": Kind.PAYMENT_ATTENTION,
    "community.key_broken": Kind.KEY_BROKEN,
}
# Reasons of a failed payment that are no fault of the client: the key is wrong or was revoked.
_SHOP_REJECTIONS = ("rejected_credentials", "rejected_forbidden")
_ATTENTION_PREFIXES = ("payment.attention_", "refund.attention_")


def kind_of_event(event: TimelineEvent) -> Kind | None:
    """Return what a timeline event is to members, None for one that nobody is notified about."""
    if event.kind.startswith(_ATTENTION_PREFIXES):
        # A failed refund is announced by the event `refund.failed` of the same change.
        is_failed_refund = event.kind.endswith("attention_refund_failed")
        return None if is_failed_refund else Kind.PAYMENT_ATTENTION
    if is_acquirer_key_broken(event):
        return Kind.KEY_BROKEN
    return _TIMELINE_KINDS.get(event.kind)


def is_acquirer_key_broken(event: TimelineEvent) -> bool:
    """Return whether a payment failed because the acquirer refuses the shop itself."""
    return event.kind == "payment.failed" and event.detail.get("reason") in _SHOP_REJECTIONS


def announce_jobs(change: Change) -> tuple[Job, ...]:
    """Return the jobs that announce what a Change says has happened."""
    return tuple(
        Job("notification.announce", row.id, row.shop_id)
        for row in change.rows
        if isinstance(row, TimelineEvent | Message | Mail) and _is_announced(row)
    )


def _is_announced(row: TimelineEvent | Message | Mail) -> bool:
    if isinstance(row, TimelineEvent):
        return kind_of_event(row) is not None
    if isinstance(row, Message):
        return row.version == 0 and row.author == AUTHOR_CLIENT
    return row.status is MailStatus.FAILED and row.kind in CLIENT_MAILS
