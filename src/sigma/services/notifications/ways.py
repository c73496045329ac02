"""Send one message by one way to one address. Every way raises the same DeliveryError.

What a repeated attempt does, when the answer of the first one was lost:
- VK: nothing. The `random_id` is the same, and after an hour the history is searched for it.
- Push: the browser replaces the message with itself, because its tag is the same.
- E-mail: the same words with the same Message-ID may arrive twice.
- Telegram: the message may arrive twice, its API has no idempotency key.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import urlsplit

import msgspec

from sigma.channels.delivery_error import DeliveryError
from sigma.channels.email import MailRejectedError, OutgoingMail
from sigma.channels.push import web_push
from sigma.channels.telegram import client as telegram
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.client import VkClient
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, VkError
from sigma.channels.vk.errors import RetryLaterError as VkRetryLaterError
from sigma.channels.vk.fields import read_flag, read_int
from sigma.documents.mails import notification_mail
from sigma.domain.accounts.member import User
from sigma.domain.accounts.shop import Shop
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.message_changes import BLOCKING_CODES
from sigma.domain.notifications.address import Address
from sigma.domain.notifications.kind import Way
from sigma.domain.time_units import SECOND_US
from sigma.domain.urls import is_https_url
from sigma.services.billing.mails import smtp_url_of
from sigma.services.context import Context
from sigma.services.notifications import addresses, telegram_bots
from sigma.services.notifications.rendering import NotificationText
from sigma.services.vk import community_client
from sigma.texts import Translator

MAX_REPLY_CHARS = 200
NO_SERVER = "no_server"


@dataclass(frozen=True, slots=True)
class OutgoingNotification:
    """A message that is ready to be sent. `is_repeated`: an earlier attempt may have arrived."""

    id: str
    shop: Shop
    user: User
    text: NotificationText
    random_id: int
    is_repeated: bool = False


async def send(
    ctx: Context, way: Way, outgoing: OutgoingNotification, address: Address | None
) -> str:
    """Send by a way and return the answer of its service, as it is shown.

    `address` is None for e-mail only. Raises DeliveryError; CircuitOpenError in a job while the
    service does not respond; DecryptionError.
    """
    if way is Way.EMAIL:
        return await _send_mail(ctx, outgoing)
    assert address is not None, "only e-mail needs no address"
    send_to = {Way.VK: _send_vk, Way.PUSH: _send_push, Way.TELEGRAM: _send_telegram}[way]
    return await send_to(ctx, outgoing, address)


async def _send_vk(ctx: Context, outgoing: OutgoingNotification, address: Address) -> str:
    peer_id = addresses.number_of(ctx, address)
    try:
        client = await community_client.open_client(ctx, address.connection_id)
        if outgoing.is_repeated and await _is_in_history(client.api, peer_id, outgoing.random_id):
            return "ok"
        sent = await vk_messages.send(client.api, peer_id, outgoing.text.plain, outgoing.random_id)
    except RefusedError as error:
        raise DeliveryError(error.code, is_permanent=True) from None
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, address.connection_id, error)
        raise DeliveryError(_vk_reply(error)) from None
    except VkRetryLaterError as error:
        raise DeliveryError(_vk_reply(error), retry_after_s=error.retry_after_s) from None
    except PermanentError as error:
        is_final = not error.is_outcome_unknown  # else the next attempt searches the history
        is_gone = is_final and error.code in BLOCKING_CODES
        raise DeliveryError(_vk_reply(error), is_gone=is_gone, is_permanent=is_final) from None
    return f"ok, message {sent.cmid or sent.message_id}"


def _vk_reply(error: VkError) -> str:
    return f"{error.code} {error.detail}".strip()[:MAX_REPLY_CHARS]


async def _is_in_history(api: VkClient, peer_id: int, random_id: int) -> bool:
    """Return whether a message arrived whose answer was lost. Raises VkError."""
    return any(
        read_flag(one, "out") and read_int(one, "random_id") == random_id
        for one in await vk_messages.fetch_history(api, peer_id)
    )


async def _send_push(ctx: Context, outgoing: OutgoingNotification, address: Address) -> str:
    subscription = addresses.subscription_of(ctx, address)
    text = outgoing.text
    payload = {
        "title": text.title[:200],
        "body": text.body[:600],
        "url": text.url,
        "tag": outgoing.id,
    }
    contact = ctx.settings.base_url
    if not is_https_url(contact):
        contact = f"mailto:{parseaddr(ctx.settings.mail_from)[1]}"

    async def call() -> str:
        return await ctx.push.send(
            addresses.server_key(ctx),
            subscription,
            msgspec.json.encode(payload),
            contact,
            ctx.now_us() // SECOND_US,
        )

    return await _guarded(ctx, web_push.destination(subscription), call)


async def _send_telegram(ctx: Context, outgoing: OutgoingNotification, address: Address) -> str:
    opened = await telegram_bots.open_bot(ctx, address.shop_id)
    if opened is None:
        raise DeliveryError("no_bot", is_gone=True)
    chat_id = addresses.number_of(ctx, address)

    async def call() -> str:
        return await ctx.telegram.send_message(
            opened.api_url, opened.token, chat_id, outgoing.text.plain
        )

    return await _guarded(ctx, telegram.destination(opened.api_url), call)


async def _send_mail(ctx: Context, outgoing: OutgoingNotification) -> str:
    shop, user = outgoing.shop, outgoing.user
    mailer = ctx.mailer_factory(smtp_url_of(ctx, shop))
    if mailer is None:
        raise DeliveryError(NO_SERVER, is_permanent=True)
    text = outgoing.text
    body = notification_mail(
        text.title, text.body, text.url, shop, Translator(user.locale, shop.tz)
    )
    host = urlsplit(ctx.settings.base_url).hostname or "localhost"
    mail = OutgoingMail(
        to=user.login,
        from_address=parseaddr(ctx.settings.mail_from)[1],
        from_name=shop.mail_from_name or shop.name,
        reply_to=shop.mail_reply_to or shop.seller.email,
        subject=body.subject,
        text=body.text,
        html=body.html,
        message_id=f"<{outgoing.id}@{host}>",
    )

    async def call() -> str:
        try:
            return await mailer.send(mail)
        except MailRejectedError as error:
            raise DeliveryError(
                error.reply[:MAX_REPLY_CHARS],
                is_permanent=error.is_permanent,
                is_response=error.is_from_server,
            ) from None

    return await _guarded(ctx, mailer.destination, call)


async def _guarded(ctx: Context, destination: str, call: Callable[[], Awaitable[str]]) -> str:
    """Call through the circuit breaker of a destination; a test by a person is always tried."""
    if ctx.job is None:
        return await call()
    return await ctx.circuits.call(
        destination,
        call,
        lane=ctx.lane,
        now_us=ctx.now_us,
        is_response=lambda error: isinstance(error, DeliveryError) and error.is_response,
    )
