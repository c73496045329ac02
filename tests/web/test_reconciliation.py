"""The reconciliation page: start, result, repair buttons, the result on the home page."""

import re

from sigma.domain.accounts.member import Role
from sigma.services.reconciliation import runs
from tests.services.reconciliation_actions import (
    amount,
    edit_bank,
    open_differences,
    paid_payment,
    run_to_end,
)
from tests.web.cabinet_harness import CabinetBrowser, field_error, set_role, visible_text
from tests.world import World

PAGE = "/payments/reconciliation"


async def repair_buttons(browser: CabinetBrowser) -> list[str]:
    """Return the addresses of the repair buttons on the page."""
    page = (await browser.open(PAGE)).text
    return re.findall(rf'action="({PAGE}/differences/dif_\w+)"', page)


async def page_text(browser: CabinetBrowser, path: str = PAGE) -> str:
    return visible_text((await browser.open(path)).text).replace("\u00a0", " ")


async def test_first_visit_says_that_nothing_was_reconciled_yet(
    owner_browser: CabinetBrowser,
) -> None:
    assert "Сверки ещё не было" in await page_text(owner_browser)
    assert "Сверка с эквайером" not in await page_text(owner_browser, "/")


async def test_button_starts_a_run_and_the_result_is_shown_on_both_pages(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await paid_payment(world)
    page = (await owner_browser.open("/payments")).text
    assert f'href="{PAGE}"' in page
    await owner_browser.submit(PAGE)
    page = (await owner_browser.open(PAGE)).text
    assert 'hx-trigger="every 2s"' in page
    assert "Сверяем: 0 из 1" in visible_text(page)
    await world.run_jobs()
    page = (await owner_browser.open(PAGE)).text
    assert 'hx-trigger="every 2s"' not in page
    assert "reconciliation-good" in page
    text = visible_text(page)
    assert "Сошлось 1 из 1" in text
    assert "платежи: 1, возвраты: 0" in text
    assert "Сошлось 1 из 1" in await page_text(owner_browser, "/")


async def test_each_difference_has_both_sides_and_one_button_that_repairs_it(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await paid_payment(world)
    back = {"payment_id": payment.provider_id, "amount": amount("300.00")}
    foreign = {"amount": amount("77.00")}
    await edit_bank(world, add={"refunds": [back], "payments": [foreign]})
    run = await run_to_end(world)
    text = await page_text(owner_browser)
    for part in (
        "Сошлось 1 из 3",
        "2 расхождения",
        "Возврат сделан не в Sigma",
        "В Sigma: нет У эквайера: Возврат выполнен, 300,00 ₽",
        "Учесть возврат",
        "Чужой платёж",
        "Это не наш платёж",
    ):
        assert part in text, part
    await set_role(world.ctx, Role.VIEWER)
    text = await page_text(owner_browser)
    assert "Чужой платёж" in text
    assert "Это не наш платёж" not in text
    assert await repair_buttons(owner_browser) == []
    await set_role(world.ctx, Role.OWNER)
    buttons = await repair_buttons(owner_browser)
    assert len(buttons) == len(set(buttons)) == 2
    for button in (*buttons, *buttons):  # the second press changes nothing
        response = await owner_browser.submit(button)
        assert response.headers["location"] == f"{PAGE}?run={run.id}"
    page = await page_text(owner_browser)
    assert "Все расхождения разобраны" in page
    assert "Сошлось 1 из 3" in page
    assert "Все расхождения разобраны" in await page_text(owner_browser, "/")
    await run_to_end(world)
    text = await page_text(owner_browser)
    assert "Сошлось 2 из 2" in text
    assert "Ещё 1 расхождение вы разобрали раньше" in text
    assert "Сошлось 1 из 3" in text  # among the previous runs


async def test_action_that_does_not_help_offers_a_text_for_the_support(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await paid_payment(world)
    assert payment.provider_id
    await edit_bank(world, change={payment.provider_id: {"amount": amount("1.00")}})
    run = await run_to_end(world)
    text = await page_text(owner_browser)
    assert "Что написать в поддержку эквайера" in text
    page = (await owner_browser.open(PAGE)).text
    assert f"платёж {payment.provider_id}" in page
    assert "В Sigma: Оплачен, 1\u00a0500,00\u00a0₽" in page
    (button,) = await repair_buttons(owner_browser)
    await owner_browser.submit(button)
    assert "Отмечено" in await page_text(owner_browser)
    assert await open_differences(world, run) == []


async def test_all_foreign_payments_are_closed_by_one_button(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await edit_bank(world, add={"payments": [{"amount": amount(f"{n}.00")} for n in (1, 2, 3)]})
    run = await run_to_end(world)
    assert "Это не наши платежи: 3" in await page_text(owner_browser)
    await owner_browser.submit(f"{PAGE}/{run.id}/foreign")
    assert "Все расхождения разобраны" in await page_text(owner_browser)
    details = await runs.get_details(world.ctx, world.member, run.id)
    assert (details.open_count, details.closed_count) == (0, 3)


async def test_failed_run_says_why_and_interrupted_one_can_be_repeated(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.set_acquirer_secret("wrong")
    await run_to_end(world)
    assert "эквайер не принял ключи" in await page_text(owner_browser)
    assert "эквайер не принял ключи" in await page_text(owner_browser, "/")
    await runs.start(world.ctx, world.member, in_background=False)
    assert "Сверяем" in await page_text(owner_browser)
    world.clock.advance(hours=3)
    text = await page_text(owner_browser)
    assert "Сверка прервалась" in text
    assert "Сверить сейчас" in text


async def test_period_form_keeps_what_was_typed_beside_its_error(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open(PAGE)
    response = await owner_browser.submit(PAGE, since="2026-02-30", until="2026-02-01")
    assert response.status_code == 422
    assert field_error(response.text, "since") == "Введите дату, например 24.11.2026."
    assert 'value="2026-02-30"' in response.text
    for day in ("9999-12-31", "0026-02-01", "1969-12-31"):
        response = await owner_browser.submit(PAGE, since="", until=day)
        assert field_error(response.text, "until") == "Введите дату, например 24.11.2026.", day
    response = await owner_browser.submit(PAGE, since="2026-02-02", until="2026-02-01")
    assert "Период пуст" in field_error(response.text, "until")
    response = await owner_browser.submit(PAGE, since="2026-02-01", until="2026-02-28")
    assert response.status_code == 303
    (run,) = await runs.list_runs(world.ctx, world.member)
    assert run.until_us - run.since_us == 28 * 24 * 3600 * 1_000_000
