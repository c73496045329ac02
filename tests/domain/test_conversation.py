"""Conversations: who is unread, who waits for a reply, what the list shows, what is enqueued."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.change import Change
from sigma.domain.messaging import conversation_changes, message_changes
from sigma.domain.messaging.auto_reply import MAX_AUTO_REPLY_AGE_US
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.conversation import TYPING_TTL_US, Conversation
from sigma.domain.messaging.message import (
    AUTHOR_AUTO_REPLY,
    POSITION_STEP,
    Message,
    Status,
)
from sigma.domain.messaging.message_changes import IncomingFacts
from tests.domain.factories import HOUR_US, NOW_US

MINUTE_US = HOUR_US // 60
CARD = Card("crd_1", "shp_1", "inv_1", "cnv_1", NOW_US, "usr_1")
EMPTY = Conversation("cnv_1", "shp_1", "con_1", 7, NOW_US - HOUR_US)
# The client's message number 5 waits for a reply.
WAITING = replace(
    EMPTY,
    last_cmid=5,
    last_position=5 * POSITION_STEP,
    last_at_us=NOW_US - HOUR_US,
    last_incoming_at_us=NOW_US - HOUR_US,
    preview_encrypted="old",
    unread_count=1,
    is_unanswered=True,
    waiting_since_us=NOW_US - HOUR_US,
)
ANSWERED = replace(WAITING, unread_count=0, is_unanswered=False, is_last_outgoing=True)


def message(cmid: int | None = 6, **more: Any) -> Message:
    """Return a client's message; with other fields also an outgoing one."""
    position = (cmid or 5) * POSITION_STEP + (0 if cmid else 1)
    defaults: dict[str, Any] = {"is_outgoing": False, "author": "client", "cmid": cmid}
    values = defaults | {"written_at_us": NOW_US, "position": position} | more
    return Message("msg_1", "shp_1", "cnv_1", body_encrypted="body", **values)


def outgoing(cmid: int | None = None, **more: Any) -> Message:
    """Return a message of ours, queued unless VK has numbered it."""
    status = Status.SENT if cmid else Status.QUEUED
    defaults = {"is_outgoing": True, "author": "usr_1", "status": status, "random_id": 9}
    return message(cmid, **(defaults | more))


def conversation_of(change: Change) -> Conversation:
    (found,) = [row for row in change.rows if isinstance(row, Conversation)]
    return found


def message_of(change: Change) -> Message:
    (found,) = [row for row in change.rows if isinstance(row, Message)]
    return found


def job_kinds(change: Change) -> list[str]:
    return [job.kind for job in change.jobs]


def receive(before: Conversation, cmid: int = 6, **facts: Any) -> Change:
    written_at_us = facts.pop("written_at_us", NOW_US)
    incoming = message(cmid, written_at_us=written_at_us)
    return message_changes.record_incoming(before, incoming, IncomingFacts("new", **facts), NOW_US)


def test_new_conversation_fetches_the_profile() -> None:
    change = conversation_changes.start_conversation("cnv_1", "shp_1", "con_1", 7, NOW_US)
    assert conversation_of(change).title == "id7"
    assert job_kinds(change) == ["profile.fetch"]


@pytest.mark.parametrize(
    ("before", "cmid", "facts", "expected"),
    [
        # before, number, facts → unread count, waiting since, preview, last number
        (EMPTY, 1, {}, (1, NOW_US, "new", 1)),
        (ANSWERED, 6, {}, (1, NOW_US, "new", 6)),
        (WAITING, 6, {}, (2, NOW_US - HOUR_US, "new", 6)),
        (ANSWERED, 6, {"is_unread": False}, (0, None, "new", 6)),
        (WAITING, 4, {"is_unread": False}, (1, NOW_US - HOUR_US, "old", 5)),
        (ANSWERED, 4, {"last_message": outgoing(5)}, (1, NOW_US, "old", 5)),
        (ANSWERED, 4, {"last_message": outgoing(5, author="vk:3")}, (0, None, "old", 5)),
    ],
)
def test_incoming_message_counts_as_unread_and_unanswered(
    before: Conversation,
    cmid: int,
    facts: dict[str, Any],
    expected: tuple[int, int | None, str, int],
) -> None:
    after = conversation_of(receive(before, cmid, **facts))
    waiting_since_us = after.waiting_since_us if after.is_unanswered else None
    list_state = (after.unread_count, waiting_since_us, after.preview_encrypted, after.last_cmid)
    assert list_state == expected


@pytest.mark.parametrize(
    ("before", "cmid", "facts", "kinds"),
    [
        (WAITING, 6, {}, []),
        (WAITING, 7, {}, ["conversation.catch_up"]),
        (WAITING, 7, {"is_live": False}, []),
        (WAITING, 6, {"auto_replies_enabled": True}, ["auto_reply.send"]),
        (WAITING, 6, {"auto_replies_enabled": True, "is_unread": False}, []),
        (replace(WAITING, handled_by_operator=True), 6, {"auto_replies_enabled": True}, []),
        (
            WAITING,
            6,
            {"auto_replies_enabled": True, "written_at_us": NOW_US - MAX_AUTO_REPLY_AGE_US - 1},
            [],
        ),
        (replace(WAITING, blocked_reason="901"), 6, {"cards": [CARD]}, ["card.refresh"]),
        (replace(WAITING, blocked_reason="901"), 4, {"cards": [CARD]}, []),
    ],
)
def test_incoming_message_enqueues_jobs(
    before: Conversation, cmid: int, facts: dict[str, Any], kinds: list[str]
) -> None:
    assert job_kinds(receive(before, cmid, **facts)) == kinds


@pytest.mark.parametrize(
    ("before", "cmid", "expected"),
    [
        (WAITING, 6, ("svc_new", "ad", "text")),
        (replace(WAITING, service_id="svc_old", vk_ref="old"), 6, ("svc_new", "ad", "text")),
        (replace(WAITING, service_id="svc_old", vk_ref="old"), 4, ("svc_old", "old", "")),
        (replace(WAITING, vk_ref="old"), 4, ("svc_new", "old", "")),
        (WAITING, 4, ("svc_new", "ad", "")),
    ],
)
def test_latest_message_decides_service_ref_and_buttons(
    before: Conversation, cmid: int, expected: tuple[str, str, str]
) -> None:
    change = receive(before, cmid, service_id="svc_new", vk_ref="ad", supported_buttons="text")
    after = conversation_of(change)
    assert (after.service_id, after.vk_ref, after.supported_buttons) == expected


@pytest.mark.parametrize(
    ("author", "is_live", "cmid", "expected"),
    [
        # author, live, number → unanswered, auto-replies paused, jobs
        ("vk:3", True, 6, (False, True, [])),
        ("vk:3", False, 6, (False, False, [])),
        ("vk:3", True, 8, (False, True, ["conversation.catch_up"])),
        ("vk:0", True, 6, (True, False, [])),
    ],
)
def test_message_written_in_vk_answers_unless_a_bot_wrote_it(
    author: str, is_live: bool, cmid: int, expected: tuple[bool, bool, list[str]]
) -> None:
    found = outgoing(cmid, author=author)
    change = message_changes.record_outgoing(
        WAITING, found, preview_encrypted="new", is_live=is_live, now_us=NOW_US
    )
    after = conversation_of(change)
    assert (after.is_unanswered, after.handled_by_operator, job_kinds(change)) == expected
    assert after.preview_encrypted == "new"


@pytest.mark.parametrize(
    ("author", "options", "expected"),
    [
        # author → unread count, unanswered, still typing, auto-replies paused
        ("usr_1", {"pauses_auto_replies": True}, (0, False, False, True)),
        ("usr_2", {"pauses_auto_replies": True}, (0, False, True, True)),
        ("usr_1", {"is_reply": False}, (1, True, True, False)),
        (AUTHOR_AUTO_REPLY, {}, (1, True, True, False)),
    ],
)
def test_queued_reply_answers_the_client(
    author: str, options: dict[str, bool], expected: tuple[int, bool, bool, bool]
) -> None:
    typing = replace(WAITING, typing_user_id="usr_1", typing_until_us=NOW_US + 1)
    queued, change = message_changes.queue_message(
        typing,
        message_id="msg_2",
        author=author,
        body_encrypted="body",
        preview_encrypted="new",
        idempotency_key="key",
        now_us=NOW_US,
        **options,
    )
    after = conversation_of(change)
    state = (after.unread_count, after.is_unanswered, bool(after.typing_user(NOW_US)))
    assert (*state, after.handled_by_operator) == expected
    assert (queued.position, after.last_position) == (5 * POSITION_STEP + 1,) * 2
    assert job_kinds(change) == ["message.send"]


@pytest.mark.parametrize(("age_us", "is_moved"), [(MINUTE_US - 1, False), (MINUTE_US, True)])
def test_delivered_message_gets_the_number_and_sends_the_next(age_us: int, is_moved: bool) -> None:
    queued = outgoing(written_at_us=NOW_US - age_us, failure="postponed:6")
    change = message_changes.record_delivered(
        WAITING,
        queued,
        cmid=7,
        vk_id=0,
        body_encrypted="body",
        preview_encrypted="new",
        next_message_id="msg_2",
        now_us=NOW_US,
    )
    sent = message_of(change)
    assert (sent.status, sent.cmid, sent.position) == (Status.SENT, 7, 7 * POSITION_STEP)
    assert (sent.written_at_us == NOW_US, sent.failure) == (is_moved, "")
    assert [(job.kind, job.subject_id) for job in change.jobs] == [
        ("message.send", "msg_2"),
        ("conversation.catch_up", "cnv_1"),
    ]
    assert conversation_of(change).is_unanswered, "the client may have written since"


@pytest.mark.parametrize(("code", "blocked_reason"), [(901, "901"), (914, "")])
def test_permanent_error_fails_the_message_and_may_block_the_client(
    code: int, blocked_reason: str
) -> None:
    def fail(failed: Message) -> Change:
        return message_changes.record_failed(
            WAITING, failed, error_code=code, next_message_id="msg_2", now_us=NOW_US
        )

    change = fail(outgoing())
    assert (message_of(change).status, message_of(change).failure) == (Status.FAILED, str(code))
    assert conversation_of(change).blocked_reason == blocked_reason
    assert job_kinds(change) == ["message.send"]
    assert not fail(outgoing(6)), "VK has it"


@pytest.mark.parametrize(
    ("tried_before", "is_undelivered", "expected_at_us"),
    [(None, True, None), (None, False, NOW_US), (NOW_US, True, NOW_US)],
)
def test_postponed_message_remembers_an_attempt_that_vk_may_have(
    tried_before: int | None, is_undelivered: bool, expected_at_us: int | None
) -> None:
    snapshot = outgoing(first_attempt_at_us=tried_before)
    current = outgoing(first_attempt_at_us=NOW_US)

    def postpone(current: Message) -> Change:
        return message_changes.record_postponed(
            WAITING, current, snapshot, "6", is_undelivered=is_undelivered, now_us=NOW_US
        )

    postponed = message_of(postpone(current))
    assert (postponed.failure, postponed.first_attempt_at_us) == ("postponed:6", expected_at_us)
    assert not postpone(postponed), "nothing new"
    assert not postpone(outgoing(6)), "VK has it"


def test_retry_queues_a_failed_message_after_all_others() -> None:
    failed = outgoing(status=Status.FAILED, failure="914")
    change = message_changes.retry_message(replace(WAITING, last_cmid=9), failed, NOW_US)
    queued = message_of(change)
    assert (queued.status, queued.failure, queued.random_id) == (Status.QUEUED, "", 9)
    assert queued.position == 9 * POSITION_STEP + 1
    assert job_kinds(change) == ["message.send"]
    assert not message_changes.retry_message(WAITING, outgoing(), NOW_US)


@pytest.mark.parametrize(("cmid", "preview"), [(5, "edited"), (4, "old")])
def test_edit_changes_the_preview_of_the_last_message_only(cmid: int, preview: str) -> None:
    change = message_changes.edit_message(
        WAITING,
        message(cmid),
        body_encrypted="edited body",
        preview_encrypted="edited",
        edited_at_us=NOW_US,
        now_us=NOW_US,
    )
    edited = message_of(change)
    assert (edited.body_encrypted, edited.edited_at_us) == ("edited body", NOW_US)
    assert conversation_of(change).preview_encrypted == preview


def test_read_mark_stops_at_a_newer_message() -> None:
    assert not conversation_changes.mark_read(WAITING, 4, NOW_US)
    change = conversation_changes.mark_read(WAITING, 5, NOW_US)
    assert (conversation_of(change).unread_count, conversation_of(change).is_unanswered) == (
        0,
        True,
    )
    assert job_kinds(change) == ["conversation.mark_read"]
    assert not conversation_changes.mark_read(conversation_of(change), 5, NOW_US)


def test_answered_mark_and_pause_change_once() -> None:
    answered = conversation_of(conversation_changes.mark_answered(WAITING, NOW_US))
    assert (answered.unread_count, answered.is_unanswered) == (0, False)
    assert not conversation_changes.mark_answered(answered, NOW_US)
    paused = conversation_of(conversation_changes.set_auto_replies_paused(WAITING, True, NOW_US))
    assert (paused.handled_by_operator, paused.changed_at_us) == (True, NOW_US)
    assert not conversation_changes.set_auto_replies_paused(paused, True, NOW_US)


@pytest.mark.parametrize(
    ("typing_user_id", "left_us", "is_typing", "expected"),
    [
        ("", 0, False, "usr_1"),
        ("usr_1", TYPING_TTL_US // 2, True, "usr_1"),
        ("usr_1", TYPING_TTL_US // 2 + 1, True, None),  # recorded recently
        ("usr_2", TYPING_TTL_US, False, None),
        ("usr_2", TYPING_TTL_US, True, "usr_1"),
        ("usr_2", 0, False, "usr_1"),
    ],
)
def test_typing_is_refreshed_and_focus_displaces_no_one(
    typing_user_id: str, left_us: int, is_typing: bool, expected: str | None
) -> None:
    before = replace(WAITING, typing_user_id=typing_user_id, typing_until_us=NOW_US + left_us)
    change = conversation_changes.start_typing(before, "usr_1", NOW_US, is_typing=is_typing)
    assert (conversation_of(change).typing_user(NOW_US) if change else None) == expected


@pytest.mark.parametrize(
    ("reason", "only_from", "is_unblocked"),
    [("", "", False), ("901", "", True), ("900", "900", True), ("901", "900", False)],
)
def test_unblocked_conversation_refreshes_its_cards(
    reason: str, only_from: str, is_unblocked: bool
) -> None:
    blocked = replace(WAITING, blocked_reason=reason)
    change = conversation_changes.unblock(blocked, [CARD], NOW_US, only_from=only_from)
    assert bool(change) == is_unblocked
    if is_unblocked:
        assert conversation_of(change).blocked_reason == ""
        assert job_kinds(change) == ["card.refresh"]


def test_block_is_recorded_once() -> None:
    blocked = conversation_of(conversation_changes.block(WAITING, "901", NOW_US))
    assert blocked.blocked_reason == "901"
    assert not conversation_changes.block(blocked, "901", NOW_US)


@pytest.mark.parametrize(
    ("before", "blocked_reason", "is_unanswered", "expected"),
    [
        # before, VK's flags → blocked reason, unanswered; None: nothing changes
        (EMPTY, None, False, None),
        (EMPTY, "", False, None),
        (EMPTY, "901", False, ("901", False)),
        (EMPTY, None, True, ("", True)),
        (ANSWERED, None, True, None),
        (replace(WAITING, blocked_reason="901"), "", False, ("", True)),
    ],
)
def test_flags_of_vk_are_stored(
    before: Conversation,
    blocked_reason: str | None,
    is_unanswered: bool,
    expected: tuple[str, bool] | None,
) -> None:
    change = conversation_changes.sync_flags(
        before, blocked_reason=blocked_reason, is_unanswered=is_unanswered, now_us=NOW_US
    )
    after = conversation_of(change) if change else None
    assert (after and (after.blocked_reason, after.is_unanswered)) == expected


@pytest.mark.parametrize(
    ("before_reason", "blocked_reason", "is_refreshed"),
    [("901", "", True), ("901", "902", False), ("901", None, False), ("", "", False)],
)
def test_cards_are_refreshed_when_vk_reports_the_conversation_unblocked(
    before_reason: str, blocked_reason: str | None, is_refreshed: bool
) -> None:
    card = Card("crd_1", "shp_1", "inv_1", EMPTY.id, NOW_US, "usr_1")
    change = conversation_changes.sync_flags(
        replace(EMPTY, blocked_reason=before_reason),
        blocked_reason=blocked_reason,
        is_unanswered=False,
        now_us=NOW_US,
        cards=[card],
    )
    expected = [("card.refresh", "inv_1")] if is_refreshed else []
    assert [(job.kind, job.subject_id) for job in change.jobs] == expected


def test_profile_is_stored_when_it_has_a_name() -> None:
    change = conversation_changes.update_profile(EMPTY, "Анна", "https://vk.example/1", NOW_US)
    named = conversation_of(change)
    assert (named.title, named.photo_url) == ("Анна", "https://vk.example/1")
    assert not conversation_changes.update_profile(named, "Анна", "https://vk.example/1", NOW_US)
    assert not conversation_changes.update_profile(named, "", "", NOW_US)
