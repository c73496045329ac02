"""Refunds made outside Sigma, and failed ones, on pages and in the API."""

from sigma.domain.billing.payment import Attention
from sigma.services.billing import invoices, payments
from sigma.services.billing.payment_details import get_details
from sigma.services.billing.refund_sync import sync_refunds
from tests.services.actions import request_refund, run_until_idle
from tests.web.api_harness import ApiClient
from tests.web.cabinet_harness import CabinetBrowser, visible_text
from tests.world import World


def plain_text(page: str) -> str:
    return visible_text(page).replace("\u00a0", " ")


async def test_look_up_finds_a_refund_made_in_the_acquirers_cabinet(
    world: World, owner_browser: CabinetBrowser, api_client: ApiClient
) -> None:
    payment = await world.complete_payment()
    made = await world.refund_at_bank(payment, 30_000)
    before = plain_text((await owner_browser.open(f"/payments/{payment.id}")).text)
    assert "Проверить" in before, "a captured payment can be looked up"
    await owner_browser.submit(f"/payments/{payment.id}/ask")
    page = plain_text((await owner_browser.open(f"/payments/{payment.id}")).text)
    assert "в кабинете эквайера 300,00 ₽" in page
    assert "Возвращено 300,00 ₽ в кабинете эквайера" in page
    assert "Вся сумма: 1 200,00 ₽" in page
    receipt = plain_text((await api_client.http.get(f"/r/{payment.token}")).text)
    assert "Возврат через платёжную систему" in receipt
    assert "−300,00 ₽" in receipt
    assert "1 200,00 ₽" in receipt
    body = (await api_client.get(f"/payments/{payment.id}")).json()
    (refund,) = body["refunds"]
    assert body["refunded"]["value"] == "300.00"
    assert (refund["status"], refund["origin"]) == ("succeeded", "acquirer")
    assert refund["amount"] == {"value": "300.00", "currency": "RUB"}
    listed = (await api_client.get("/payments")).json()["data"]
    assert listed[0]["refunds"] == body["refunds"]
    full = (await api_client.get(f"/refunds/{refund['id']}")).json()
    assert (full["origin"], full["provider_id"]) == ("acquirer", made["id"])


async def test_chargeback_is_named_on_the_page_and_the_receipt(
    world: World, owner_browser: CabinetBrowser, api_client: ApiClient
) -> None:
    payment = await world.complete_payment()
    await world.charge_back(payment, 150_000)
    await sync_refunds(world.ctx, payment.id)
    page = plain_text((await owner_browser.open(f"/payments/{payment.id}")).text)
    assert "отозвал банк клиента" in page
    assert "Банк клиента отозвал 1 500,00 ₽" in page
    receipt = plain_text((await api_client.http.get(f"/r/{payment.token}")).text)
    assert "Возвращено по запросу банка" in receipt
    body = (await api_client.get(f"/payments/{payment.id}")).json()
    assert [refund["origin"] for refund in body["refunds"]] == ["chargeback"]


async def test_refund_of_money_refunded_elsewhere_is_refused_with_its_own_code(
    world: World, owner_browser: CabinetBrowser, api_client: ApiClient
) -> None:
    payment = await world.complete_payment()
    await world.refund_at_bank(payment, 150_000)
    await sync_refunds(world.ctx, payment.id)
    amount = {"amount": {"value": "1500.00", "currency": "RUB"}}
    path = f"/payments/{payment.id}/refunds"
    english = await api_client.post(path, amount)
    assert (english.status_code, english.json()["code"]) == (409, "already_refunded")
    assert "Already refunded" in english.json()["title"]
    russian = await api_client.post(path, amount, accept_language="ru")
    assert "возвращен" in russian.json()["title"]
    page = await owner_browser.submit(f"/payments/{payment.id}/refund", how="part", amount="100")
    assert "Уже возвращено в кабинете эквайера" in plain_text(page.text)


async def test_failed_refund_says_the_same_to_the_seller_and_the_program(
    world: World, owner_browser: CabinetBrowser, api_client: ApiClient
) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(refund_decline="insufficient_funds")
    refund = await request_refund(world, payment, 10_000)
    await run_until_idle(world)
    page = plain_text((await owner_browser.open(f"/payments/{payment.id}")).text)
    failure = (await api_client.get(f"/refunds/{refund.id}", accept_language="ru")).json()[
        "failure"
    ]
    assert failure["code"] == "insufficient_funds"
    assert "На вашем счёте у эквайера не хватает денег" in failure["message"]
    assert failure["message"] in page
    assert "На карте" not in page


async def test_rejected_payment_says_the_same_truth_to_each_reader(
    world: World, owner_browser: CabinetBrowser, api_client: ApiClient
) -> None:
    await world.set_acquirer_secret("wrong")
    payment = await world.start_payment()
    assert payment.failure == "rejected_credentials"
    page = plain_text((await owner_browser.open(f"/payments/{payment.id}")).text)
    failure = (await api_client.get(f"/payments/{payment.id}", accept_language="ru")).json()[
        "failure"
    ]
    assert "Эквайер не узнал магазин по ключу" in failure["message"]
    assert failure["message"] in page
    assert "Клиент увидел Платёжная система отклонила этот платёж" in page
    assert "Банк отклонил" not in page


async def test_late_payment_is_accepted_or_refunded_with_one_press(
    world: World, owner_browser: CabinetBrowser
) -> None:
    extra = []
    for _ in range(2):
        invoice = await world.create_invoice()
        pair = [await world.start_payment(invoice, payer=name) for name in ("a", "b")]
        for payment in pair:
            await world.pay(payment)
            payment = await payments.advance(world.ctx, payment.id)
        assert payment.attention is Attention.EXTRA
        extra.append(payment)
    accepted, refunded = extra
    page = plain_text((await owner_browser.open(f"/payments/{accepted.id}")).text)
    assert "Принять платёж" in page
    assert "Вернуть всё: 1 500,00 ₽" in page
    await owner_browser.submit(f"/payments/{accepted.id}/accept")
    page = plain_text((await owner_browser.open(f"/payments/{accepted.id}")).text)
    assert "Платёж принят" in page
    assert "Требует внимания" not in page
    assert (await invoices.get(world.ctx, world.member, accepted.invoice_id)).paid_count == 2
    for _ in range(2):
        answer = await owner_browser.submit(f"/payments/{refunded.id}/refund-all")
        assert answer.status_code in (200, 302, 303)
    await run_until_idle(world)
    details = await get_details(world.ctx, world.member, refunded.id)
    assert [(r.amount.minor, r.status) for r in details.refunds] == [(150_000, "succeeded")]
    assert details.payment.attention is None
