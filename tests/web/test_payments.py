"""Payments in the cabinet: the list, the payment page, refunds, capture and cancel."""

import asyncio
import re
from pathlib import Path

import pytest

import sigma.domain
from sigma.domain.accounts.member import Role
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.money import Money
from sigma.services.billing import payments, refunds
from sigma.services.billing.payment_details import get_details
from sigma.services.checkout import checkout
from sigma.texts import Translator
from sigma_sandbox.app import Sandbox
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    open_browser,
    set_role,
    visible_text,
)
from tests.world import World, open_world

PAYMENT_LINK = re.compile(r'href="/payments/(pay_\w+)"')
QUESTIONS = (
    Question("email", QuestionKind.EMAIL, required=True),
    Question("phone", QuestionKind.PHONE),
    Question("wish", QuestionKind.TEXTAREA, "Пожелания"),
    Question("size", QuestionKind.MULTISELECT, "Размер", options=("S", "M")),
    Question("gift", QuestionKind.CHECKBOX, "В подарок"),
    Question("visit", QuestionKind.DATE, "Дата визита"),
)


def plain_text(page: str) -> str:
    return visible_text(page).replace("\u00a0", " ")


async def list_refunds(world: World, payment: Payment) -> tuple[Refund, ...]:
    return await refunds.list_for_payment(world.ctx, world.member, payment.id)


async def reload(world: World, payment: Payment) -> Payment:
    return await payments.get(world.ctx, world.member, payment.id)


async def test_payment_page_shows_all_answers_and_the_timeline(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice(questions=QUESTIONS)
    comment = "Без лака\n<script>alert(1)</script>"
    payment = await world.complete_payment(invoice, wish=comment, size="M", visit="2026-12-05")
    await world.run_jobs()
    page = (await owner_browser.open(f"/payments/{payment.id}")).text
    assert "<script>alert" not in page
    text = plain_text(page)
    for part in (
        "1 500,00 ₽",
        "Мир 2202 47** **** 2987",
        "client@example.net",
        "+7 916 765-43-21",
        "<script>alert(1)</script>",
        "Размер M",
        "В подарок нет",
        "Дата визита 5 декабря 2026",
        "Дано",
        "sigma-",
        "Клиент заполнил поля и перешёл к оплате",
        "Деньги списаны",
        "Квитанция, кому: c***@example.net",
        "Отправлено",
        "Ответ почтового сервера",
    ):
        assert part in text, part
    assert f"/r/{payment.token}.pdf" in page
    assert "+79167654321</textarea>" in page.replace("\n", ""), "the unformatted number is copied"


async def test_viewer_sees_no_personal_data_and_no_buttons(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    await set_role(world.ctx, Role.VIEWER)
    page = (await owner_browser.open(f"/payments/{payment.id}")).text
    assert "client@example.net" not in page
    assert "765" not in visible_text(page)
    assert "без лака" not in page
    assert "Личные данные скрыты" in visible_text(page)
    assert "data-copy" not in page
    assert "Вернуть деньги" not in visible_text(page)
    for path in ("refund", "refund/sure", "mail", "capture", "cancel"):
        response = await owner_browser.submit(
            f"/payments/{payment.id}/{path}", how="whole", amount="1.00"
        )
        assert response.status_code == 403, path
    assert await list_refunds(world, payment) == ()


async def test_refund_is_made_after_a_confirmation_with_the_amount(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    url = f"/payments/{payment.id}"
    await owner_browser.open(url)
    confirmation = await owner_browser.submit(
        f"{url}/refund", how="part", amount="500,5", reason="Передумал"
    )
    assert confirmation.status_code == 200
    text = plain_text(confirmation.text)
    assert "Вернуть 500,50 ₽" in text
    assert "Мир 2202 47** **** 2987" in text
    assert "client@example.net" in text
    assert "Останется у вас 999,50 ₽" in text
    assert await list_refunds(world, payment) == (), "the confirmation page must not refund"
    confirmed = {n: field_value(confirmation.text, n) for n in ("nonce", "amount", "reason")}
    response = await owner_browser.submit(f"{url}/refund/sure", **confirmed)
    assert response.status_code == 303
    assert response.headers["location"] == f"{url}#refunds"
    (refund,) = await list_refunds(world, payment)
    assert (refund.amount, refund.reason) == (Money(50_050), "Передумал")
    await world.run_jobs()
    text = plain_text((await owner_browser.open(url)).text)
    assert "Возвращён частично" in text
    assert "Запрошен возврат 500,50 ₽ (вы)" in text
    assert "Возвращено 500,50 ₽" in text
    assert "Передумал" in text


async def test_concurrent_submits_of_one_refund_make_one_refund(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    url = f"/payments/{payment.id}/refund"
    await owner_browser.open(f"/payments/{payment.id}")
    page = (await owner_browser.submit(url, how="part", amount="100")).text
    confirmed = {n: field_value(page, n) for n in ("nonce", "amount", "reason")}
    responses = await asyncio.gather(
        *(owner_browser.submit(f"{url}/sure", **confirmed) for _ in range(8))
    )
    assert {r.status_code for r in responses} == {303}
    assert len(await list_refunds(world, payment)) == 1
    assert (await owner_browser.submit(f"{url}/sure", **confirmed)).status_code == 303
    assert len(await list_refunds(world, payment)) == 1
    other = await owner_browser.submit(f"{url}/sure", **(confirmed | {"amount": "200.00"}))
    assert other.status_code == 409
    assert "Этот возврат уже отправлен" in visible_text(other.text)
    assert len(await list_refunds(world, payment)) == 1


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        ("", "Заполните это поле."),
        ("сто", "Введите сумму цифрами, например 1500 или 1500,50."),
        ("0", "Сумма должна быть больше нуля."),
        ("1500,01", "Вернуть можно не больше 1 500,00 ₽. Уменьшите сумму."),
    ],
)
async def test_invalid_refund_form_shows_an_error_and_keeps_the_input(
    world: World, owner_browser: CabinetBrowser, amount: str, error: str
) -> None:
    payment = await world.complete_payment()
    await owner_browser.open(f"/payments/{payment.id}")
    response = await owner_browser.submit(
        f"/payments/{payment.id}/refund", how="part", amount=amount, reason="Причина"
    )
    assert response.status_code in (409, 422)
    assert field_error(response.text, "amount").replace("\u00a0", " ") == error
    assert field_value(response.text, "amount") == amount
    assert field_value(response.text, "reason") == "Причина"


async def test_declined_refund_shows_the_reason(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(refund_decline={"value": "insufficient_funds", "times": 1})
    await refunds.request(world.ctx, world.member, payment.id, Money(100), "")
    await world.run_jobs()
    text = plain_text((await owner_browser.open(f"/payments/{payment.id}")).text)
    assert "Требует внимания" in text
    assert "На вашем счёте у эквайера не хватает денег" in text
    assert "Банк отклонил возврат 1,00 ₽" in text
    assert (await list_refunds(world, payment))[0].status is RefundStatus.FAILED


async def test_unknown_payment_is_shown_and_can_be_checked_again(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.inject_faults(cut_answer={"on": "create", "times": 1})
    payment = await world.start_payment()
    assert payment.is_outcome_unknown
    url = f"/payments/{payment.id}"
    text = plain_text((await owner_browser.open(url)).text)
    assert "Уточняется у банка" in text
    assert "Дважды деньги не спишутся" in text
    assert (await owner_browser.submit(f"{url}/ask")).status_code == 303
    text = plain_text((await owner_browser.open(url)).text)
    assert "Банк ответил." in text
    assert "Уточняется у банка" not in text


async def test_extra_payment_is_flagged_for_a_refund(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice()
    first, second = [await world.start_payment(invoice, payer=f"browser-{n}") for n in (1, 2)]
    for payment in (first, second):
        await world.pay(payment)
        await payments.advance(world.ctx, payment.id)
    assert (await reload(world, second)).attention is Attention.EXTRA
    page = (await owner_browser.open(f"/payments/{second.id}")).text
    assert "Примите лишний платёж или верните его клиенту." in visible_text(page)
    assert 'href="#refund"' in page
    listed = (await owner_browser.open("/payments?attention=yes")).text
    assert set(PAYMENT_LINK.findall(listed)) == {second.id}
    of_invoice = (await owner_browser.open(f"/payments?invoice={invoice.id}")).text
    assert set(PAYMENT_LINK.findall(of_invoice)) == {first.id, second.id}


async def test_payments_are_searched_and_filtered(
    world: World, owner_browser: CabinetBrowser
) -> None:
    paid = await world.complete_payment(await world.create_invoice(title="Букет"))
    pending = await world.start_payment(await world.create_invoice(title="Торт"))
    page = (await owner_browser.open("/payments")).text
    assert set(PAYMENT_LINK.findall(page)) == {paid.id, pending.id}
    search_page = (await owner_browser.open("/payments?q=букет")).text
    assert set(PAYMENT_LINK.findall(search_page)) == {paid.id}
    pending_page = (await owner_browser.open("/payments?status=pending")).text
    assert set(PAYMENT_LINK.findall(pending_page)) == {pending.id}
    empty_text = visible_text((await owner_browser.open("/payments?q=zzz")).text)
    assert "Ничего не найдено" in empty_text


async def test_empty_list_links_to_a_new_invoice(owner_browser: CabinetBrowser) -> None:
    page = (await owner_browser.open("/payments")).text
    assert "Платежей пока нет" in visible_text(page)
    assert page.count('href="/invoices/new"') == 1


async def test_declined_payment_shows_the_reason(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.start_payment()
    await world.pay(payment, "5555555555554600")
    await payments.advance(world.ctx, payment.id)
    text = visible_text((await owner_browser.open(f"/payments/{payment.id}")).text)
    assert "Отклонён банком" in text
    assert "На карте не хватает денег" in text
    assert "Код ответа банка: insufficient_funds" in text


async def test_receipt_is_mailed_again_on_request(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    await world.run_jobs()
    await owner_browser.open(f"/payments/{payment.id}")
    response = await owner_browser.submit(f"/payments/{payment.id}/mail")
    assert response.headers["location"] == f"/payments/{payment.id}#mails"
    await world.run_jobs()
    details = await get_details(world.ctx, world.member, payment.id)
    assert [m.number for m in details.mails if m.kind == "receipt"] == [1, 2]


async def test_authorized_payment_is_captured_or_canceled(
    sqlite_database_url: str, sandbox: Sandbox
) -> None:
    two_stage = {"two_stage": True}
    async with (
        open_world(sqlite_database_url, sandbox, connection=two_stage) as world,
        open_browser(world.ctx) as owner,
    ):
        await owner.sign_in("owner@example.org", world.password)
        authorized = [await world.start_payment(await world.create_invoice()) for _ in range(2)]
        for payment in authorized:
            await world.pay(payment)
            await payments.advance(world.ctx, payment.id)
        captured, canceled = authorized
        page = plain_text((await owner.open(f"/payments/{captured.id}")).text)
        assert "Деньги удержаны на карте клиента" in page
        assert "Списать 1 500 ₽" in page
        assert "Отменить удержание 1 500,00 ₽?" in page
        assert (await owner.submit(f"/payments/{captured.id}/capture")).status_code == 303
        assert "Деньги списаны. Клиент получит квитанцию." in visible_text(
            (await owner.open(f"/payments/{captured.id}")).text
        )
        await owner.submit(f"/payments/{canceled.id}/cancel")
        assert (await reload(world, captured)).status is Status.CAPTURED
        assert (await reload(world, canceled)).status is Status.CANCELED
        again = await owner.submit(f"/payments/{canceled.id}/capture")
        assert again.status_code == 409
        assert "не ждёт списания" in visible_text(again.text)


@pytest.mark.parametrize("path", ["/payments/pay_nobody", "/payments/x", "/payments?invoice=x"])
async def test_unknown_payment_or_invoice_is_not_found(
    owner_browser: CabinetBrowser, path: str
) -> None:
    assert (await owner_browser.open(path)).status_code == 404


def test_every_timeline_event_kind_has_a_text() -> None:
    kinds = set()
    for noun in ("invoice", "payment", "refund"):
        folder = Path(sigma.domain.__file__).parent / "billing"
        source = "".join(file.read_text() for file in sorted(folder.glob(f"{noun}*.py")))
        matches = re.findall(
            r'(?<!invoices\.)timeline_event\([^)]*?"([a-z]+)"(?: if \w+ else "([a-z]+)")?', source
        )
        kinds |= {f"{noun}.{verb}" for pair in matches for verb in pair if verb}
    kinds = {kind for kind in kinds if not kind.endswith((".system", ".client"))}
    statuses = (Status.PENDING, Status.AUTHORIZED, Status.CANCELED, Status.FAILED)
    kinds |= {f"payment.{s}" for s in statuses}
    kinds |= {f"payment.attention_{a}" for a in Attention}
    kinds |= {"invoice.paid", "invoice.opened"}
    kinds |= {"payment.capture_requested", "payment.cancel_requested"}
    kinds |= {"refund.attention_contradiction", "refund.attention_refund_failed"}
    assert {"invoice.drafted", "payment.resumed", "refund.requested"} <= kinds
    translator = Translator("ru")
    assert sorted(k for k in kinds if not translator.has(f"payments.event.{k}")) == []


CYRILLIC = re.compile(r"[А-Яа-яЁё]+")


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_pages_contain_one_language_and_no_inline_script(
    world: World, owner_browser: CabinetBrowser, locale: str
) -> None:
    questions = (Question("email", QuestionKind.EMAIL), Question("wish", QuestionKind.TEXT, "Wish"))
    invoice = await world.create_invoice(title="Manicure", questions=questions, max_payments=5)
    payment = await world.complete_payment(invoice, wish="red")
    await checkout.start(world.ctx, invoice.token, world.pay_form("other", wish="blue"))
    await refunds.request(world.ctx, world.member, payment.id, Money(100), "changed")
    await world.run_jobs()
    await owner_browser.submit("/locale", locale=locale, next="/")
    pages = ["/invoices", "/invoices/new", f"/invoices/{invoice.id}", f"/payments/{payment.id}"]
    for path in (*pages, "/payments", "/invoices?q=zzz", "/payments?q=zzz"):
        page = (await owner_browser.open(path)).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", page), path
        assert page.count("<h1>") == 1, path
        assert page.count('name="csrf"') == page.count('method="post"'), path
        if locale == "en":
            page = re.sub(r' srcdoc="[^"]*"|<p class="quote">.*?</p>', "", page)
            assert set(CYRILLIC.findall(visible_text(page))) <= {"Студия", "Пётр", "Ю"}, path
