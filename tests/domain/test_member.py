"""The full table of permissions by role."""

import pytest

from sigma.domain.accounts.member import PERMISSIONS_BY_ROLE, Member, Permission, Role
from sigma.domain.billing.mail import mask_email
from sigma.domain.errors import STATUS_BY_CODE, RefusedError

OPERATOR_PERMISSIONS = {
    Permission.READ,
    Permission.READ_ANSWERS,
    Permission.ISSUE,
    Permission.ANSWER,
    Permission.CUSTOMERS,
}
ADMIN_PERMISSIONS = OPERATOR_PERMISSIONS | {
    Permission.CATALOGUE,
    Permission.CAPTURE,
    Permission.REFUND,
    Permission.REPORTS,
    Permission.RECONCILE,
    Permission.AUDIT,
    Permission.PERSONAL_DATA,
    Permission.SETTINGS,
    Permission.KEYS,
    Permission.TEAM,
    Permission.JOBS,
}
ACCOUNTANT_PERMISSIONS = {Permission.READ, Permission.REPORTS, Permission.RECONCILE}


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        (Role.OWNER, ADMIN_PERMISSIONS | {Permission.OWNERSHIP}),
        (Role.ADMIN, ADMIN_PERMISSIONS),
        (Role.OPERATOR, OPERATOR_PERMISSIONS),
        (Role.ACCOUNTANT, ACCOUNTANT_PERMISSIONS),
        (Role.VIEWER, {Permission.READ, Permission.REPORTS}),
    ],
)
def test_role_has_exactly_the_permissions_of_the_table(
    role: Role, permissions: set[Permission]
) -> None:
    member = Member("usr_1", "shp_1", role)
    for permission in Permission:
        assert member.can(permission) is (permission in permissions)
        if permission in permissions:
            member.require(permission)
        else:
            with pytest.raises(RefusedError) as caught:
                member.require(permission)
            assert (caught.value.code, caught.value.http_status) == ("forbidden", 403)


def test_every_role_has_permissions() -> None:
    assert set(PERMISSIONS_BY_ROLE) == set(Role)


def test_every_refusal_code_has_http_error_status() -> None:
    assert all(400 <= status < 600 for status in STATUS_BY_CODE.values())
    for code, status in STATUS_BY_CODE.items():
        assert RefusedError(code).http_status == status
    with pytest.raises(AssertionError):
        RefusedError("no_such_code")


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ivan@mail.ru", "i***@mail.ru"),
        ("a@b.ru", "a***@b.ru"),
        ("почта@пример.рф", "п***@пример.рф"),
    ],
)
def test_masked_email_shows_first_letter_and_domain_only(address: str, masked: str) -> None:
    assert mask_email(address) == masked
