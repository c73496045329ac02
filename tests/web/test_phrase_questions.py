"""The preview of an invoice phrase: its questions are answered with one press."""

from datetime import timedelta
from html import unescape

import pytest

from sigma.domain.billing.invoice import Invoice
from sigma.domain.catalogue.service import PriceKind, ServiceFields
from sigma.domain.local_time import local_date, local_time
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser, field_value, visible_text

MOSCOW = "Europe/Moscow"


@pytest.fixture
async def vk_world(vk_world: VkWorld) -> VkWorld:
    """A shop with a VK community and one conversation."""
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    return vk_world


@pytest.fixture
def owner_browser(vk_owner_browser: CabinetBrowser) -> CabinetBrowser:
    """A browser with the owner of this shop signed in."""
    return vk_owner_browser


class PhrasePreview:
    """The preview of one phrase; `answer` presses a button of it."""

    def __init__(self, browser: CabinetBrowser, url: str, phrase: str) -> None:
        self.browser, self.url, self.phrase = browser, url, phrase
        self.html = ""

    async def open(self) -> str:
        """Enter the phrase in the conversation; return the text of the preview."""
        self.html = (await self.browser.open(self.url)).text
        return await self._submit({"phrase": self.phrase, "nonce": self._field("nonce")})

    async def answer(self, **button: str) -> str:
        """Press a button with this name and value, with the hidden fields of the preview."""
        names = ("nonce", "phrase", "preview_fingerprint", "day", "amount", "service")
        hidden = [name for name in names if f'type="hidden" name="{name}"' in self.html]
        return await self._submit({name: self._field(name) for name in hidden} | button)

    async def _submit(self, form: dict[str, str]) -> str:
        response = await self.browser.submit(f"{self.url}/phrase", **form)
        assert response.status_code in (200, 303), response.text
        self.html = response.text
        return visible_text(response.text).replace("\xa0", " ")

    def _field(self, name: str) -> str:
        return field_value(self.html, name)

    @property
    def buttons(self) -> list[tuple[str, str]]:
        """Name and value of every button of the preview."""
        parts = self.html.split('id="phrase"')[-1].split("</form>")[0].split("<button ")[1:]
        pairs = [part.split(">")[0] for part in parts]
        return [(_attribute(p, "name"), _attribute(p, "value")) for p in pairs if "name=" in p]


def _attribute(tag: str, name: str) -> str:
    return unescape(tag.split(f'{name}="')[1].split('"', maxsplit=1)[0])


async def open_preview(vk: VkWorld, browser: CabinetBrowser, phrase: str) -> PhrasePreview:
    preview = PhrasePreview(browser, f"/inbox/{(await vk.conversation()).id}", phrase)
    await preview.open()
    return preview


async def list_invoices(vk: VkWorld) -> list[Invoice]:
    return (await invoices.list_page(vk.ctx, vk.member, limit=100)).data


@pytest.mark.parametrize("answer", ["visit", "deadline"])
async def test_tomorrow_is_a_visit_or_the_deadline(
    vk_world: VkWorld, owner_browser: CabinetBrowser, answer: str
) -> None:
    preview = await open_preview(vk_world, owner_browser, "2 тысячи маникюр завтра")
    assert preview.buttons == [("day", "visit"), ("day", "deadline"), ("do", "edit")]
    text = visible_text(preview.html).replace("\xa0", " ")
    assert "Маникюр 2 000,00 ₽" in text
    assert "это день визита или срок оплаты?" in text
    await preview.answer(do="issue")
    assert await list_invoices(vk_world) == [], "an open question blocks the invoice"
    text = await preview.answer(day=answer)
    assert "Отправить счёт на 2 000,00 ₽" in text
    await preview.answer(do="issue")
    (invoice,) = await list_invoices(vk_world)
    assert (invoice.title, invoice.amount) == ("Маникюр", Money(200_000))
    tomorrow = local_date(vk_world.ctx.now_us(), MOSCOW) + timedelta(days=1)
    if answer == "deadline":
        assert invoice.description == ""
        end = local_time(invoice.expires_at_us or 0, MOSCOW)
        assert (end.date(), f"{end:%H:%M:%S}") == (tomorrow, "23:59:59")
    else:
        assert invoice.expires_at_us is None
        assert invoice.description.startswith(f"Визит: {tomorrow.day} ")


async def test_visit_with_an_hour_needs_no_question(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    preview = await open_preview(vk_world, owner_browser, "маникюр 2500 завтра в 15:00")
    assert preview.buttons == [("do", "issue"), ("do", "edit")]
    await preview.answer(do="issue")
    (invoice,) = await list_invoices(vk_world)
    assert invoice.description.endswith(", 15:00")


async def test_sums_with_their_own_words_become_items(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    preview = await open_preview(vk_world, owner_browser, "маникюр 1500 + педикюр 2000")
    text = visible_text(preview.html).replace("\xa0", " ")
    assert "Маникюр 1 500,00 ₽" in text
    assert "Педикюр 2 000,00 ₽" in text
    await preview.answer(do="issue")
    (invoice,) = await list_invoices(vk_world)
    assert invoice.amount == Money(350_000)
    assert [(i.name, i.quantity, i.price) for i in invoice.items] == [
        ("Маникюр", "1", Money(150_000)),
        ("Педикюр", "1", Money(200_000)),
    ]


async def test_items_without_separators_need_a_choice(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    preview = await open_preview(vk_world, owner_browser, "стрижка 1500 борода 500")
    answers = [value for name, value in preview.buttons if name == "amount"]
    assert answers == ["items", "1500.00", "500.00"]
    await preview.answer(amount="1500.00")
    await preview.answer(do="issue")
    (invoice,) = await list_invoices(vk_world)
    assert (invoice.amount, invoice.items) == (Money(150_000), ())


async def test_ambiguous_amount_is_chosen_and_then_the_day(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    preview = await open_preview(vk_world, owner_browser, "маникюр 1500-2000 завтра")
    assert [value for name, value in preview.buttons if name == "amount"] == ["1500.00", "2000.00"]
    await preview.answer(amount="2000.00")
    assert ("day", "visit") in preview.buttons
    text = await preview.answer(day="deadline")
    assert "Отправить счёт на 2 000,00 ₽" in text
    await preview.answer(do="issue")
    assert [i.amount for i in await list_invoices(vk_world)] == [Money(200_000)]


async def test_forged_amount_is_not_taken(vk_world: VkWorld, owner_browser: CabinetBrowser) -> None:
    preview = await open_preview(vk_world, owner_browser, "маникюр 1500-2000")
    await preview.answer(amount="1.00", do="issue")
    assert await list_invoices(vk_world) == []
    assert ("amount", "1500.00") in preview.buttons


async def test_service_without_a_sum_takes_its_price(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    for title, amount in (("Стрижка женская", 180_000), ("Стрижка мужская", 120_000)):
        fields = ServiceFields(title, price_kind=PriceKind.FIXED, amount=Money(amount))
        await services.save(vk_world.ctx, vk_world.member, None, fields)
    preview = await open_preview(vk_world, owner_browser, "стрижка до пятницы")
    titles = [value for name, value in preview.buttons if name == "service"]
    assert titles == ["Стрижка женская", "Стрижка мужская"]
    text = await preview.answer(service="Стрижка мужская")
    assert "Отправить счёт на 1 200,00 ₽" in text
    await preview.answer(do="issue")
    (invoice,) = await list_invoices(vk_world)
    assert (invoice.title, invoice.amount) == ("Стрижка мужская", Money(120_000))
    assert invoice.service_id is not None
    assert local_time(invoice.expires_at_us or 0, MOSCOW).weekday() == 4


async def test_note_does_not_block_the_invoice(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    preview = await open_preview(vk_world, owner_browser, "маникюр 2000 скидка 10%")
    assert "Скидку и проценты мы не вычитаем" in visible_text(preview.html)
    await preview.answer(do="issue")
    assert [i.amount for i in await list_invoices(vk_world)] == [Money(200_000)]


async def test_typed_text_survives_questions_and_editing(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    typed = "маникюр <b>1500</b> завтра"
    preview = await open_preview(vk_world, owner_browser, typed)
    assert "<b>1500</b>" not in preview.html
    await preview.answer(day="visit")
    await preview.answer(do="edit")
    assert field_value(preview.html, "phrase") == typed


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("маникюр 2500o", "Не хватает суммы"),
        ("ресницы", "Не хватает суммы"),
        ("2500", "Добавьте название"),
        ("маникюр 0", "Сумма должна быть больше нуля"),
        ("маникюр 999 999 999 999", "Сумма слишком большая"),
        ("маникюр 3000 сом", "Эта валюта не подходит: киргизский сом"),
        ("маникюр 2200 7001 2345 6789", "Уберите номер карты"),
        ("маникюр 2500 30.02", "Такого дня нет"),
        ("маникюр 2500 до 01.01.2020", "Этот день уже прошёл"),
        ("маникюр 2500 " * 40, "Слишком длинно"),
    ],
)
async def test_refused_phrase_is_explained_and_issues_nothing(
    vk_world: VkWorld, owner_browser: CabinetBrowser, phrase: str, words: str
) -> None:
    url = f"/inbox/{(await vk_world.conversation()).id}"
    html = (await owner_browser.open(url)).text
    nonce = field_value(html, "nonce")
    response = await owner_browser.submit(f"{url}/phrase", phrase=phrase, nonce=nonce)
    assert response.status_code == 422
    assert words in visible_text(response.text).replace("\xa0", " ")
    assert await list_invoices(vk_world) == []
