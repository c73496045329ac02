"""Messages: the first delivery attempt, and VK's edits of stored messages."""

from dataclasses import replace

import pytest

from sigma.domain.messaging import message_changes
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import (
    FLOW,
    Message,
    MessageAttachment,
    MessageBody,
    MessageContent,
    Status,
    check_transition,
    mark_attempted,
    random_id,
    vk_edited_body,
)
from tests.domain.factories import NOW_US

QUEUED = Message("msg_1", "shp_1", "cnv_1", True, "usr_1", "body", NOW_US, 1, status=Status.QUEUED)


@pytest.mark.parametrize("new_status", Status)
@pytest.mark.parametrize("status", Status)
def test_status_moves_only_along_the_flow(status: Status, new_status: Status) -> None:
    message = replace(QUEUED, status=status)
    if new_status in FLOW[status]:
        assert check_transition(message, new_status) is new_status
    else:
        with pytest.raises(AssertionError):
            check_transition(message, new_status)


def test_first_attempt_is_recorded_once() -> None:
    change = mark_attempted(QUEUED, NOW_US)
    assert change.rows == (replace(QUEUED, first_attempt_at_us=NOW_US),)
    assert not mark_attempted(replace(QUEUED, first_attempt_at_us=NOW_US), NOW_US + 1)


def test_random_id_is_the_same_for_every_attempt_and_never_zero() -> None:
    assert random_id("msg_1") == random_id("msg_1") != random_id("msg_2")
    assert all(0 < random_id(f"msg_{n}") < 2**31 for n in range(1000))


PHOTO, VK_PHOTO = MessageAttachment("photo"), MessageAttachment("photo", url="https://vk.example")
SECOND_US = 1_000_000


@pytest.mark.parametrize(
    ("is_outgoing", "text", "edited_at_us", "expected"),
    [
        (False, "new", NOW_US + SECOND_US, MessageBody("new", (VK_PHOTO,))),
        (False, "new", NOW_US, MessageBody("new", (VK_PHOTO,))),
        (False, "new", NOW_US - SECOND_US, None),  # an older edit arrives late
        (False, "new", None, None),
        (True, "old", None, MessageBody("old", (VK_PHOTO,))),
    ],
)
def test_newer_edit_of_vk_wins(
    is_outgoing: bool, text: str, edited_at_us: int | None, expected: MessageBody | None
) -> None:
    stored, body = (
        replace(QUEUED, is_outgoing=is_outgoing, edited_at_us=NOW_US),
        MessageBody("old", (PHOTO,)),
    )
    content = MessageContent(text, (VK_PHOTO,))
    edited = vk_edited_body(stored, body, content, edited_at_us)
    assert edited == expected
    same = expected or body
    same_content = MessageContent(same.text, same.attachments)
    assert vk_edited_body(stored, same, same_content, NOW_US) is None


WHOLE, FIRST = (VK_PHOTO, PHOTO), (VK_PHOTO,)


@pytest.mark.parametrize(
    ("is_incomplete", "content", "edited_at_us", "expected"),
    [
        # A cropped list item never shortens what is stored, edited or not.
        (False, MessageContent("old", FIRST, is_incomplete=True), None, None),
        (False, MessageContent("old", FIRST, is_incomplete=True), NOW_US, None),
        (False, MessageContent("new", FIRST, is_incomplete=True), NOW_US, None),
        (False, MessageContent("old", FIRST, is_incomplete=True), NOW_US + SECOND_US, None),
        # A later edit is shown at once, even if parts of it are missing.
        (
            False,
            MessageContent("new", FIRST, is_incomplete=True),
            NOW_US + SECOND_US,
            MessageBody("new", FIRST),
        ),
        # The whole message completes an incomplete one, unless it is older.
        (True, MessageContent("all", WHOLE), None, MessageBody("all", WHOLE)),
        (True, MessageContent("all", WHOLE), NOW_US - SECOND_US, None),
        (True, MessageContent("old", FIRST, is_incomplete=True), None, None),
    ],
)
def test_incomplete_version_never_replaces_a_whole_one(
    is_incomplete: bool,
    content: MessageContent,
    edited_at_us: int | None,
    expected: MessageBody | None,
) -> None:
    stored = replace(QUEUED, is_outgoing=False, edited_at_us=NOW_US, is_incomplete=is_incomplete)
    body = MessageBody("old", WHOLE)
    assert vk_edited_body(stored, body, content, edited_at_us) == expected


@pytest.mark.parametrize(
    ("reason", "has_next"), [("9", True), ("601", True), ("6", False), ("29", False)]
)
def test_message_held_by_flood_control_lets_the_next_one_go(reason: str, has_next: bool) -> None:
    conversation = Conversation("cnv_1", "shp_1", "con_1", 777, NOW_US)
    change = message_changes.record_postponed(
        conversation,
        QUEUED,
        QUEUED,
        reason,
        is_undelivered=True,
        now_us=NOW_US,
        next_message_id="msg_2",
    )
    expected = [("message.send", "msg_2")] if has_next else []
    assert [(job.kind, job.subject_id) for job in change.jobs] == expected
