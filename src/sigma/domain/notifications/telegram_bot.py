"""The shop's own Telegram bot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TelegramBot:
    """One bot per shop. `api_url`: the Bot API server, Telegram's or the shop's own.

    `update_offset`: number of the next update to fetch. `polled_until_us`: until then a link code
    may arrive, so updates are fetched; at other times the bot is never called for them.
    """

    id: str
    shop_id: str
    token_encrypted: str
    api_url: str
    username: str = ""
    update_offset: int = 0
    polled_until_us: int = 0
    version: int = 0
