"""The words of a notification. They name amounts and invoice numbers, never clients.

A notification passes the servers of VK, Telegram, Apple or Google and shows on a locked screen:
names, contacts, answers and texts of clients stay in the cabinet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sigma.domain.notifications.kind import Kind
from sigma.domain.notifications.notification import (
    ACQUIRER_KEY,
    Notification,
    Summary,
    summarize,
)
from sigma.texts import Translator

_PATHS = {
    Kind.PAYMENT_RECEIVED: ("/payments/{id}", "/payments"),
    Kind.CLIENT_MESSAGE: ("/inbox/{id}", "/inbox"),
    Kind.REFUND_FAILED: ("/payments/{id}", "/board"),
    Kind.PAYMENT_ATTENTION: ("/payments/{id}", "/board"),
    Kind.RECEIPT_NOT_SENT: ("/payments/{id}", "/board"),
    Kind.KEY_BROKEN: ("/vk/{id}", "/vk"),
    Kind.WAY_BROKEN: ("/settings/notifications", "/settings/notifications"),
}


@dataclass(frozen=True, slots=True)
class NotificationText:
    """`title`: what happened; `body`: more about it; `url`: the page of the cabinet."""

    title: str
    body: str
    url: str

    @property
    def plain(self) -> str:
        """The whole message for a chat."""
        return "\n".join(part for part in (self.title, self.body, self.url) if part)


def render(
    notifications: Sequence[Notification], shop_name: str, base_url: str, translator: Translator
) -> NotificationText:
    """Return the message of a delivery."""
    summaries = summarize(notifications)
    titles = [_title(summary, translator) for summary in summaries]
    if len(summaries) == 1:
        body = [_body(summaries[0], translator), shop_name]
        url = base_url + _path(summaries[0])
        return NotificationText(titles[0], _join(body), url)
    title = translator.plural(len(notifications), "notifications.title_many")
    return NotificationText(title, "\n".join([*titles, shop_name]), f"{base_url}/board")


def render_trial(shop_name: str, base_url: str, translator: Translator) -> NotificationText:
    """Return the message of the test button."""
    return NotificationText(
        translator.t("notifications.test_title"),
        translator.t("notifications.test_body", shop=shop_name),
        f"{base_url}/settings/notifications",
    )


def _title(summary: Summary, translator: Translator) -> str:
    values = {"sum": translator.join_names([translator.money(one) for one in summary.sums])}
    if summary.count > 1:
        key = f"notifications.many.{summary.kind}"
        return translator.plural(summary.count, key, **values)
    if _is_acquirer_key(summary):
        return translator.t("notifications.one.acquirer_key_broken")
    return translator.t(f"notifications.one.{summary.kind}", **values)


def _is_acquirer_key(summary: Summary) -> bool:
    first = summary.first
    is_acquirer = first is not None and first.detail == ACQUIRER_KEY
    return summary.kind is Kind.KEY_BROKEN and is_acquirer


def _body(summary: Summary, translator: Translator) -> str:
    first = summary.first
    assert first is not None, "a summary has at least one notification"
    if summary.count > 1:
        return ""
    if summary.kind is Kind.WAY_BROKEN:
        way = translator.t(f"notifications.way.{first.detail}")
        return translator.t("notifications.way_broken_body", way=way)
    parts = []
    if first.invoice_number:
        parts.append(translator.t("notifications.invoice", number=first.invoice_number))
    reason = f"mail.attention.{first.detail}"
    if summary.kind is Kind.PAYMENT_ATTENTION and translator.has(reason):
        parts.append(translator.t(reason, sum=first.amount))
    return "\n".join(parts)


def _join(parts: Sequence[str]) -> str:
    return "\n".join(part for part in parts if part)


def _path(summary: Summary) -> str:
    one, many = _PATHS[summary.kind]
    if _is_acquirer_key(summary):
        one = many = "/settings/connections/{id}"
    assert summary.first is not None
    path = one if summary.count == 1 else many
    return path.format(id=summary.first.subject_id)
