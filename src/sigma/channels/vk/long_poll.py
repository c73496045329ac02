"""Events that we ask for ourselves: no public address is needed.

Source: dev.vk.ru/ru/api/bots-long-poll/getting-started. After `failed` 1 and 3 something may be
missed: the history tells it.
"""

from dataclasses import dataclass
from typing import Any

from sigma.channels.vk.client import Vk, unreadable
from sigma.channels.vk.fields import number, objects, text

WAIT_S, MAX_WAIT_S = 25, 90
GRACE_S = 10.0
LOST_SOME, KEY_EXPIRED, ALL_NEW = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Batch:
    """`updates` are envelopes for `events.envelope`; keep `ts` only when they are kept.

    `failed`: 0, or 1 go on from `ts`, 2 ask for a new key, 3 ask for a new key and moment.
    """

    ts: str
    updates: tuple[dict[str, Any], ...] = ()
    failed: int = 0


async def check(vk: Vk, server: str, key: str, ts: str, wait: int = WAIT_S) -> Batch:
    """Waits up to `wait` seconds for events after `ts`. Raises Later."""
    wait = min(max(wait, 1), MAX_WAIT_S)
    asked = {"act": "a_check", "key": key, "ts": ts, "wait": str(wait)}
    url = server if "://" in server else f"https://{server}"
    said = await vk.listen(url, asked, wait + GRACE_S)
    now = text(said, "ts", 64) or str(number(said, "ts") or "")  # a number after a failure
    if failed := number(said, "failed"):
        return Batch(now or ts, failed=failed)
    if not now or not isinstance(said.get("updates"), list):
        raise unreadable("a batch")
    return Batch(now, tuple(objects(said, "updates", 10_000)))
