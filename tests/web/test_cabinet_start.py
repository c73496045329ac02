"""The first start: whoever set Sigma up makes the shop, and nobody after him."""

from sigma.services.context import Context
from tests.web.cabinet_stage import Browser, fault, field, open_browser, words

FORM = {
    "shop_name": "Студия",
    "name": "Анна",
    "login": "anna@example.org",
    "password": "correct horse",
    "locale": "ru",
}


async def test_in_an_empty_house_every_address_leads_to_the_start(first: Browser) -> None:
    for path in ("/", "/settings/shop", "/sign-in"):
        assert (await first.open(path)).headers["location"] == "/start"


async def test_the_start_makes_the_owner_and_shows_what_to_do_next(first: Browser) -> None:
    made = await first.send("/start", **FORM)
    assert (made.status_code, made.headers["location"]) == (303, "/")
    home = words((await first.open("/")).text)
    assert "Магазин создан" in home
    assert "До первой оплаты 0 из 3" in home
    for step in ("Заполните реквизиты", "Подключите эквайера", "Выставьте первый счёт"):
        assert step in home
    assert "Магазин создан" not in (await first.open("/")).text, "said once"


async def test_wrong_fields_are_named_and_what_was_typed_stays(first: Browser) -> None:
    answer = await first.send("/start", **FORM | {"login": "anna@", "password": "short"})
    assert answer.status_code == 422
    assert fault(answer.text, "login").startswith("Проверьте адрес")
    assert fault(answer.text, "password").startswith("Пароль короче 10 знаков")
    assert field(answer.text, "shop_name") == "Студия"
    assert field(answer.text, "login") == "anna@"
    assert "short" not in answer.text


async def test_the_start_is_closed_after_the_first_owner(empty: Context, first: Browser) -> None:
    await first.send("/start", **FORM)
    async with open_browser(empty) as second:
        assert (await second.open("/start")).headers["location"] == "/sign-in"
        again = await second.send("/start", **FORM | {"login": "eve@example.org"})
        assert again.headers["location"] == "/sign-in"
        assert "sigma_session" not in second.http.cookies


async def test_another_site_cannot_make_the_first_owner(first: Browser) -> None:
    answer = await first.send("/start", headers={"origin": "https://evil.example"}, **FORM)
    assert answer.status_code == 403
    assert (await first.open("/start")).status_code == 200


async def test_the_start_speaks_english_when_asked(first: Browser) -> None:
    page = await first.open("/start?lang=en")
    assert "Create your shop" in page.text
    assert field(page.text, "locale") == "en"
    wrong = await first.send("/start", **FORM | {"locale": "en", "login": "x"})
    assert "Check the marked fields" in wrong.text
