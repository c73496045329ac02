"""Answers on the receipt: only those that the seller chose, in each of its forms, never stored."""

import asyncio
import io
import re
import sqlite3
from dataclasses import replace
from html import unescape

import httpx
import pypdf

from sigma.documents.pdf import draw_pdf
from sigma.documents.pdf_cache import PdfCache
from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import Question, QuestionKind
from sigma.services.answer_codec import encrypt_values
from sigma.services.billing import payment_views
from tests import leaks
from tests.services.actions import list_mails, request_refund, run_until_idle
from tests.web.cabinet_harness import CabinetBrowser, set_role, visible_text
from tests.web.checkout_harness import open_client
from tests.world import World

QUESTIONS = (
    Question("email", QuestionKind.EMAIL, required=True),
    Question("address", QuestionKind.ADDRESS, show_on_receipt=True),
    Question("phone", QuestionKind.PHONE),
    Question("wish", QuestionKind.TEXT, "Пожелания", show_on_receipt=True),
    Question("gift", QuestionKind.CHECKBOX, "В подарок", show_on_receipt=True),
    Question("note", QuestionKind.TEXT, "Заметка", show_on_receipt=True),
)
ON_RECEIPT = ("Адрес", "Тверская, 1", "Пожелания", "только утром", "В подарок", "нет")
NOT_ON_RECEIPT = ("916", "Заметка")  # the phone was not chosen, the note not answered


async def pay(world: World) -> Payment:
    invoice = await world.create_invoice(questions=QUESTIONS)
    return await world.complete_payment(
        invoice, address="Тверская, 1", wish="только утром", note="", email="to@example.net"
    )


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def pdf_text(pdf: bytes) -> str:
    return plain(pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text())


async def test_chosen_answers_are_on_page_pdf_and_mail(world: World) -> None:
    payment = await pay(world)
    await run_until_idle(world)
    async with open_client(world) as client:
        page = visible_text((await client.get(f"/r/{payment.token}")).text)
        pdf = await client.get(f"/r/{payment.token}.pdf")
    mail = next(m for m in await list_mails(world, "to@example.net"))
    html = unescape(re.sub(r"<[^>]*>", " ", mail["html"]))
    async with httpx.AsyncClient() as http:
        attached = (await http.get(mail["attachments"][0]["url"])).content
    forms = {
        "page": plain(page),
        "pdf": pdf_text(pdf.content),
        "text": plain(mail["text"]),
        "html": plain(html),
        "attachment": pdf_text(attached),
    }
    for name, text in forms.items():
        slip = text.partition("Платёж")[2]
        assert all(fact in slip for fact in (*ON_RECEIPT, "Ваши данные")), name
        slip = slip.partition("Продавец")[0]  # the seller's own phone is chosen
        assert not any(fact in slip for fact in NOT_ON_RECEIPT), name


async def test_receipt_without_chosen_answers_has_no_such_part(world: World) -> None:
    payment = await world.complete_payment()
    async with open_client(world) as client:
        page = (await client.get(f"/r/{payment.token}")).text
    assert "Ваши данные" not in page
    assert "без лака" not in page


async def test_chosen_answers_are_stored_encrypted_only(world: World) -> None:
    await pay(world)
    await run_until_idle(world)
    tables = await leaks.dump_tables(world.ctx.db)
    for name, content in tables.items():
        assert "Тверская" not in content, name
        assert "только утром" not in content, name


async def test_answers_erased_from_their_row_leave_the_receipt(
    world: World, sqlite_database_url: str
) -> None:
    payment = await pay(world)
    async with open_client(world) as client:
        assert "Тверская" in pdf_text((await client.get(f"/r/{payment.token}.pdf")).content)
        with sqlite3.connect(sqlite_database_url.removeprefix("sqlite:///")) as con:
            (answers_id,) = con.execute("SELECT id FROM answers").fetchone()
            erased = encrypt_values(world.ctx.cipher, answers_id, {})
            con.execute("UPDATE answers SET values_encrypted = ?", (erased,))
        assert "Тверская" not in (await client.get(f"/r/{payment.token}")).text
        assert "Тверская" not in pdf_text((await client.get(f"/r/{payment.token}.pdf")).content)


async def test_pdf_is_drawn_again_only_when_the_payment_changes(world: World) -> None:
    drawn: list[str] = []

    def draw(source: str) -> bytes:
        drawn.append(source)
        return draw_pdf(source)

    world = replace(world, ctx=replace(world.ctx, pdf_cache=PdfCache(draw)))
    payment = await pay(world)
    async with open_client(world) as client, open_client(world, "en") as english:
        url = f"/r/{payment.token}.pdf"
        answers = await asyncio.gather(*(client.get(url) for _ in range(20)))
        await run_until_idle(world)  # the mail attaches the same PDF
        assert len({answer.content for answer in answers}) == len(drawn) == 1
        await english.get(url)
        assert len(drawn) == 2
        await request_refund(world, payment, 50_000, "Не подошёл цвет")
        await run_until_idle(world)
        after = pdf_text((await client.get(url)).content)
    assert "Итого после возвратов" not in pdf_text(answers[0].content)
    assert "−500,00 ₽" in after
    assert len(set(drawn)) == len(drawn)


async def test_receipt_link_is_hidden_from_roles_that_may_not_read_answers(
    world: World, owner_browser: CabinetBrowser
) -> None:
    chosen, other = await pay(world), await world.complete_payment()
    assert f"/r/{chosen.token}" in (await owner_browser.open(f"/payments/{chosen.id}")).text
    await set_role(world.ctx, Role.VIEWER)
    page = (await owner_browser.open(f"/payments/{chosen.id}")).text
    assert f"/r/{chosen.token}" not in page
    assert "скрыты для вашей роли" in visible_text(page)
    assert f"/r/{other.token}" in (await owner_browser.open(f"/payments/{other.id}")).text
    viewer = Member("usr_viewer", world.shop.id, Role.VIEWER)
    views = [await payment_views.get(world.ctx, viewer, p.id) for p in (chosen, other)]
    assert [view.is_receipt_hidden for view in views] == [True, False]
    listed = await payment_views.list_by_ids(world.ctx, viewer, [chosen.id, other.id])
    assert {v.payment.id: v.is_receipt_hidden for v in listed} == {
        chosen.id: True,
        other.id: False,
    }
