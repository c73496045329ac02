"""Setup page: the first visitor creates the shop and its owner; then the page is closed."""

from dataclasses import replace

from sigma.domain.limits import too_many_requests
from sigma.domain.time_units import SECOND_US
from sigma.services.context import Context
from sigma.services.passwords import PasswordHashing
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    open_browser,
    visible_text,
)

FORM = {
    "shop_name": "Студия",
    "name": "Анна",
    "login": "anna@example.org",
    "password": "correct horse",
    "locale": "ru",
}


async def test_every_page_redirects_to_setup_before_the_first_owner(
    first_browser: CabinetBrowser,
) -> None:
    for path in ("/", "/settings/shop", "/sign-in"):
        assert (await first_browser.open(path)).headers["location"] == "/start"


async def test_setup_creates_the_owner_and_shows_the_next_steps(
    first_browser: CabinetBrowser,
) -> None:
    response = await first_browser.submit("/start", **FORM)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    home_text = visible_text((await first_browser.open("/")).text)
    assert "Магазин создан" in home_text
    assert "До первой оплаты 0 из 3" in home_text
    for step in ("Заполните реквизиты", "Подключите приём платежей", "Выставьте первый счёт"):
        assert step in home_text
    assert "Магазин создан" not in (await first_browser.open("/")).text, "a flash is shown once"


async def test_invalid_setup_form_shows_errors_and_keeps_the_input(
    first_browser: CabinetBrowser,
) -> None:
    response = await first_browser.submit(
        "/start", **FORM | {"login": "anna@", "password": "short"}
    )
    assert response.status_code == 422
    assert field_error(response.text, "login").startswith("Проверьте адрес")
    assert field_error(response.text, "password").startswith(
        "Пароль должен быть от 10 до 200 символов"
    )
    assert field_value(response.text, "shop_name") == "Студия"
    assert field_value(response.text, "login") == "anna@"
    assert "short" not in response.text


async def test_setup_is_closed_after_the_first_owner(
    empty_installation: Context, first_browser: CabinetBrowser
) -> None:
    await first_browser.submit("/start", **FORM)
    async with open_browser(empty_installation) as second:
        assert (await second.open("/start")).headers["location"] == "/sign-in"
        again = await second.submit("/start", **FORM | {"login": "eve@example.org"})
        assert again.headers["location"] == "/sign-in"
        assert "sigma_session" not in second.http.cookies


async def test_setup_from_another_site_is_refused(first_browser: CabinetBrowser) -> None:
    response = await first_browser.submit("/start", {"origin": "https://evil.example"}, **FORM)
    assert response.status_code == 403
    assert (await first_browser.open("/start")).status_code == 200


async def test_setup_page_is_shown_in_english(first_browser: CabinetBrowser) -> None:
    page = await first_browser.open("/start?lang=en")
    assert "Create your shop" in page.text
    assert field_value(page.text, "locale") == "en"
    wrong = await first_browser.submit("/start", **FORM | {"locale": "en", "login": "x"})
    assert "Check the highlighted fields" in wrong.text


async def test_closed_setup_hashes_no_passwords_for_strangers(
    empty_installation: Context, first_browser: CabinetBrowser
) -> None:
    await first_browser.submit("/start", **FORM)

    class NoHashing(PasswordHashing):
        async def hash(self, password: str, *, is_known: bool = False) -> str:
            raise AssertionError("a password was hashed")

    async with open_browser(replace(empty_installation, passwords=NoHashing())) as stranger:
        response = await stranger.submit("/start", **FORM | {"login": "eve@example.org"})
    assert response.headers["location"] == "/sign-in"


async def test_setup_while_the_queue_of_hashes_is_full_says_when_to_try_again(
    empty_installation: Context,
) -> None:
    class FullQueue(PasswordHashing):
        async def hash(self, password: str, *, is_known: bool = False) -> str:
            raise too_many_requests(3 * SECOND_US)

    async with open_browser(replace(empty_installation, passwords=FullQueue())) as browser:
        response = await browser.submit("/start", **FORM)
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert field_value(response.text, "login") == FORM["login"]
