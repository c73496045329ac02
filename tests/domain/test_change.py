"""A Change: adding changes, and the stored response to the request that caused it."""

import pytest

from sigma.domain.change import Change, Job
from sigma.domain.idempotency import Idempotency, StoredResponse, render_id
from tests.domain.factories import NOW_US, invoice

IDEMPOTENCY = Idempotency("shp_1", "key-1", "hash", 201, render_id)
STORED = StoredResponse("shp_1", "key-1", "hash", 201, "inv_1", NOW_US)


def test_change_with_response_stores_the_rendered_result() -> None:
    change = Change((invoice(),)).with_response(IDEMPOTENCY, invoice(), NOW_US)
    assert change == Change((invoice(),), response=STORED)


def test_request_without_idempotency_key_stores_no_response() -> None:
    assert not Change().with_response(None, invoice(), NOW_US)


def test_change_with_only_a_response_is_not_empty() -> None:
    assert Change(response=STORED)


def test_sum_of_changes_keeps_the_response_of_either() -> None:
    answered, other = Change(response=STORED), Change(jobs=(Job("mail.send", "mail_1", "shp_1"),))
    assert (answered + other).response == (other + answered).response == STORED


def test_change_answers_one_request() -> None:
    with pytest.raises(AssertionError):
        Change(response=STORED).with_response(IDEMPOTENCY, invoice(), NOW_US)
