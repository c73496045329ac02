"""Операции in the cabinet: the list, everything of one payment, money back, held money."""

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest

import sigma.domain
from sigma.domain.accounts.member import Role
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.billing.question import Kind, Question
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.money import Money
from sigma.services.billing import payments, refunds
from sigma.services.checkout import checkout
from sigma.texts import Words
from sigma_sandbox.app import Sandbox
from tests.web.cabinet_stage import Browser, fault, field, open_browser, words
from tests.world import World, open_world

ROW = re.compile(r'href="/payments/(pay_\w+)"')
ASK = (
    Question("email", Kind.EMAIL, required=True),
    Question("phone", Kind.PHONE),
    Question("wish", Kind.TEXTAREA, "Пожелания"),
    Question("size", Kind.MULTISELECT, "Размер", options=("S", "M")),
    Question("gift", Kind.CHECKBOX, "В подарок"),
)


def plain(page: str) -> str:
    return words(page).replace("\u00a0", " ")


async def kept(world: World, payment: Payment) -> tuple[Refund, ...]:
    return await refunds.of_payment(world.ctx, world.member, payment.id)


async def now(world: World, payment: Payment) -> Payment:
    return await payments.get(world.ctx, world.member, payment.id)


def become(database_url: str, role: Role) -> None:
    """Gives everybody another role."""
    with sqlite3.connect(database_url.removeprefix("sqlite:///")) as con:
        con.execute("UPDATE members SET role = ?", (str(role),))


async def test_details_show_every_answer_and_the_whole_story(world: World, owner: Browser) -> None:
    invoice = await world.invoice(questions=ASK)
    wish = "Без лака\n<script>alert(1)</script>"
    payment = await world.paid(invoice, wish=wish, size="M")
    await world.work()
    page = (await owner.open(f"/payments/{payment.id}")).text
    assert "<script>alert" not in page
    said = plain(page)
    for part in (
        "1 500,00 ₽",
        "Мир 2202 47** **** 2987",
        "client@example.net",
        "+7 916 765-43-21",
        "<script>alert(1)</script>",
        "Размер M",
        "В подарок нет",
        "Дано",
        "sigma-",
        "Клиент заполнил поля и перешёл к оплате",
        "Деньги списаны",
        "Чек, кому: c***@example.net",
        "Отправлено",
        "Ответ почтового сервера",
    ):
        assert part in said, part
    assert f"/r/{payment.token}.pdf" in page
    assert "+79167654321</textarea>" in page.replace("\n", ""), "what is copied is the number"


async def test_a_viewer_sees_no_personal_data_and_no_buttons(
    world: World, owner: Browser, sqlite_database_url: str
) -> None:
    payment = await world.paid()
    become(sqlite_database_url, Role.VIEWER)
    page = (await owner.open(f"/payments/{payment.id}")).text
    assert "client@example.net" not in page
    assert "765" not in words(page)
    assert "без лака" not in page
    assert "Личные данные скрыты" in words(page)
    assert "data-copy" not in page
    assert "Вернуть деньги" not in words(page)
    for path in ("refund", "refund/sure", "mail", "capture", "cancel"):
        answer = await owner.send(f"/payments/{payment.id}/{path}", how="whole", amount="1.00")
        assert answer.status_code == 403, path
    assert await kept(world, payment) == ()


async def test_money_goes_back_after_a_question_with_the_sum(world: World, owner: Browser) -> None:
    payment = await world.paid()
    here = f"/payments/{payment.id}"
    await owner.open(here)
    asked = await owner.send(f"{here}/refund", how="part", amount="500,5", reason="Передумал")
    assert asked.status_code == 200
    said = plain(asked.text)
    assert "Вернуть 500,50 ₽" in said
    assert "Мир 2202 47** **** 2987" in said
    assert "client@example.net" in said
    assert "Останется у вас 999,50 ₽" in said
    assert await kept(world, payment) == (), "a question is not a refund"
    sure = {n: field(asked.text, n) for n in ("nonce", "amount", "reason")}
    answer = await owner.send(f"{here}/refund/sure", **sure)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{here}#refunds"
    (refund,) = await kept(world, payment)
    assert (refund.amount, refund.reason) == (Money(50_050), "Передумал")
    await world.work()
    said = plain((await owner.open(here)).text)
    assert "Возвращён частично" in said
    assert "Решено вернуть 500,50 ₽ (вы)" in said
    assert "Возвращено 500,50 ₽" in said
    assert "Передумал" in said


async def test_a_double_click_gives_money_back_once(world: World, owner: Browser) -> None:
    payment = await world.paid()
    here = f"/payments/{payment.id}/refund"
    await owner.open(f"/payments/{payment.id}")
    page = (await owner.send(here, how="part", amount="100")).text
    sure = {n: field(page, n) for n in ("nonce", "amount", "reason")}
    answers = await asyncio.gather(*(owner.send(f"{here}/sure", **sure) for _ in range(8)))
    assert {a.status_code for a in answers} == {303}
    assert len(await kept(world, payment)) == 1
    assert (await owner.send(f"{here}/sure", **sure)).status_code == 303
    assert len(await kept(world, payment)) == 1
    other = await owner.send(f"{here}/sure", **(sure | {"amount": "200.00"}))
    assert other.status_code == 409
    assert "Этот возврат уже отправлен" in words(other.text)
    assert len(await kept(world, payment)) == 1


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("", "Заполните это поле."),
        ("сто", "Введите сумму цифрами, например 1500 или 1500,50."),
        ("0", "Сумма должна быть больше нуля."),
        ("1500,01", "Вернуть можно не больше 1 500,00 ₽. Уменьшите сумму."),
    ],
)
async def test_a_wrong_refund_keeps_what_was_typed(
    world: World, owner: Browser, amount: str, said: str
) -> None:
    payment = await world.paid()
    await owner.open(f"/payments/{payment.id}")
    answer = await owner.send(
        f"/payments/{payment.id}/refund", how="part", amount=amount, reason="Причина"
    )
    assert answer.status_code in (409, 422)
    assert fault(answer.text, "amount").replace("\u00a0", " ") == said
    assert field(answer.text, "amount") == amount
    assert field(answer.text, "reason") == "Причина"


async def test_a_refund_that_the_bank_declined_says_why(world: World, owner: Browser) -> None:
    payment = await world.paid()
    await world.control(refund_decline={"value": "insufficient_funds", "times": 1})
    await refunds.request(world.ctx, world.member, payment.id, Money(100), "")
    await world.work()
    said = plain((await owner.open(f"/payments/{payment.id}")).text)
    assert "Требует внимания" in said
    assert "На вашем счёте у эквайера не хватает денег" in said
    assert "Банк не вернул 1,00 ₽" in said
    assert (await kept(world, payment))[0].status is RefundStatus.FAILED


async def test_a_lost_answer_is_told_honestly_and_asked_again(world: World, owner: Browser) -> None:
    await world.control(cut_answer={"on": "create", "times": 1})
    payment = await world.started()
    assert payment.unknown
    here = f"/payments/{payment.id}"
    said = plain((await owner.open(here)).text)
    assert "Уточняется у банка" in said
    assert "Дважды деньги не спишутся" in said
    assert (await owner.send(f"{here}/ask")).status_code == 303
    said = plain((await owner.open(here)).text)
    assert "Банк ответил." in said
    assert "Уточняется у банка" not in said


async def test_an_extra_payment_calls_for_its_return(world: World, owner: Browser) -> None:
    invoice = await world.invoice()
    first, second = [await world.started(invoice, payer=f"browser-{n}") for n in (1, 2)]
    for payment in (first, second):
        await world.pay(payment)
        await payments.advance(world.ctx, payment.id)
    assert (await now(world, second)).attention is Attention.EXTRA
    page = (await owner.open(f"/payments/{second.id}")).text
    assert "Счёт уже был оплачен, это лишняя оплата. Верните её клиенту." in words(page)
    assert 'href="#refund"' in page
    listed = (await owner.open("/payments?attention=yes")).text
    assert set(ROW.findall(listed)) == {second.id}
    of_invoice = (await owner.open(f"/payments?invoice={invoice.id}")).text
    assert set(ROW.findall(of_invoice)) == {first.id, second.id}


async def test_the_list_is_searched_and_narrowed(world: World, owner: Browser) -> None:
    paid = await world.paid(await world.invoice(title="Букет"))
    waits = await world.started(await world.invoice(title="Торт"))
    page = (await owner.open("/payments")).text
    assert set(ROW.findall(page)) == {paid.id, waits.id}
    assert set(ROW.findall((await owner.open("/payments?q=букет")).text)) == {paid.id}
    assert set(ROW.findall((await owner.open("/payments?status=pending")).text)) == {waits.id}
    nothing = words((await owner.open("/payments?q=zzz")).text)
    assert "Ничего не нашлось" in nothing


async def test_an_empty_list_says_what_to_do_next(owner: Browser) -> None:
    page = (await owner.open("/payments")).text
    assert "Оплат пока нет" in words(page)
    assert page.count('href="/invoices/new"') == 1


async def test_a_decline_is_told_in_the_clients_words(world: World, owner: Browser) -> None:
    payment = await world.started()
    await world.pay(payment, "5555555555554600")
    await payments.advance(world.ctx, payment.id)
    said = words((await owner.open(f"/payments/{payment.id}")).text)
    assert "Отклонён банком" in said
    assert "На карте не хватает денег" in said
    assert "Слово банка: insufficient_funds" in said


async def test_the_receipt_is_mailed_again_on_request(world: World, owner: Browser) -> None:
    payment = await world.paid()
    await world.work()
    await owner.open(f"/payments/{payment.id}")
    answer = await owner.send(f"/payments/{payment.id}/mail")
    assert answer.headers["location"] == f"/payments/{payment.id}#mails"
    await world.work()
    details = await payments.details(world.ctx, world.member, payment.id)
    assert [m.number for m in details.mails if m.kind == "receipt"] == [1, 2]


async def test_held_money_is_taken_or_let_go(sqlite_database_url: str, sandbox: Sandbox) -> None:
    two_stage = {"two_stage": True}
    async with (
        open_world(sqlite_database_url, sandbox, connection=two_stage) as world,
        open_browser(world.ctx) as owner,
    ):
        await owner.sign_in("owner@example.org", world.password)
        held = [await world.started(await world.invoice()) for _ in range(2)]
        for payment in held:
            await world.pay(payment)
            await payments.advance(world.ctx, payment.id)
        taken, let_go = held
        page = plain((await owner.open(f"/payments/{taken.id}")).text)
        assert "Деньги удержаны на карте клиента" in page
        assert "Списать 1 500 ₽" in page
        assert "Отменить удержание 1 500,00 ₽?" in page
        assert (await owner.send(f"/payments/{taken.id}/capture")).status_code == 303
        assert "Деньги списаны. Клиент получит чек." in words(
            (await owner.open(f"/payments/{taken.id}")).text
        )
        await owner.send(f"/payments/{let_go.id}/cancel")
        assert (await now(world, taken)).status is Status.CAPTURED
        assert (await now(world, let_go)).status is Status.CANCELED
        again = await owner.send(f"/payments/{let_go.id}/capture")
        assert again.status_code == 409
        assert "не ждёт списания" in words(again.text)


@pytest.mark.parametrize("path", ["/payments/pay_nobody", "/payments/x", "/payments?invoice=x"])
async def test_what_is_not_here_is_not_found(owner: Browser, path: str) -> None:
    assert (await owner.open(path)).status_code == 404


def test_every_kind_of_happening_has_its_words() -> None:
    kinds = set()
    for noun in ("invoice", "payment", "refund"):
        source = (Path(sigma.domain.__file__).parent / f"{noun}.py").read_text()
        said = re.findall(
            r'(?<!invoices\.)happened\([^)]*?"([a-z]+)"(?: if \w+ else "([a-z]+)")?', source
        )
        kinds |= {f"{noun}.{word}" for pair in said for word in pair if word}
    kinds = {kind for kind in kinds if not kind.endswith((".system", ".client"))}
    statuses = (Status.PENDING, Status.AUTHORIZED, Status.CANCELED, Status.FAILED)
    kinds |= {f"payment.{s}" for s in statuses}
    kinds |= {f"payment.attention_{a}" for a in Attention}
    kinds |= {"invoice.paid", "payment.want_capture", "payment.want_cancel"}
    kinds |= {"refund.attention_contradiction", "refund.attention_refund_failed"}
    assert {"invoice.drafted", "payment.resumed", "refund.requested"} <= kinds
    words_ru = Words("ru")
    assert sorted(k for k in kinds if not words_ru.has(f"payments.happened.{k}")) == []


CYRILLIC = re.compile(r"[А-Яа-яЁё]+")


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_pages_keep_to_one_language_and_hold_no_script(
    world: World, owner: Browser, locale: str
) -> None:
    ask = (Question("email", Kind.EMAIL), Question("wish", Kind.TEXT, "Wish"))
    invoice = await world.invoice(title="Manicure", questions=ask, max_payments=5)
    payment = await world.paid(invoice, wish="red")
    await checkout.start(world.ctx, invoice.token, world.form("other", wish="blue"))
    await refunds.request(world.ctx, world.member, payment.id, Money(100), "changed")
    await world.work()
    await owner.send("/locale", locale=locale, next="/")
    pages = ["/invoices", "/invoices/new", f"/invoices/{invoice.id}", f"/payments/{payment.id}"]
    for path in (*pages, "/payments", "/invoices?q=zzz", "/payments?q=zzz"):
        page = (await owner.open(path)).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", page), path
        assert page.count("<h1>") == 1, path
        assert page.count('name="csrf"') == page.count('method="post"'), path
        if locale == "en":
            page = re.sub(r' srcdoc="[^"]*"|<p class="quote">.*?</p>', "", page)
            assert set(CYRILLIC.findall(words(page))) <= {"Студия", "Пётр", "Ю"}, path
