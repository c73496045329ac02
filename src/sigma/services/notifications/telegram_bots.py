"""The shop's Telegram bot: its token, and the link codes that members write to it.

Updates are fetched only while a code is awaited, by the job telegram_bot.poll: at other times the
bot may be used by another program.
"""

from dataclasses import dataclass, replace

import structlog

from sigma.channels.delivery_error import DeliveryError
from sigma.channels.telegram.client import API_URL, Update, is_token
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.change import Change, Job
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.notifications.address import LINK_CODE_TTL_US, find_code
from sigma.domain.notifications.kind import Way
from sigma.domain.notifications.telegram_bot import TelegramBot
from sigma.domain.time_units import SECOND_US
from sigma.outbound.policy import DeniedError
from sigma.outbound.urls import InvalidUrlError, parse_url
from sigma.services.context import Context
from sigma.services.notifications import links
from sigma.services.notifications.addresses import telegram_hashes
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.notifications import telegram_bots
from sigma.texts import Translator

log = structlog.get_logger()

POLL_PAUSE_US = 3 * SECOND_US
MAX_UPDATES, MAX_UPDATE_ID = 100, 2**53  # of one answer
_COLUMN = EncryptedColumn.TELEGRAM_TOKEN


@dataclass(frozen=True, slots=True)
class OpenBot:
    """A bot with its decrypted token."""

    bot: TelegramBot
    token: str

    @property
    def api_url(self) -> str:
        """The Bot API server of the bot."""
        return self.bot.api_url


async def open_bot(ctx: Context, shop_id: str) -> OpenBot | None:
    """Return the bot of a shop, None without one. Raises DecryptionError."""
    async with ctx.db.read() as tx:
        bot = await telegram_bots.find(tx, shop_id)
    if bot is None:
        return None
    return OpenBot(bot, str(ctx.cipher.decrypt(bot.token_encrypted, _COLUMN, bot.id)))


async def save(ctx: Context, member: Member, token: str, api_url: str = "") -> TelegramBot:
    """Store the token of a bot that Telegram knows. Empty `api_url`: Telegram's own server.

    Raises RefusedError("validation"): the token has another form or is refused (`detail`: the
    answer), the server does not respond or may not be connected to.
    """
    member.require(Permission.SETTINGS)
    token, api_url = token.strip(), api_url.strip().rstrip("/") or API_URL
    if not is_token(token):
        raise validation_error(Problem("token", "telegram_token"))
    try:
        ctx.outbound.check_url(parse_url(api_url, "https", "http"))
    except (InvalidUrlError, DeniedError):
        raise validation_error(Problem("api_url", "url")) from None
    try:
        profile = await ctx.telegram.fetch_profile(api_url, token)
    except DeliveryError as error:
        code = "telegram_refused" if error.is_permanent else "telegram_silent"
        raise validation_error(Problem("token", code, {"answer": error.reply})) from None
    async with ctx.db.write() as tx:
        # The shop's row, because there may be no bot yet: two forms must not add two.
        await shops.lock(tx, member.shop_id)
        stored = await telegram_bots.lock(tx, member.shop_id)
        bot_id = stored.id if stored else ctx.new_id("tgb", member.shop_id)
        bot = TelegramBot(
            bot_id,
            member.shop_id,
            ctx.cipher.encrypt(token, _COLUMN, bot_id),
            api_url,
            profile.username,
            version=stored.version if stored else 0,
        )
        await changes.write(tx, Change((bot,)), ctx.now_us())
        await audit_log.record(
            ctx, tx, member, Deed.TELEGRAM_BOT_CHANGED, bot_id, username=profile.username
        )
    return bot


async def remove(ctx: Context, member: Member) -> None:
    """Forget the bot of the shop. Raises RefusedError("not_found")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.write() as tx:
        if not await telegram_bots.remove(tx, member.shop_id):
            raise RefusedError("not_found", what="connection")
        await audit_log.record(ctx, tx, member, Deed.TELEGRAM_BOT_REMOVED, member.shop_id)


async def await_code(ctx: Context, member: Member) -> str:
    """Return a new link code for the shop's bot, and fetch its messages until the code expires.

    Raises RefusedError("not_found") without a bot.
    """
    async with ctx.db.read() as tx:
        if await telegram_bots.find(tx, member.shop_id) is None:
            raise RefusedError("not_found", what="connection")
    code = await links.create_code(ctx, member, Way.TELEGRAM)
    async with ctx.db.write() as tx:
        bot = await telegram_bots.lock(tx, member.shop_id)
        if bot is None:
            raise RefusedError("not_found", what="connection")
        now_us = ctx.now_us()
        awaiting = replace(bot, polled_until_us=now_us + LINK_CODE_TTL_US)
        job = Job("telegram_bot.poll", bot.shop_id, bot.shop_id)
        await changes.write(tx, Change((awaiting,), jobs=(job,)), now_us)
    return code


async def poll(ctx: Context, shop_id: str) -> int | None:
    """Job telegram_bot.poll: fetch new messages of the bot and link the chats whose code is right.

    Returns when to run again (UTC microseconds), None when no code is awaited.
    """
    opened = await open_bot(ctx, shop_id)
    if opened is None or opened.bot.polled_until_us <= ctx.now_us():
        return None
    next_run_us = ctx.now_us() + POLL_PAUSE_US
    try:
        updates = await ctx.telegram.fetch_updates(
            opened.api_url, opened.token, opened.bot.update_offset
        )
    except DeliveryError as error:
        log.info("telegram.updates_failed", shop=shop_id, error=error.reply)
        return next_run_us
    # Telegram returns no more at once; the server of a shop's own may return anything.
    updates = tuple(one for one in updates if 0 <= one.update_id < MAX_UPDATE_ID)[:MAX_UPDATES]
    for update in updates:
        await _accept(ctx, opened, update)
    if updates:
        await _store_offset(ctx, opened, max(one.update_id for one in updates) + 1)
    return next_run_us


async def _accept(ctx: Context, opened: OpenBot, update: Update) -> None:
    code = find_code(update.text)
    if not code or not update.chat_id:
        return
    shop_id = opened.bot.shop_id
    linked = await links.accept_code(
        ctx,
        code,
        way=Way.TELEGRAM,
        shop_id=shop_id,
        number=update.chat_id,
        address_hashes=telegram_hashes(ctx, update.chat_id),
        name=update.first_name,
    )
    if linked is None:
        return
    text = Translator(linked.user.locale).t("notifications.linked", shop=linked.shop.name)
    try:
        await ctx.telegram.send_message(opened.api_url, opened.token, update.chat_id, text)
    except DeliveryError as error:  # the page shows that the chat is linked
        log.info("telegram.greeting_failed", shop=shop_id, error=error.reply)


async def _store_offset(ctx: Context, opened: OpenBot, offset: int) -> None:
    async with ctx.db.write() as tx:
        bot = await telegram_bots.lock(tx, opened.bot.shop_id)
        # Another bot, connected meanwhile, has numbers of its own.
        if bot is not None and bot.token_encrypted == opened.bot.token_encrypted:
            await changes.write(tx, Change((replace(bot, update_offset=offset),)), ctx.now_us())


def chat_url(bot: TelegramBot, code: str) -> str:
    """Return the link that opens the bot and sends it a code."""
    return f"https://t.me/{bot.username}?start={code}"
