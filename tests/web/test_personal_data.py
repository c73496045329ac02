"""Pages of personal data: periods, search, export and erasure of a client."""

import io
import re
import zipfile

import pytest

from sigma.domain.audit.deed import Deed
from sigma.domain.billing.question import Question, QuestionKind
from sigma.services.personal_data import retention
from sigma.services.platform import audit_log
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser, field_error, field_value, visible_text
from tests.world import World

HERE = "/settings/data"
PERIODS = {
    "answers_days": "100",
    "messages_days": "200",
    "notices_days": "90",
    "evidence_days": "365",
    "mails_days": "30",
    "audit_days": "400",
}


async def deeds(world: World) -> list[str]:
    """Return the deeds in the audit log, the newest first."""
    page = await audit_log.list_page(world.ctx, world.member)
    return [entry.deed for entry in page.data]


async def test_periods_are_stored_and_recorded(world: World, owner_browser: CabinetBrowser) -> None:
    page = await owner_browser.open(HERE)
    assert field_value(page.text, "answers_days") == "1095"
    assert "не требование закона" in visible_text(page.text)
    saved = await owner_browser.submit(HERE, **PERIODS)
    assert saved.headers["location"] == HERE
    page = await owner_browser.open(HERE)
    assert field_value(page.text, "answers_days") == "100"
    assert (await retention.get(world.ctx, world.member)).messages == 200
    assert (await deeds(world))[0] == Deed.RETENTION_CHANGED.value


@pytest.mark.parametrize(
    ("name", "value"),
    [("answers_days", "0"), ("audit_days", "364"), ("evidence_days", "99"), ("mails_days", "x")],
)
async def test_invalid_retention_period_is_refused_and_stays_in_the_form(
    owner_browser: CabinetBrowser, name: str, value: str
) -> None:
    await owner_browser.open(HERE)
    response = await owner_browser.submit(HERE, **(PERIODS | {name: value}))
    assert response.status_code == 422
    assert field_error(response.text, name)
    assert field_value(response.text, name) == value


async def test_client_is_found_exported_and_erased(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    assert 'href="/customers"' in (await owner_browser.open(HERE)).text
    found = await owner_browser.open("/customers?q=8 (916) 765-43-21")
    card = f"/customers/{payment.customer_id}"
    assert f'href="{card}"' in found.text
    here = f"{card}/data"
    assert f'href="{here}"' in (await owner_browser.open(card)).text
    moved = await owner_browser.open(f"/customers/{payment.id}/data")
    assert moved.headers["location"] == here
    page = await owner_browser.open(here)
    text = visible_text(page.text)
    for expected in ("client@example.net", "+7 916 765-43-21", "Останется: счета", "нельзя"):
        assert expected in text.replace("\xa0", " "), expected
    keys = re.findall(r'name="identifiers" value="([^"]+)"', page.text)
    assert [key.partition(":")[0] for key in keys] == ["customer", "email", "phone"]
    exported = await owner_browser.submit(f"{here}/export", identifiers=keys[1])
    assert exported.headers["content-type"] == "application/zip"
    assert exported.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert "client@example.net" in archive.read("client.json").decode()
    assert (await deeds(world))[0] == Deed.CLIENT_EXPORTED.value

    for form in ({"identifiers": keys[1]}, {"identifiers": keys[1], "confirm": "да"}):
        refused = await owner_browser.submit(f"{here}/erase", **form)
        assert refused.status_code == 422
        assert field_error(refused.text, "confirm")
    nothing = await owner_browser.submit(f"{here}/erase", confirm="УДАЛИТЬ")
    assert nothing.status_code == 422
    assert field_error(nothing.text, "identifiers")
    assert "Не сохранено" not in nothing.text, "an export saves nothing"
    assert nothing.text.count("Отметьте хотя бы одно") == 2
    erased = await owner_browser.submit(f"{here}/erase", identifiers=keys[1], confirm="удалить")
    assert erased.headers["location"] == HERE
    page = await owner_browser.open(HERE)
    assert "Данные клиента удалены" in page.text
    assert "По запросу клиента" in page.text
    assert (await deeds(world))[0] == Deed.CLIENT_ERASED.value
    details = await owner_browser.open(f"/payments/{payment.id}")
    assert "Ответы удалены" in details.text
    assert "client@example.net" not in details.text
    receipt = await owner_browser.open(f"/r/{payment.token}")
    assert "client@example.net" not in receipt.text


async def test_payment_that_is_going_on_is_named(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.start_payment()
    here = f"/customers/{payment.customer_id}/data"
    await owner_browser.open(here)
    refused = await owner_browser.submit(
        f"{here}/erase", identifiers=f"customer:{payment.customer_id}", confirm="УДАЛИТЬ"
    )
    assert refused.status_code == 422
    assert "незавершённый платёж" in visible_text(refused.text)


async def test_payment_without_a_customer_is_erased_by_itself(
    world: World, owner_browser: CabinetBrowser
) -> None:
    question = Question("wish", QuestionKind.TEXT, "Пожелания")
    payment = await world.complete_payment(await world.create_invoice(questions=(question,)))
    assert payment.customer_id is None
    here = f"/customers/{payment.id}/data"
    assert f'href="{here}"' in (await owner_browser.open(f"/payments/{payment.id}")).text
    await owner_browser.open(here)
    erased = await owner_browser.submit(
        f"{here}/erase", identifiers=f"payment:{payment.id}", confirm="УДАЛИТЬ"
    )
    assert erased.status_code == 303
    assert "Ответы удалены" in (await owner_browser.open(f"/payments/{payment.id}")).text


async def test_conversation_offers_the_vk_user(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    page = await vk_owner_browser.open(f"/inbox/{conversation.id}")
    card = f"/customers/{conversation.customer_id}"
    assert f'href="{card}"' in page.text
    page = await vk_owner_browser.open(f"{card}/data")
    assert f'value="vk:{vk_world.client_id}"' in page.text
    erased = await vk_owner_browser.submit(
        f"{card}/data/erase",
        identifiers=f"vk:{vk_world.client_id}",
        confirm="УДАЛИТЬ",
    )
    assert erased.status_code == 303
    assert (await vk_owner_browser.open(f"/inbox/{conversation.id}")).status_code == 404
    assert (await vk_owner_browser.open("/inbox")).status_code == 200
