"""VK's Bots Long Poll: receive events without a public URL.

Source: dev.vk.ru/ru/api/bots-long-poll/getting-started. After `failed` 1 and 3 events may be
missing: read them from the history.
"""

from dataclasses import dataclass
from typing import Any

from sigma.channels.vk.client import VkClient, unreadable_response
from sigma.channels.vk.fields import read_int, read_objects, read_text

WAIT_S, MAX_WAIT_S = 25, 90
TIMEOUT_MARGIN_S = 10.0
HISTORY_OUTDATED, KEY_EXPIRED, POSITION_LOST = 1, 2, 3


@dataclass(frozen=True, slots=True)
class PollResult:
    """One long-poll response. `updates` are envelopes for `events.parse_event`.

    Store `ts` only after the updates are stored. `failure_code`: 0 none, 1 continue from `ts`,
    2 request a new key, 3 request a new key and `ts`.
    """

    ts: str
    updates: tuple[dict[str, Any], ...] = ()
    failure_code: int = 0


async def poll(vk: VkClient, server: str, key: str, ts: str, wait_s: int = WAIT_S) -> PollResult:
    """Wait up to `wait_s` seconds for events after `ts`. Raises RetryLaterError."""
    wait_s = min(max(wait_s, 1), MAX_WAIT_S)
    params = {"act": "a_check", "key": key, "ts": ts, "wait": str(wait_s)}
    url = server if "://" in server else f"https://{server}"
    response = await vk.long_poll(url, params, wait_s + TIMEOUT_MARGIN_S)
    # VK sends `ts` as a number after a failure.
    next_ts = read_text(response, "ts", 64) or str(read_int(response, "ts") or "")
    if failure_code := read_int(response, "failed"):
        return PollResult(next_ts or ts, failure_code=failure_code)
    if not next_ts or not isinstance(response.get("updates"), list):
        raise unreadable_response("a batch")
    return PollResult(next_ts, tuple(read_objects(response, "updates", 10_000)))
