"""Who may do what: the table, in full."""

import pytest

from sigma.domain.accounts.member import MAY, Member, Permission, Role
from sigma.domain.billing.mail import mask_email
from sigma.domain.errors import CODES, Refused

R, A, I, W, V, C, F, S, J = (  # noqa: E741
    Permission.READ,
    Permission.READ_ANSWERS,
    Permission.ISSUE,
    Permission.ANSWER,
    Permission.CATALOGUE,
    Permission.CAPTURE,
    Permission.REFUND,
    Permission.SETTINGS,
    Permission.JOBS,
)


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.OWNER, {R, A, I, W, V, C, F, S, J}),
        (Role.ADMIN, {R, A, I, W, V, C, F, S, J}),
        (Role.OPERATOR, {R, A, I, W}),
        (Role.VIEWER, {R}),
    ],
)
def test_a_role_may_what_the_table_says_and_nothing_else(role: Role, may: set[Permission]) -> None:
    member = Member("usr_1", "shp_1", role)
    for permission in Permission:
        assert member.may(permission) is (permission in may)
        if permission in may:
            member.must(permission)
        else:
            with pytest.raises(Refused) as caught:
                member.must(permission)
            assert (caught.value.code, caught.value.status) == ("forbidden", 403)


def test_every_role_has_its_row() -> None:
    assert set(MAY) == set(Role)


def test_every_refusal_has_an_http_status_of_an_error() -> None:
    assert all(400 <= status < 600 for status in CODES.values())
    for code, status in CODES.items():
        assert Refused(code).status == status
    with pytest.raises(AssertionError):
        Refused("no_such_code")


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ivan@mail.ru", "i***@mail.ru"),
        ("a@b.ru", "a***@b.ru"),
        ("почта@пример.рф", "п***@пример.рф"),
    ],
)
def test_a_masked_address_is_known_again_only_by_its_owner(address: str, masked: str) -> None:
    assert mask_email(address) == masked
