"""The command `sigma reconcile`: its exit codes, its JSON and its sentences."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sigma.cli import main
from sigma.domain.change import Change
from sigma.domain.local_time import local_date
from sigma.services.connection_secrets import encrypt_secret
from sigma.store import changes
from sigma.store.encryption import Cipher
from tests.services.reconciliation_actions import amount, edit_bank
from tests.world import World

KEY = "m2VhK8s1QxTz7LpR4cNd9WbY3fGj6UaE"  # pragma: allowlist secret


@pytest.fixture
async def reconcile(world: World, database_url: str) -> Any:
    """Run the command in a thread: the sandbox serves it from this event loop."""
    encrypted = replace(
        world.connection,
        secret_encrypted=encrypt_secret(Cipher([KEY]), world.connection.id, "test_secret"),
    )
    await changes.commit(world.ctx.db, Change((encrypted,)), world.ctx.now_us())

    async def run(*args: str, lang: str = "C") -> Result:
        env = {"LANG": lang, "LC_ALL": "", "SIGMA_SECRET_KEY": KEY}
        env |= {"SIGMA_DATABASE_URL": database_url, "SIGMA_OUTBOUND_ALLOW": "127.0.0.1"}
        return await asyncio.to_thread(
            lambda: CliRunner().invoke(main, ["reconcile", *args], env=env, catch_exceptions=False)
        )

    return run


async def test_agreeing_shop_exits_with_zero(world: World, reconcile: Any) -> None:
    result = await reconcile()
    assert (result.exit_code, "No payments in this period" in result.stdout) == (0, True)
    await edit_bank(world, add={"payments": [{"amount": amount("5.00"), "status": "canceled"}]})
    result = await reconcile("--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    parsed = json.loads(result.stdout)
    assert (parsed["status"], parsed["payments"], parsed["differences"]) == ("agrees", 0, [])


async def test_differences_exit_with_one_and_are_printed(world: World, reconcile: Any) -> None:
    added = await edit_bank(world, add={"payments": [{"amount": amount("77.00")}]})
    result = await reconcile("--json")
    assert result.exit_code == 1
    parsed = json.loads(result.stdout)
    assert (parsed["status"], parsed["difference_count"], parsed["agreed"]) == ("differs", 1, 0)
    (difference,) = parsed["differences"]
    assert difference["kind"] == "payment_foreign"
    assert difference["action"] == "acknowledge"
    assert difference["provider_id"] == added["payments"][0]["id"]
    assert difference["ours"] is None
    assert difference["theirs"] == {"status": "captured", "amount": amount("77.00")}
    result = await reconcile(lang="ru_RU.UTF-8")
    assert result.exit_code == 1
    for text in ("Сошлось 0 из 1", "Чужой платёж", "У эквайера: Оплачен, 77,00", "В Sigma: нет"):
        assert text in result.stdout.replace("\u00a0", " "), text
    assert "/payments/reconciliation" in result.stdout


async def test_acquirer_that_rejects_the_keys_exits_with_two(world: World, reconcile: Any) -> None:
    wrong = replace(
        world.connection,
        secret_encrypted=encrypt_secret(Cipher([KEY]), world.connection.id, "wrong"),
        version=2,
    )
    await changes.commit(world.ctx.db, Change((wrong,)), world.ctx.now_us())
    result = await reconcile("--json")
    assert result.exit_code == 2
    parsed = json.loads(result.stdout)
    assert (parsed["status"], parsed["failure"]) == ("failed", "credentials")


async def test_command_waits_for_the_acquirer_and_goes_on(world: World, reconcile: Any) -> None:
    await world.inject_faults(http_429={"on": "list_refunds", "times": 1})
    result = await reconcile()
    assert result.exit_code == 0
    assert "The acquirer asks to wait: 2 s." in result.stderr


async def test_days_are_of_the_shop_and_both_included(world: World, reconcile: Any) -> None:
    await edit_bank(world, add={"payments": [{"amount": amount("77.00")}]})
    today = local_date(world.ctx.now_us(), world.shop.tz)
    yesterday = today.fromordinal(today.toordinal() - 1)
    for days, exit_code in (
        (("--since", str(today), "--until", str(today)), 1),
        (("--until", str(yesterday)), 0),
        (("--since", str(today)), 1),
        (("--until", "2199-12-31"), 1),  # until now
    ):
        assert (await reconcile(*days)).exit_code == exit_code, days


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--since", "24.11.2026"), "--since: Enter a day like 2026-11-24."),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "The period is empty"),
        (("--since", "2999-01-01"), "The period is empty"),
        (("--since", "0026-11-01"), "--since: Enter a day like 2026-11-24."),
        (("--since", "1969-12-31"), "--since: Enter a day like 2026-11-24."),
        (("--until", "9999-12-31"), "--until: Enter a day like 2026-11-24."),
        (("--until", "yesterday"), "--until: Enter a day like 2026-11-24."),
        (("--since", "2026-02-30"), "--since: Enter a day like 2026-11-24."),
        (("--since", ""), "--since: Enter a day like 2026-11-24."),
        (("--shop", "shp_unknown"), "There is no shop with the id “shp_unknown”."),
    ],
)
async def test_invalid_options_exit_with_two(
    world: World, reconcile: Any, args: tuple[str, ...], message: str
) -> None:
    result = await reconcile(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
