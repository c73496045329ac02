"""Programs, payers, VK clients and an operator who use Sigma, and what Sigma promised them.

They behave as people and programs do: what got no answer is sent again with the same idempotency
key or the same form. So a request may be cut, but nothing may happen twice.
"""

import asyncio
import random
import re
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from sigma.domain.money import Money
from sigma.services.clock import clock
from sigma.store.messaging import conversations
from tests.chaos.installation import ACCOUNT, Installation
from tests.web.checkout_harness import form_nonce, started_token

GOOD_CARDS = ("2202474301322987", "5555555555554444")
DECLINED_CARD = "5555555555554600"
REQUEST_TIMEOUT_S = 15.0
GIVE_UP_S = 120.0  # no answer for so long: something is stuck
BANK_PAGE = re.compile(r"/bank/checkout/([\w-]+)")
QUESTIONS = [{"key": "email", "required": True}, {"key": "phone"}]


@dataclass
class OperatorMessage:
    """An answer that Sigma accepted at `accepted_at_us`."""

    person_id: int
    group_id: int
    text: str
    accepted_at_us: int


@dataclass
class Journal:
    """What Sigma acknowledged, and how it answered. The audit compares Sigma with it."""

    invoice_ids: set[str] = field(default_factory=set)
    refund_ids: set[str] = field(default_factory=set)
    receipt_tokens: set[str] = field(default_factory=set)
    operator_messages: list[OperatorMessage] = field(default_factory=list)
    client_message_count: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """Number of requests by outcome: "answered", "cut", "unavailable" (503), "error" (another
    5xx)."""
    errors: list[str] = field(default_factory=list)
    last_cut: str = ""  # what the client of the last cut request met

    @property
    def request_count(self) -> int:
        """Number of requests that were sent."""
        return sum(self.answers.values())


class PatientClient:
    """An HTTP client that repeats a request until it is answered, as people and programs do."""

    def __init__(self, http: httpx.AsyncClient, journal: Journal) -> None:
        self.http = http
        self._journal = journal

    async def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send until the answer is neither an outage nor a conflict of two simultaneous requests.

        Raises TimeoutError without an answer after GIVE_UP_S.
        """
        deadline, pause_s = time.monotonic() + GIVE_UP_S, 0.1
        while time.monotonic() < deadline:
            response = await self._send(method, path, **more)
            if response is not None:
                return response
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 1.0)
        raise TimeoutError(f"{method} {path} was not answered in {GIVE_UP_S:.0f} s")

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        answers = self._journal.answers
        try:
            response = await self.http.request(method, path, **more)
        except httpx.TransportError as error:
            answers["cut"] += 1
            self._journal.last_cut = f"{method} {_route(path)}: {type(error).__name__} {error}"
            return None
        if response.status_code == 503:
            answers["unavailable"] += 1
            return None
        if response.status_code >= 500:
            answers["error"] += 1
            self._journal.errors.append(f"{method} {_route(path)}: {response.status_code}")
            return None
        answers["answered"] += 1
        return None if response.status_code == 409 and _is_in_flight(response) else response


def _route(path: str) -> str:
    """Return a path without its ids and tokens."""
    return re.sub(r"[\w-]{20,}", "…", path)


def _path(invoice: dict[str, Any]) -> str:
    return f"/i/{invoice['url'].rpartition('/')[2]}"


def _is_in_flight(response: httpx.Response) -> bool:
    return b"idempotency_in_flight" in response.content


class Crowd:
    """Everyone who uses Sigma at the same time, see `at_work`."""

    def __init__(self, installation: Installation, seed: int) -> None:
        self.journal = Journal()
        self._installation = installation
        self._random = random.Random(seed)
        self._stop = asyncio.Event()
        self._number = 0
        self.people: list[tuple[int, int, str]] = []  # VK's person, group; our conversation
        self.invoice_path = ""  # of an open invoice that nobody pays

    @asynccontextmanager
    async def at_work(self, *, payers: int = 2, people: int = 3) -> AsyncIterator[None]:
        """Introduce the VK clients, then let everyone act at random moments while the block runs.

        Afterwards everyone finishes what they are doing; a block that fails ends them at once.
        """
        async with self.open_client() as http:
            invoice = await self._create_invoice(PatientClient(http, self.journal))
        self.invoice_path = _path(invoice)
        await self._introduce(people)
        actors = [self._pay_once] * payers + [self._write_in_vk, self._answer]
        async with asyncio.TaskGroup() as group:
            for actor in actors:
                group.create_task(self._repeat(actor))
            yield
            self._stop.set()

    async def _repeat(self, actor: Callable[[], Awaitable[None]]) -> None:
        """Act until the stop. What must not happen is recorded and does not end the actor."""
        while not self._stop.is_set():
            try:
                await actor()
            except Exception as error:  # noqa: BLE001 - a finding, reported at the end
                frame = traceback.extract_tb(error.__traceback__)[-1]
                text = f"{type(error).__name__} in {frame.name}:{frame.lineno}: {error}"
                self.journal.errors.append(text[:2000])
            await asyncio.sleep(self._random.uniform(0.3, 1.5))

    def _next(self) -> int:
        self._number += 1
        return self._number

    def open_client(self) -> httpx.AsyncClient:
        """Return a browser or program with an address of its own; its connections live on."""
        number = self._next()
        address = f"198.18.{number // 250 % 250}.{number % 250 + 1}"
        return httpx.AsyncClient(
            base_url=self._installation.base_url,
            headers={"x-forwarded-for": address, "accept-language": "ru"},
            timeout=REQUEST_TIMEOUT_S,
            limits=httpx.Limits(keepalive_expiry=60),
        )

    def count_vk_answers(self) -> int:
        """Count the messages that VK's clients have got."""
        vk = self._installation.sandbox.vk
        return sum(
            message.is_outgoing
            for person_id, group_id, _ in self.people
            for message in vk.list_messages(group_id, person_id)
        )

    async def browse(self) -> None:
        """Look at pages and issue invoices for ever, on a connection that is kept alive."""
        async with self.open_client() as http:
            client = PatientClient(http, self.journal)
            while True:
                if self._random.random() < 0.3:
                    await self._create_invoice(client)
                else:
                    await client.request("GET", self.invoice_path)
                await asyncio.sleep(self._random.uniform(0, 0.3))

    # Payers and programs

    async def _pay_once(self) -> None:
        """A program issues an invoice; a payer opens it, pays and mostly returns; maybe a refund.

        A payer who does not return leaves it to the acquirer's notice.
        """
        async with self.open_client() as http:
            client = PatientClient(http, self.journal)
            invoice = await self._create_invoice(client)
            path = _path(invoice)
            bank_payment_id = await self._start_payment(client, path)
            if not bank_payment_id or self._random.random() < 0.05:
                return
            is_declined = self._random.random() < 0.1
            await self._pay_at_bank(
                bank_payment_id, DECLINED_CARD if is_declined else self._random.choice(GOOD_CARDS)
            )
            if is_declined or self._random.random() < 0.25:
                return
            await self._return_to_sigma(client, path)
            if self._random.random() < 0.4:
                await self._refund(client, invoice["id"], bank_payment_id)

    async def _create_invoice(self, client: PatientClient) -> dict[str, Any]:
        number = self._next()
        rubles = self._random.randint(100, 9000)
        body = {
            "title": f"Заказ {number}",
            "amount": {"value": f"{rubles}.00", "currency": "RUB"},
            "ask": QUESTIONS,
        }
        response = await self._call_api(client, "POST", "/invoices", json=body)
        self.journal.invoice_ids.add(response["id"])
        return response

    async def _call_api(
        self, client: PatientClient, method: str, path: str, **more: Any
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._installation.api_key}"}
        if method == "POST":
            headers["idempotency-key"] = f"chaos-{self._next()}"
        response = await client.request(method, f"/api/v1{path}", headers=headers, **more)
        assert response.is_success, response.text
        decoded: dict[str, Any] = response.json()
        return decoded

    async def _start_payment(self, client: PatientClient, path: str) -> str:
        """Fill the form; return the bank's payment id, "" when the bank was never reached."""
        page = await client.request("GET", path)
        form = {
            "email": f"client{self._next()}@example.net",
            "phone": "8 916 765-43-21",
            "consent": "yes",
            "nonce": form_nonce(page.text),
        }
        response = await client.request("POST", path, data=form)
        assert response.status_code == 303, (response.status_code, response.text[:2000])
        for _ in range(60):
            if found := BANK_PAGE.search(f"{response.headers.get('location', '')} {response.text}"):
                return found[1]
            await asyncio.sleep(0.5)
            response = await client.request("GET", self._wait_path(client, path))
        return ""

    def _wait_path(self, client: PatientClient, path: str) -> str:
        return f"{path}/wait/{started_token(client.http, path)}"

    async def _pay_at_bank(self, payment_id: str, card: str) -> None:
        sandbox = self._installation.sandbox
        url = f"{sandbox.base_url}/bank/test/payments/{payment_id}/pay"
        response = await self._installation.world.http.post(url, json={"card": card})
        assert response.is_success, response.text

    async def _return_to_sigma(self, client: PatientClient, path: str) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            response = await client.request("GET", self._wait_path(client, path))
            location = response.headers.get("location", "")
            if location.startswith("/r/"):
                receipt = await client.request("GET", location)
                assert receipt.status_code == 200, receipt.status_code
                self.journal.receipt_tokens.add(location.removeprefix("/r/"))
                return
            await asyncio.sleep(0.5)
        raise TimeoutError("the payer got no receipt")

    async def _refund(self, client: PatientClient, invoice_id: str, bank_payment_id: str) -> None:
        """Refund a part by the API, or in the acquirer's own cabinet."""
        page = await self._call_api(client, "GET", f"/payments?invoice_id={invoice_id}")
        paid = page["data"][0]
        amount_minor = Money.parse(paid["amount"]["value"], "RUB").minor
        part = Money(amount_minor // self._random.choice((1, 2, 3)))
        amount = {"value": part.to_decimal_text(), "currency": "RUB"}
        if self._random.random() < 0.2:
            world = self._installation.world
            response = await world.http.post(
                f"{world.sandbox.base_url}/bank/v3/refunds",
                json={"payment_id": bank_payment_id, "amount": amount},
                headers={"idempotence-key": f"cabinet-{self._next()}"},
                auth=(ACCOUNT, "test_secret"),
            )
            assert response.is_success, response.text
            return
        path = f"/payments/{paid['id']}/refunds"
        refund = await self._call_api(client, "POST", path, json={"amount": amount})
        self.journal.refund_ids.add(refund["id"])

    # VKontakte

    async def _introduce(self, people: int) -> None:
        """Let each client write first; wait for the conversation, which an operator can answer."""
        world, vk = self._installation.world, self._installation.sandbox.vk
        for number in range(people):
            for group_id, community_id in self._installation.community_groups.items():
                person_id = vk.add_person(f"Клиент {number}", "Чатов").id
                self._write_as_client(person_id, group_id)
                async with asyncio.timeout(GIVE_UP_S):
                    while True:
                        async with world.ctx.db.read() as tx:
                            stored = await conversations.find_by_peer(tx, community_id, person_id)
                        if stored is not None:
                            break
                        await asyncio.sleep(0.05)
                self.people.append((person_id, group_id, stored.id))

    def _write_as_client(self, person_id: int, group_id: int) -> None:
        text = f"Здравствуйте, вопрос {self._next()}"
        self._installation.sandbox.vk.write_message(person_id, group_id, text)
        self.journal.client_message_count += 1

    async def _write_in_vk(self) -> None:
        person_id, group_id, _ = self._random.choice(self.people)
        self._write_as_client(person_id, group_id)

    async def _answer(self) -> None:
        """Answer as the operator does: the form's key makes repetitions one message."""
        person_id, group_id, conversation_id = self._random.choice(self.people)
        text, key = f"Ответ {self._next()}", f"chaos-key-{self._next()}"
        async with self.open_client() as http:
            http.cookies["sigma_session"] = self._installation.session
            response = await PatientClient(http, self.journal).request(
                "POST",
                f"/inbox/{conversation_id}/send",
                data={"csrf": self._installation.csrf, "text": text, "key": key},
                headers={"origin": self._installation.base_url},
            )
        assert response.status_code == 303, (response.status_code, response.text[:500])
        message = OperatorMessage(person_id, group_id, text, clock())
        self.journal.operator_messages.append(message)
