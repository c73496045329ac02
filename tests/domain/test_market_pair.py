"""Pairs of services and market items: state, choices, push problems, linking."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.catalogue import market_pair
from sigma.domain.catalogue.market_item import MarketItem, find_draft_problem
from sigma.domain.catalogue.market_pair import Choice, Pair, PairState, match_pairs
from sigma.domain.catalogue.service import PriceKind, Service, require_unchanged
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, SHOP

DESCRIPTION = "Снятие, форма, покрытие"
COMMUNITY_ID = "con_vk"


def service(**more: Any) -> Service:
    usual: dict[str, Any] = {
        "id": "svc_1",
        "shop_id": SHOP.id,
        "title": "Маникюр",
        "created_at_us": NOW_US,
        "description": DESCRIPTION,
        "price_kind": PriceKind.FIXED,
        "amount": Money(150_000),
        "version": 1,
    }
    return Service(**(usual | more))


def item(**more: Any) -> MarketItem:
    usual: dict[str, Any] = {
        "id": 7,
        "owner_id": -1,
        "title": "Маникюр",
        "description": DESCRIPTION,
        "price_kind": PriceKind.FIXED,
        "amount": Money(150_000),
        "photo_url": "",
        "is_available": True,
    }
    return MarketItem(**(usual | more))


LINKED = market_pair.link(service(), item(), COMMUNITY_ID)


def match(local: Service | None, remote: MarketItem | None, **sizes: tuple[int, int]) -> Pair:
    """Return the only pair of a service and an item."""
    (pair,) = match_pairs([local] if local else [], [remote] if remote else [], COMMUNITY_ID, sizes)
    return pair


@pytest.mark.parametrize(
    ("local", "remote", "state"),
    [
        (service(), None, PairState.NEW_LOCAL),
        (None, item(), PairState.NEW_REMOTE),
        (service(), item(), PairState.UNLINKED_EQUAL),
        (service(title="маникюр"), item(), PairState.CHANGED_BOTH),
        (LINKED, item(), PairState.SAME),
        (LINKED, None, PairState.REMOTE_DELETED),
        (replace(LINKED, amount=Money(1)), item(), PairState.CHANGED_LOCAL),
        (LINKED, item(amount=Money(1)), PairState.CHANGED_REMOTE),
        (replace(LINKED, amount=Money(1)), item(amount=Money(2)), PairState.CHANGED_BOTH),
        (replace(LINKED, amount=Money(1)), item(amount=Money(1)), PairState.SAME),
        (replace(LINKED, title="Иное"), item(), PairState.CHANGED_LOCAL),
    ],
)
def test_pair_state_tells_which_side_changed(
    local: Service | None, remote: MarketItem | None, state: PairState
) -> None:
    assert match(local, remote).state is state


def test_service_linked_to_another_community_is_not_compared() -> None:
    elsewhere = replace(LINKED, vk_connection_id="con_other")
    assert [pair.state for pair in match_pairs([elsewhere], [item()], COMMUNITY_ID, {})] == [
        PairState.NEW_REMOTE
    ]


def test_linked_item_is_not_paired_again_by_title() -> None:
    second = service(id="svc_2")
    pairs = match_pairs([LINKED, second], [item()], COMMUNITY_ID, {})
    assert [pair.state for pair in pairs] == [PairState.SAME, PairState.NEW_LOCAL]


@pytest.mark.parametrize(
    ("local", "size", "problems", "warnings"),
    [
        (service(photo_id="pho_1"), (1280, 1280), (), ()),
        (service(photo_id="pho_1"), (900, 1300), (), ("photo_size",)),
        (service(photo_id="pho_1"), (399, 2000), ("photo_small",), ()),
        (service(), (0, 0), ("photo",), ()),
        (service(photo_id="pho_1", title="Спа"), (1280, 1280), ("title",), ()),
        (service(photo_id="pho_1", title="💅" * 12), (1280, 1280), ("title",), ()),
        (service(photo_id="pho_1", description="Коротко"), (1280, 1280), ("description",), ()),
        (service(photo_id="pho_1", price_kind=PriceKind.FROM), (1280, 1280), (), ("price",)),
    ],
)
def test_push_problems_and_warnings_are_known_before_pushing(
    local: Service, size: tuple[int, int], problems: tuple[str, ...], warnings: tuple[str, ...]
) -> None:
    pair = match(local, None, pho_1=size)
    assert (pair.push_problems, pair.push_warnings) == (problems, warnings)
    assert pair.choices == (() if problems else (Choice.PUSH, Choice.SKIP))


def test_choice_is_applicable_only_while_the_pair_is_unchanged() -> None:
    pair = match(None, item())
    assert pair.is_applicable("pull", pair.fingerprint)
    for forged in ("push", "unlink", "rubbish"):
        assert not pair.is_applicable(forged, pair.fingerprint)
    assert not match(None, item(amount=Money(1))).is_applicable("pull", pair.fingerprint)


def test_pull_copies_and_cleans_the_item() -> None:
    hostile = item(title="Маникюр\u202e" + "я" * 200, description="=cmd()\0\n" + "ы" * 5000)
    pulled = market_pair.pull(service(photo_id="pho_1"), hostile, None, COMMUNITY_ID)
    assert pulled.title == "Маникюр" + "я" * 93
    assert pulled.description.startswith("=cmd()\nы")
    assert len(pulled.description) == 4000
    assert pulled.photo_id == "pho_1"
    assert (pulled.vk_connection_id, pulled.vk_item_id) == (COMMUNITY_ID, 7)
    assert match(pulled, hostile).state is PairState.SAME
    assert market_pair.pull(service(), item(), "pho_2", COMMUNITY_ID).photo_id == "pho_2"


def test_pulled_item_without_a_title_is_refused() -> None:
    with pytest.raises(RefusedError, match="validation"):
        market_pair.pull(service(), item(title="\u202e"), None, COMMUNITY_ID)


def test_service_changed_while_it_was_pushed_is_pushed_again_later() -> None:
    draft = market_pair.item_draft(service(), None, photo_id=5)
    current = service(amount=Money(99_900))
    linked = market_pair.link_pushed(current, service(), draft, 7, COMMUNITY_ID)
    at_vk = item(photo_id=5)
    assert match(linked, at_vk).state is PairState.CHANGED_LOCAL
    unchanged = market_pair.link_pushed(service(), service(), draft, 7, COMMUNITY_ID)
    assert match(unchanged, at_vk).state is PairState.SAME


def test_state_read_back_from_vk_replaces_the_state_that_was_sent() -> None:
    normalized = item(description="Снятие\nформа")
    assert match(LINKED, normalized).state is PairState.CHANGED_REMOTE
    assert match(market_pair.with_remote_state(LINKED, normalized), normalized).state is (
        PairState.SAME
    )
    assert market_pair.with_remote_state(LINKED, item(id=8)) is LINKED


def test_photo_is_copied_only_when_it_is_new() -> None:
    with_photo = item(photo_url="https://vk.com/1.jpg", photo_id=5)
    assert market_pair.is_item_photo_new(None, with_photo)
    assert not market_pair.is_item_photo_new(None, item())
    pulled = market_pair.pull(service(), with_photo, "pho_1", COMMUNITY_ID)
    assert not market_pair.is_item_photo_new(pulled, with_photo)
    assert not market_pair.is_service_photo_new(pulled, with_photo)
    assert market_pair.is_service_photo_new(replace(pulled, photo_id="pho_2"), with_photo)
    assert market_pair.is_service_photo_new(pulled, None)
    assert not market_pair.is_service_photo_new(service(), None)


def test_draft_problem_names_the_first_field_that_vk_refuses() -> None:
    draft = market_pair.item_draft(service(), None, photo_id=5)
    assert find_draft_problem(draft) == ""
    assert find_draft_problem(replace(draft, title="Спа", description="")) == "title"
    assert find_draft_problem(replace(draft, photo_id=0)) == "photo"


@pytest.mark.parametrize("current", [service(version=2), service(deleted_at_us=NOW_US)])
def test_service_changed_since_the_comparison_is_refused(current: Service) -> None:
    require_unchanged(service(), service())
    with pytest.raises(RefusedError, match="changed_meanwhile"):
        require_unchanged(current, service())
