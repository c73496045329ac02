"""A VKontakte community of a shop: its profile, how its events reach Sigma, and the state of its
access key.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

DELIVERY_OK = "ok"  # state of the event delivery; other states are error codes


class EventDelivery(StrEnum):
    """How VK events reach Sigma: VK calls our URL (Callback API), or we poll (Long Poll API).

    Sources: https://dev.vk.com/ru/api/callback/getting-started,
    https://dev.vk.ru/ru/api/bots-long-poll/getting-started
    """

    CALLBACK = "callback"
    LONG_POLL = "long_poll"


AUTO_DELIVERY = "auto"
DELIVERY_CHOICES = (AUTO_DELIVERY, *EventDelivery)


@dataclass(frozen=True, slots=True)
class CommunityProfile:
    """What Sigma stores of VK's community object: names and flags, no texts or personal data.

    `deactivated` is empty, "deleted" or "banned". `can_message` is about the owner of the access
    key, not about clients.
    """

    name: str
    screen_name: str
    photo_url: str = ""
    deactivated: str = ""
    has_photo: bool = False
    has_description: bool = False
    has_contact: bool = False
    has_market: bool = False
    has_services: bool = False
    can_message: bool = False

    @property
    def flags(self) -> dict[str, Any]:
        """The value of the fact "group": checklist item → whether VK reports it as done."""
        return {
            "deactivated": self.deactivated,
            "avatar": self.has_photo,
            "description": self.has_description,
            "contact": self.has_contact,
            "market": self.has_market,
            "services": self.has_services,
            "can_message": self.can_message,
        }


@dataclass(frozen=True, slots=True)
class CommunityCheck:
    """The result of a check with VK.

    `code`: "" or why it failed. `profile` is None and `delivery_state` empty if VK did not return
    them.
    """

    code: str
    delivery_state: str = ""
    profile: CommunityProfile | None = None
    key_scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Community:
    """A community. The Connection with the same id holds its access key.

    Times are UTC microseconds.

    `preferred_delivery` is the owner's choice: "auto", "callback" or "long_poll"; `event_delivery`
    is what is in use. `error_code` is empty, or VK's error code (or reason of deactivation) of a
    problem that the owner must fix; missed messages are read from the history afterwards. `facts`
    caches the results of the checklist. `market_access` is "ok", or VK's error code when the access
    key cannot read market items; empty while unknown.
    """

    id: str
    shop_id: str
    group_id: int
    name: str
    screen_name: str
    photo_url: str
    created_at_us: int
    key_scopes: tuple[str, ...] = ()
    preferred_delivery: str = AUTO_DELIVERY
    event_delivery: EventDelivery = EventDelivery.LONG_POLL
    callback_secret_encrypted: str = ""
    confirmation_code: str = ""  # our reply when VK verifies the callback URL
    long_poll_ts: str = ""  # position in VK's event stream; empty: fetch the current one
    poll_lease_until_us: int = 0  # lease: only one process polls a community
    poll_leased_by: str = ""  # the worker; the lease ends with it
    last_contact_at_us: int = 0  # last event or last successful long poll
    caught_up_until_us: int = 0  # the history before this time was read
    error_code: str = ""
    error_since_us: int = 0
    checked_at_us: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    market_access: str = ""
    version: int = 0

    @property
    def link_name(self) -> str:
        """The community's name in vk.me links."""
        return self.screen_name or f"club{self.group_id}"


def with_error(community: Community, error_code: str, now_us: int) -> Community:
    """Return the community with this error; "" clears it.

    Repeating the same error does not change its time.
    """
    if community.error_code == error_code:
        return community
    return replace(community, error_code=error_code, error_since_us=now_us if error_code else 0)


def with_facts(community: Community, **facts: Any) -> Community:
    """Return the community with facts added to the stored ones."""
    return replace(community, facts=community.facts | facts)


def without_fact(community: Community, name: str) -> Community:
    """Return the community without one of its facts."""
    return replace(community, facts={key: f for key, f in community.facts.items() if key != name})


def with_profile(community: Community, profile: CommunityProfile) -> Community:
    """Return the community with what VK says about it."""
    renamed = replace(
        community,
        name=profile.name,
        screen_name=profile.screen_name,
        photo_url=profile.photo_url,
    )
    return with_facts(renamed, group=profile.flags)


def with_refreshed_profile(
    community: Community, profile: CommunityProfile, key_scopes: tuple[str, ...], now_us: int
) -> Community:
    """Return the community with what VK says about it and about its access key."""
    after = replace(with_profile(community, profile), key_scopes=key_scopes)
    return with_facts(after, refreshed_at_us=now_us)


def with_new_key(
    community: Community, profile: CommunityProfile, key_scopes: tuple[str, ...], now_us: int
) -> Community:
    """Return the community with a usable access key: its problem is solved.

    The refusals that VK gave to the old key are removed. Work that waited for a
    key is marked to be resumed.
    """
    facts = {name: fact for name, fact in community.facts.items() if not name.startswith("no_")}
    after = replace(
        community,
        long_poll_ts="",
        error_code="",
        error_since_us=0,
        checked_at_us=now_us,
        facts=facts | {"check": {"code": "", "at_us": now_us}},
    )
    return with_waiting_work(with_refreshed_profile(after, profile, key_scopes, now_us), now_us)


def with_check(community: Community, check: CommunityCheck, now_us: int) -> Community:
    """Return the community with the result of a check; a successful one clears its problem."""
    after = replace(community, checked_at_us=now_us)
    after = with_facts(after, check={"code": check.code, "at_us": now_us})
    if check.delivery_state:
        after = with_delivery_status(after, state=check.delivery_state)
    if check.profile is not None:
        after = with_refreshed_profile(after, check.profile, check.key_scopes, now_us)
        if not check.code:
            after = with_error(after, check.profile.deactivated, now_us)
    return after


def with_waiting_work(community: Community, now_us: int) -> Community:
    """Record that the work which waited for a usable key must be resumed."""
    return with_facts(community, resume=now_us)


def has_waiting_work(community: Community) -> bool:
    """Return whether work that waited for a usable key is not resumed yet."""
    return "resume" in community.facts


def without_waiting_work(community: Community) -> Community:
    """Return the community after its waiting work was resumed."""
    return without_fact(community, "resume")


def with_preferred_delivery(community: Community, choice: str) -> Community:
    """Return the community with the owner's choice of `DELIVERY_CHOICES`; "auto" for any other."""
    preferred = choice if choice in DELIVERY_CHOICES else AUTO_DELIVERY
    return replace(community, preferred_delivery=preferred)


def delivery_status(community: Community) -> dict[str, str]:
    """Return the stored delivery status.

    `state`: "ok", an error code, or "" if unknown. `callback`: why callbacks do not work although
    they are wanted, or "".
    """
    stored: dict[str, str] = community.facts.get("delivery", {})
    return {"state": "", "callback": ""} | stored


def with_delivery_status(community: Community, **fields: str) -> Community:
    """Return the community with changed fields of `delivery_status`."""
    return with_facts(community, delivery=delivery_status(community) | fields)


def with_callback_secret(
    community: Community, confirmation_code: str, new_secret_encrypted: str
) -> Community:
    """Return the community with VK's confirmation code; a secret that it has already stays."""
    return replace(
        community,
        confirmation_code=confirmation_code,
        callback_secret_encrypted=community.callback_secret_encrypted or new_secret_encrypted,
    )


def with_callback(community: Community) -> Community:
    """Return the community with events that come by callback."""
    after = replace(community, event_delivery=EventDelivery.CALLBACK, long_poll_ts="")
    return with_delivery_status(after, state=DELIVERY_OK, callback="")


def with_long_poll(community: Community, *, state: str, callback_error: str) -> Community:
    """Return the community with events that we poll. `callback_error`: why there are no callbacks.

    `state`: as in `delivery_status`.
    """
    after = replace(community, event_delivery=EventDelivery.LONG_POLL)
    return with_delivery_status(after, state=state, callback=callback_error)


def with_market_access(community: Community, market_access: str) -> Community:
    """Store whether the key can read market items: "ok" or VK's error code."""
    return replace(community, market_access=market_access)


def mark_disconnected(community: Community) -> Community:
    """Return the community without its problem and its callback delivery."""
    return replace(
        community,
        error_code="",
        error_since_us=0,
        event_delivery=EventDelivery.LONG_POLL,
    )
