"""Messages: the first delivery attempt, and VK's edits of stored messages."""

from dataclasses import replace

import pytest

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
