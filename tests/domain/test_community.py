"""Community: check results, access keys, event delivery, and the checklist's facts and items."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.messaging import checklist
from sigma.domain.messaging import community as domain
from sigma.domain.messaging.checklist import ChecklistItem, ItemState
from sigma.domain.messaging.community import (
    Community,
    CommunityCheck,
    CommunityProfile,
    EventDelivery,
)
from tests.domain.factories import NOW_US, SHOP

PROFILE = CommunityProfile("Студия", "studio", has_photo=True)
SCOPES = ("manage", "messages", "photos")


def community(**more: Any) -> Community:
    usual: dict[str, Any] = {
        "id": "con_1",
        "shop_id": SHOP.id,
        "group_id": 1,
        "name": "Старое имя",
        "screen_name": "",
        "photo_url": "",
        "created_at_us": 1,
    }
    return Community(**(usual | more))


def list_items(stored: Community) -> dict[str, ChecklistItem]:
    built = checklist.build_items(stored, "https://vk.com/club1", lambda section: f"#{section}")
    return {item.name: item for item in built}


def test_new_key_clears_the_problem_and_keeps_the_owners_facts() -> None:
    broken = community(
        error_code="5",
        error_since_us=1,
        long_poll_ts="7",
        facts={"no_messages": 15, "services_confirmed": {"by": "usr_1"}},
    )
    repaired = domain.with_new_key(broken, PROFILE, SCOPES, NOW_US)
    assert (repaired.error_code, repaired.error_since_us, repaired.long_poll_ts) == ("", 0, "")
    assert (repaired.name, repaired.key_scopes) == ("Студия", SCOPES)
    assert "no_messages" not in repaired.facts
    assert repaired.facts["services_confirmed"] == {"by": "usr_1"}
    assert domain.has_waiting_work(repaired)
    assert not domain.has_waiting_work(domain.without_waiting_work(repaired))


def test_failed_check_keeps_the_problem_and_the_profile() -> None:
    broken = community(error_code="5", error_since_us=1)
    silent = domain.with_check(broken, CommunityCheck("silent"), NOW_US)
    assert (silent.error_code, silent.name) == ("5", "Старое имя")
    assert silent.checked_at_us == NOW_US
    assert silent.facts["check"] == {"code": "silent", "at_us": NOW_US}
    assert "delivery" not in silent.facts


def test_successful_check_clears_the_problem() -> None:
    broken = community(error_code="5", error_since_us=1)
    checked = domain.with_check(broken, CommunityCheck("", "off", PROFILE, SCOPES), NOW_US)
    assert (checked.error_code, checked.name, checked.key_scopes) == ("", "Студия", SCOPES)
    assert domain.delivery_status(checked) == {"state": "off", "callback": ""}


def test_check_of_a_deactivated_community_reports_the_reason() -> None:
    banned = replace(PROFILE, deactivated="banned")
    checked = domain.with_check(community(), CommunityCheck("", "ok", banned), NOW_US)
    assert (checked.error_code, checked.error_since_us) == ("banned", NOW_US)


def test_events_come_by_one_delivery_at_a_time() -> None:
    by_callback = domain.with_callback(community(long_poll_ts="7"))
    assert (by_callback.event_delivery, by_callback.long_poll_ts) == (EventDelivery.CALLBACK, "")
    by_poll = domain.with_long_poll(by_callback, state="ok", callback_error="wait")
    assert by_poll.event_delivery is EventDelivery.LONG_POLL
    assert domain.delivery_status(by_poll) == {"state": "ok", "callback": "wait"}


def test_confirmation_code_does_not_replace_the_secret() -> None:
    first = domain.with_callback_secret(community(), "a1", "secret-1")
    second = domain.with_callback_secret(first, "b2", "secret-2")
    assert (second.confirmation_code, second.callback_secret_encrypted) == ("b2", "secret-1")


def test_unknown_delivery_choice_is_auto() -> None:
    assert domain.with_preferred_delivery(community(), "callback").preferred_delivery == "callback"
    assert domain.with_preferred_delivery(community(), "pigeon").preferred_delivery == "auto"


@pytest.mark.parametrize(
    ("facts", "state", "action", "reason"),
    [
        ({}, ItemState.UNKNOWN, "switch", ""),
        ({"no_messages": 15}, ItemState.UNKNOWN, "", ""),
        ({"group": {"can_message": True}}, ItemState.DONE, "", ""),
        ({"messages": {"on": True}}, ItemState.DONE, "", "switched"),
        ({"messages": {"on": True, "read_back": True}}, ItemState.MISSING, "switch", ""),
        ({"messages": {"on": False, "off": True}}, ItemState.MISSING, "switch", ""),
    ],
)
def test_messages_item_follows_what_vk_reported(
    facts: dict[str, Any], state: ItemState, action: str, reason: str
) -> None:
    item = list_items(community(facts=facts))["messages"]
    assert (item.state, item.action, item.reason) == (state, action, reason)


@pytest.mark.parametrize(
    ("more", "state", "reason"),
    [
        ({}, ItemState.UNKNOWN, ""),
        ({"facts": {"delivery": {"state": "ok"}}}, ItemState.DONE, "long_poll"),
        ({"facts": {"delivery": {"state": "off"}}}, ItemState.MISSING, ""),
        ({"error_code": "5"}, ItemState.MISSING, "key_broken"),
    ],
)
def test_delivery_item_follows_the_stored_status(
    more: dict[str, Any], state: ItemState, reason: str
) -> None:
    item = list_items(community(**more))["delivery"]
    assert (item.state, item.reason) == (state, reason)


def test_profile_decides_the_items_that_vk_discloses() -> None:
    items = list_items(domain.with_profile(community(key_scopes=SCOPES), PROFILE))
    states = {name: items[name].state for name in ("exists", "avatar", "description", "rights")}
    assert states == {
        "exists": ItemState.DONE,
        "avatar": ItemState.DONE,
        "description": ItemState.MISSING,
        "rights": ItemState.DONE,
    }
    assert (items["exists"].url, items["rights"].url) == ("https://vk.com/club1", "#tokens")
    assert checklist.count_done(list(items.values())) == (3, 9)


def test_edit_that_changed_nothing_counts_as_refused() -> None:
    edited = checklist.with_edited_profile(community(), PROFILE, "description")
    item = list_items(edited)["description"]
    assert (item.state, item.action, item.reason) == (ItemState.MISSING, "", "refused")
    described = replace(PROFILE, has_description=True)
    edited = checklist.with_edited_profile(community(), described, "description")
    assert list_items(edited)["description"].state is ItemState.DONE


def test_confirmation_of_services_can_be_withdrawn() -> None:
    confirmed = checklist.with_services_confirmed(community(), "usr_1", NOW_US)
    item = list_items(confirmed)["services"]
    assert (item.state, item.reason) == (ItemState.DONE, "confirmed")
    withdrawn = checklist.without_services_confirmed(confirmed)
    assert list_items(withdrawn)["services"].state is ItemState.UNKNOWN


def test_settings_event_updates_the_facts() -> None:
    on_before = community(facts={"messages": {"on": True}})
    off = checklist.with_changed_settings(on_before, {"messages": 0})
    assert off.facts["messages"] == {"on": False, "off": True}
    on = checklist.with_changed_settings(off, {"messages": 1, "title": "Студия"})
    assert on.facts["messages"]["on"]
    same = community()
    assert checklist.with_changed_settings(same, {"title": "x"}) is same
