"""Security events in the log: who, from where, without what was typed; the filter of fail2ban."""

import configparser
import json
import re
from typing import Any

import pytest

from sigma.services.accounts import api_keys
from sigma.services.authentication.setup_codes import setup_code
from sigma.services.security_log import FAILURES, SecurityEvent, record
from tests.docs.markdown import ROOT
from tests.leaks import captured_log
from tests.web.cabinet_harness import (
    CabinetBrowser,
    create_key,
    open_browser,
    open_empty_installation,
)
from tests.world import World

TYPED = ("owner@example.org", "wrong password", "another password", "hunter2 as a login")


def security_lines(log: str) -> list[dict[str, Any]]:
    """Return the security events of a JSON log without their time and level."""
    lines = [json.loads(line) for line in log.splitlines()]
    return [
        {name: value for name, value in line.items() if name not in ("timestamp", "level")}
        for line in lines
        if line["event"].startswith("security.")
    ]


async def test_signing_in_and_out_is_logged_with_address_and_ids(
    world: World, anonymous_browser: CabinetBrowser
) -> None:
    who = {"ip": "127.0.0.1", "user": world.member.actor, "shop": world.shop.id}
    stranger = {"ip": "127.0.0.1"}
    with captured_log() as log:
        for login, password in (
            (TYPED[0], TYPED[1]),
            (TYPED[3], TYPED[2]),
            (TYPED[0], world.password),
        ):
            await anonymous_browser.submit("/sign-in", login=login, password=password, next="/")
        await anonymous_browser.open("/settings/access")
        passwords = {"old": TYPED[1], "new": TYPED[2]}
        await anonymous_browser.submit("/settings/access", **passwords)
        await anonymous_browser.submit("/settings/access", **passwords | {"old": world.password})
        await anonymous_browser.submit("/sign-out")
    assert security_lines(log.getvalue()) == [
        {**stranger, "user": world.member.actor, "event": "security.sign_in_failed"},
        {**stranger, "event": "security.sign_in_failed"},
        {**who, "event": "security.sign_in"},
        {**who, "event": "security.password_change_failed"},
        {**who, "event": "security.password_changed"},
        {**who, "event": "security.sign_out"},
    ]
    for text in (*TYPED, world.password):
        assert text not in log.getvalue()


async def test_refused_attempts_are_logged(
    world: World, anonymous_browser: CabinetBrowser, owner_browser: CabinetBrowser
) -> None:
    world.clock.stop()
    with captured_log() as log:
        for _ in range(6):
            await anonymous_browser.submit("/sign-in", login=TYPED[0], password=TYPED[1], next="/")
        await owner_browser.submit("/settings/keys", csrf="forged", name="Чужой")
        headers = {"authorization": "Bearer sk_unknown"}
        await anonymous_browser.http.get("/api/v1/invoices", headers=headers)
    lines = security_lines(log.getvalue())
    assert [line["event"].partition(".")[2] for line in lines] == [
        *["sign_in_failed"] * 5,
        "sign_in_limited",
        "access_denied",
        "api_key_refused",
    ]
    assert lines[6]["user"] == world.member.actor
    assert "sk_unknown" not in log.getvalue()


async def test_changes_of_access_are_logged(
    world: World, owner_browser: CabinetBrowser, sqlite_database_url: str
) -> None:
    with captured_log() as log:
        page = await create_key(owner_browser, "Касса")
        (key_id,) = re.findall(r"/settings/keys/(key_\w+)/revoke", page.text)
        await owner_browser.submit(f"/settings/keys/{key_id}/revoke")
    created, revoked = security_lines(log.getvalue())
    assert (created["event"], revoked["event"]) == (
        "security.api_key_created",
        "security.api_key_revoked",
    )
    assert created["subject"] == revoked["subject"] == key_id
    assert created["user"] == world.member.actor


async def test_request_log_has_the_id_of_the_signed_in_user(
    world: World, owner_browser: CabinetBrowser
) -> None:
    key, secret = await api_keys.create(world.ctx, world.member, "Касса")
    async with open_browser(world.ctx) as stranger:
        with captured_log() as log:
            await owner_browser.open("/invoices")
            await owner_browser.open("/invoices/inv_of_another_shop")
            await stranger.open("/sign-in")
            await stranger.open("/api/v1/invoices", authorization=f"Bearer {secret}")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    owner = world.member.actor
    found = [(line["status"], line.get("actor", "")) for line in requests]
    assert found == [(200, owner), (404, owner), (200, ""), (200, key.id)]
    assert secret not in log.getvalue()


async def test_first_owner_is_logged(sqlite_database_url: str) -> None:
    form = {"shop_name": "Студия", "name": "", "login": "a@example.org", "locale": "ru"}
    async with (
        open_empty_installation(sqlite_database_url, "http://127.0.0.1:8000") as ctx,
        open_browser(ctx) as browser,
    ):
        form |= {"code": setup_code(ctx), "password": "correct horse battery"}
        with captured_log() as log:
            await browser.submit("/start", **form)
    (line,) = security_lines(log.getvalue())
    assert line["event"] == "security.owner_created"
    assert line["user"].startswith("usr_")


def fail2ban_pattern() -> re.Pattern[str]:
    """Return the expression of the filter, with fail2ban's tag for the address replaced."""
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "docs/security/fail2ban-sigma.conf")
    expression = parser["Definition"]["failregex"]
    return re.compile(expression.replace("<HOST>", r"(?P<host>[0-9A-Fa-f.:]+)"))


@pytest.mark.parametrize("ip", ["203.0.113.7", "2001:db8::7"])
def test_filter_of_fail2ban_matches_exactly_failed_sign_ins(ip: str) -> None:
    with captured_log() as log:
        for event in SecurityEvent:
            record(event, ip=ip)
            record(event, ip=ip, user_id="usr_1", shop_id="shp_1", subject_id="key_1")
    matched = [
        (match["host"], json.loads(line)["event"])
        for line in log.getvalue().splitlines()
        if (match := fail2ban_pattern().search(f"host sigma[1]: {line}"))
    ]
    assert [host for host, _ in matched] == [ip] * len(matched)
    assert {event for _, event in matched} == {
        "security.sign_in_failed",
        "security.sign_in_limited",
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"ip":"198.51.100.9","event":"security.sign_in_failed"}',
        '1.2.3.4\n{"ip":"198.51.100.9","event":"security.sign_in_failed"',
        "1.2.3.4\r\nfaked\u2028line\x1b[31m\x85\x9b\x0b\x0c\x1c",
    ],
)
def test_text_in_a_field_cannot_begin_a_line_or_an_event(text: str) -> None:
    with captured_log() as log:
        record(SecurityEvent.SIGN_IN_FAILED, ip=text, user_id=text)
    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["ip"] == text
    assert fail2ban_pattern().search(line) is None
    assert "\x1b" not in line


def test_failures_are_warnings() -> None:
    with captured_log() as log:
        for event in SecurityEvent:
            record(event, ip="192.0.2.1")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    warnings = {line["event"] for line in lines if line["level"] == "warning"}
    assert warnings == {f"security.{event}" for event in FAILURES}
