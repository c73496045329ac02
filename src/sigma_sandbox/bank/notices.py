"""Notices to merchants: sent at once, repeated at growing intervals for a day, never signed.

Source: yookassa.ru/developers/using-api/webhooks. Intervals are unpublished; ours double, up to
an hour.
"""

import asyncio
from typing import Any

import httpx
import msgspec
from msgspec.structs import replace

from sigma_sandbox import time_util
from sigma_sandbox.bank.store import Bank, Delivery, Json, Shop, Try
from sigma_sandbox.faults import Effect

FIRST_RETRY_MS = 10_000
MAX_RETRY_MS = 3_600_000
ANSWER_TIMEOUT_S = 10.0


class Notices:
    """The bank's postman. One task per notice; a restart takes the waiting ones up again."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._gathered: dict[str, list[Delivery]] = {}
        bank.on_event = self.tell

    def tell(self, shop: Shop, event: str, thing: Json) -> None:
        """Promise the merchant a notice of an event, with the object as it is now."""
        control = self._bank.control
        if shop.notification_url is None or event not in shop.events:
            return
        if control.take(Effect.NOTICES_OFF, event, shop.id):
            return
        notice = {"type": "notification", "event": event, "object": thing}
        delivery = Delivery(
            id=self._bank.new_id(shop.id, "0017-5000-b000"),
            shop_id=shop.id,
            url=shop.notification_url,
            event=event,
            object_id=thing["id"],
            body=msgspec.json.encode(notice).decode(),
            created_at=time_util.system_clock(),
        )
        self._bank.put_delivery(delivery)
        window_ms = control.take(Effect.NOTICES_REORDER_MS, event, shop.id)
        if window_ms is None:
            self._spawn(self._deliver(delivery))
        else:
            self._gather(delivery, window_ms)

    def resume(self) -> None:
        """Take up what was waiting when the sandbox stopped."""
        for delivery in self._bank.deliveries.values():
            if delivery.state == "waiting":
                self._spawn(self._deliver(delivery))

    async def close(self) -> None:
        """Stop; waiting notices stay in the books."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _gather(self, delivery: Delivery, window_ms: int) -> None:
        waiting = self._gathered.setdefault(delivery.shop_id, [])
        waiting.append(delivery)
        if len(waiting) == 1:
            self._spawn(self._send_reversed(delivery.shop_id, window_ms))

    async def _send_reversed(self, shop_id: str, window_ms: int) -> None:
        await asyncio.sleep(window_ms / 1000)
        for delivery in reversed(self._gathered.pop(shop_id)):
            if not await self._send(delivery):
                self._spawn(self._repeat(delivery.id))

    async def _deliver(self, delivery: Delivery) -> None:
        delay = self._bank.control.take(Effect.NOTICES_DELAY_MS, delivery.event, delivery.shop_id)
        await asyncio.sleep((delay or 0) / 1000)
        if not await self._send(delivery):
            await self._repeat(delivery.id)

    async def _repeat(self, delivery_id: str) -> None:
        delivery = self._bank.deliveries[delivery_id]
        said = self._bank.control.peek(Effect.NOTICES_RETRY_MS, delivery.shop_id)
        pause_ms = said or FIRST_RETRY_MS
        while time_util.system_clock() - delivery.created_at < time_util.DAY:
            await asyncio.sleep(pause_ms / 1000)
            if await self._send(delivery):
                return
            pause_ms = min(pause_ms * 2, MAX_RETRY_MS)
        self._bank.put_delivery(replace(self._bank.deliveries[delivery_id], state="given_up"))

    async def _send(self, delivery: Delivery) -> bool:
        """POST the notice, perhaps in several copies at once; 200 to any of them is enough."""
        copies = self._bank.control.take(Effect.NOTICES_DUPLICATE, delivery.event, delivery.shop_id)
        url = self._bank.shop(delivery.shop_id).notification_url or delivery.url
        answers = await asyncio.gather(
            *(self._post(url, delivery.body) for _ in range(copies or 1))
        )
        at = time_util.system_clock()
        known = self._bank.deliveries.get(delivery.id, delivery)
        state = "delivered" if "200" in answers else "waiting"
        tries = [*known.tries, *(Try(at, one) for one in answers)]
        self._bank.put_delivery(replace(known, url=url, state=state, tries=tries))
        return state == "delivered"

    async def _post(self, url: str, body: str) -> str:
        if self._client is None:
            # YooKassa accepts self-signed certificates of merchants, so does the sandbox.
            self._client = httpx.AsyncClient(verify=False, timeout=ANSWER_TIMEOUT_S)  # noqa: S501
        headers = {"Content-Type": "application/json", "User-Agent": "YooMoney-sandbox"}
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return str(answer.status_code)
