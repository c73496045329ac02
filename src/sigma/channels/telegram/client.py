"""The Telegram Bot API over HTTP: who the bot is, its new messages, sending.

Source: https://core.telegram.org/bots/api. The token is a part of the URL, so URLs are never
logged, and neither are the texts of messages. Telegram has no idempotency key: a message that is
sent again after a lost answer arrives twice.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from sigma.channels.delivery_error import NO_RESPONSE, DeliveryError
from sigma.channels.vk.fields import read_int, read_object, read_objects
from sigma.outbound import http
from sigma.outbound.urls import InvalidUrlError, parse_url

API_URL = "https://api.telegram.org"
TIMEOUT_S = 10.0
MAX_RESPONSE_BYTES = 2_000_000
MAX_TEXT_CHARS = 4000  # Telegram's limit is 4096
MAX_DESCRIPTION_CHARS = 200
_TOKEN = re.compile(r"[0-9]{5,16}:[A-Za-z0-9_-]{20,100}", re.ASCII)
_CONTROL_CHARS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_TEMPORARY = (409, 429)  # another program fetches updates; too many messages
_GONE = (
    "bot was blocked",
    "chat not found",
    "user is deactivated",
    "bot was kicked",
    "bot can't initiate conversation",
)

OpenClient = Callable[[str | None], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class BotProfile:
    """The bot that a token belongs to."""

    bot_id: int
    username: str


@dataclass(frozen=True, slots=True)
class Update:
    """A private message to the bot. `update_id` grows with each update."""

    update_id: int
    chat_id: int
    text: str
    first_name: str = ""


def is_token(text: str) -> bool:
    """Return whether a text has the form of a bot's token."""
    return _TOKEN.fullmatch(text) is not None


class TelegramClient:
    """Calls the Bot API for the bots of all shops. The HTTP client is opened at the first call."""

    def __init__(self, open_client: OpenClient) -> None:
        self._open_client = open_client
        self._http_client: httpx.AsyncClient | None = None

    async def fetch_profile(self, api_url: str, token: str) -> BotProfile:
        """Return the bot of a token. Raises DeliveryError."""
        result = await self._call(api_url, token, "getMe", {})
        profile = result if isinstance(result, dict) else {}
        username = profile.get("username")
        if not read_int(profile, "id") or not isinstance(username, str):
            raise DeliveryError("unreadable")
        return BotProfile(read_int(profile, "id"), username[:64])

    async def fetch_updates(self, api_url: str, token: str, offset: int) -> tuple[Update, ...]:
        """Return new private messages; updates before `offset` are confirmed by it and forgotten.

        Raises DeliveryError. An update of another kind is returned without a text.
        """
        fields = {"offset": offset, "timeout": 0, "allowed_updates": ["message"]}
        result = await self._call(api_url, token, "getUpdates", fields)
        return tuple(map(_parse_update, read_objects({"updates": result}, "updates")))

    async def send_message(self, api_url: str, token: str, chat_id: int, text: str) -> str:
        """Send a plain text; return the number of the message. Raises DeliveryError."""
        fields = {
            "chat_id": chat_id,
            "text": text[:MAX_TEXT_CHARS],
            "link_preview_options": {"is_disabled": True},
        }
        result = await self._call(api_url, token, "sendMessage", fields)
        number = read_int(result, "message_id") if isinstance(result, dict) else 0
        return f"ok, message {number}"

    async def close(self) -> None:
        """Close the HTTP client."""
        opened, self._http_client = self._http_client, None
        if opened is not None:
            await opened.aclose()

    async def _call(self, api_url: str, token: str, method: str, fields: dict[str, Any]) -> Any:
        assert is_token(token), "a stored token has been checked"
        if self._http_client is None:
            self._http_client = self._open_client(None)
        url = f"{api_url.rstrip('/')}/bot{token}/{method}"
        try:
            response = await http.send(
                self._http_client,
                "POST",
                url,
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_RESPONSE_BYTES,
                headers={"Content-Type": "application/json"},
                content=msgspec.json.encode(fields),
            )
        except http.NoResponseError:
            raise DeliveryError(NO_RESPONSE, is_response=False) from None
        try:
            body = msgspec.json.decode(response.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            is_response = response.status < 500
            raise DeliveryError(f"HTTP {response.status}", is_response=is_response)
        if body.get("ok") is True:
            return body.get("result")
        raise _refusal(response.status, body)


def destination(api_url: str) -> str:
    """Return the origin of a Bot API server: what a circuit breaker counts."""
    try:
        return parse_url(api_url, "https", "http").origin
    except InvalidUrlError:
        return "telegram:"


def _refusal(status: int, body: dict[str, Any]) -> DeliveryError:
    """Return the error of Telegram's answer, `{"ok": false, "error_code", "description"}`."""
    code = read_int(body, "error_code") or status
    description = body.get("description")
    text = description if isinstance(description, str) else ""
    text = _CONTROL_CHARS.sub(" ", text).strip()[:MAX_DESCRIPTION_CHARS]
    is_gone = code in (400, 403) and any(part in text.lower() for part in _GONE)
    return DeliveryError(
        f"{code} {text}".strip(),
        is_gone=is_gone,
        is_permanent=code < 500 and code not in _TEMPORARY,
        retry_after_s=min(read_int(read_object(body, "parameters"), "retry_after"), 3600),
        is_response=code < 500,
    )


def _parse_update(raw: dict[str, Any]) -> Update:
    message = read_object(raw, "message") or {}
    chat, sender = read_object(message, "chat") or {}, read_object(message, "from") or {}
    is_private = chat.get("type") == "private"
    text, name = message.get("text"), sender.get("first_name")
    return Update(
        read_int(raw, "update_id"),
        read_int(chat, "id") if is_private else 0,
        text if is_private and isinstance(text, str) else "",
        name[:64] if isinstance(name, str) else "",
    )
