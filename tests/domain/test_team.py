"""Rules of a team: who may give which role, the last owner, refund limits, rights of keys."""

import itertools

import pytest

from sigma.domain.accounts.api_key import ApiKey, check_scopes, parse_networks, usable_scopes
from sigma.domain.accounts.invitation import LIFETIME_US, Invitation, InvitationState
from sigma.domain.accounts.member import (
    ALL_SCOPES,
    PERMISSIONS_BY_ROLE,
    PERMISSIONS_BY_SCOPE,
    Member,
    Permission,
    RefundLimits,
    Role,
    Scope,
)
from sigma.domain.accounts.quota import MAX_QUOTA, Quotas, check_quotas
from sigma.domain.accounts.team import (
    assignable_roles,
    require_can_assign,
    require_remaining_owner,
)
from sigma.domain.errors import Problem, RefusedError
from sigma.domain.money import Money


def member(role: Role, limits: RefundLimits | None = None, *scopes: Scope) -> Member:
    return Member(
        "usr_1", "shp_1", role, limits or RefundLimits(), frozenset(scopes) if scopes else None
    )


@pytest.mark.parametrize("role", list(Role))
def test_roles_that_a_member_may_give(role: Role) -> None:
    expected = {Role.OWNER: set(Role), Role.ADMIN: set(Role) - {Role.OWNER}}.get(role, set())
    actor = member(role)
    assert set(assignable_roles(actor)) == expected
    for one, other in itertools.product(Role, repeat=2):
        if {one, other} <= expected:
            require_can_assign(actor, one, other)
        else:
            with pytest.raises(RefusedError, match="forbidden"):
                require_can_assign(actor, one, other)


@pytest.mark.parametrize("new_role", [None, *Role])
def test_last_owner_stays(new_role: Role | None) -> None:
    require_remaining_owner({"usr_1", "usr_2"}, "usr_1", new_role)
    require_remaining_owner({"usr_2"}, "usr_1", new_role)
    if new_role is Role.OWNER:
        require_remaining_owner({"usr_1"}, "usr_1", new_role)
        return
    with pytest.raises(RefusedError, match="last_owner"):
        require_remaining_owner({"usr_1"}, "usr_1", new_role)


@pytest.mark.parametrize(
    ("role", "limits", "amount", "refunded", "code"),
    [
        (Role.OWNER, RefundLimits(0, 0, 0), Money(10**9), Money(0), ""),
        (Role.ADMIN, RefundLimits(), Money(10**9), Money(0), ""),
        (Role.ADMIN, RefundLimits(admin=100), Money(100), Money(0), ""),
        (Role.ADMIN, RefundLimits(admin=100), Money(101), Money(0), "refund_over_limit"),
        (Role.OPERATOR, RefundLimits(), Money(1), Money(0), "forbidden"),
        (Role.OPERATOR, RefundLimits(operator=100), Money(60), Money(40), ""),
        (Role.OPERATOR, RefundLimits(operator=100), Money(60), Money(41), "refund_over_limit"),
        (Role.OPERATOR, RefundLimits(operator=100), Money(1, "USD"), Money(0, "USD"), "currency"),
        (Role.OPERATOR, RefundLimits(operator=None), Money(9, "USD"), Money(0, "USD"), ""),
        (Role.ACCOUNTANT, RefundLimits(), Money(1), Money(0), "forbidden"),
        (Role.ACCOUNTANT, RefundLimits(accountant=1), Money(1), Money(0), ""),
        (Role.VIEWER, RefundLimits(None, None, None), Money(1), Money(0), "forbidden"),
    ],
)
def test_refund_is_limited_by_the_role_and_by_earlier_refunds(
    role: Role, limits: RefundLimits, amount: Money, refunded: Money, code: str
) -> None:
    actor = member(role, limits)
    if not code:
        actor.require_refund(amount, refunded)
        return
    with pytest.raises(RefusedError) as caught:
        actor.require_refund(amount, refunded)
    assert caught.value.code == ("refund_over_limit" if code == "currency" else code)


def test_viewer_has_no_refund_even_if_a_limit_is_stored() -> None:
    assert Permission.REFUND not in PERMISSIONS_BY_ROLE[Role.VIEWER]
    assert not member(Role.VIEWER, RefundLimits(None, None, None)).can(Permission.REFUND)


@pytest.mark.parametrize("role", list(Role))
def test_key_never_has_more_rights_than_its_maker(role: Role) -> None:
    person = member(role)
    for size in range(len(ALL_SCOPES) + 1):
        for scopes in itertools.combinations(ALL_SCOPES, size):
            key = Member("key_1", "shp_1", role, RefundLimits(), frozenset(scopes))
            granted = {p for p in Permission if key.can(p)}
            assert granted <= {p for p in Permission if person.can(p)}
            of_scopes = set[Permission]().union(*(PERMISSIONS_BY_SCOPE[s] for s in scopes))
            assert granted <= of_scopes


def test_scope_ends_with_the_right_of_the_maker() -> None:
    assert member(Role.ADMIN, None, Scope.REFUNDS_WRITE).can_use(Scope.REFUNDS_WRITE)
    lowered = member(Role.VIEWER, None, Scope.REFUNDS_WRITE)
    with pytest.raises(RefusedError) as caught:
        lowered.require_scope(Scope.REFUNDS_WRITE)
    assert (caught.value.code, caught.value.params) == (
        "missing_scope",
        {"scope": "refunds:write"},
    )
    member(Role.VIEWER).require_scope(Scope.REFUNDS_WRITE)  # a person has no scopes


def test_no_scope_grants_rights_over_the_shop() -> None:
    """A stolen key must not become a member, another key or a changed connection."""
    granted = set[Permission]().union(*PERMISSIONS_BY_SCOPE.values())
    assert not granted & {
        *(Permission.TEAM, Permission.OWNERSHIP, Permission.KEYS, Permission.SETTINGS),
        *(Permission.JOBS, Permission.PERSONAL_DATA, Permission.CUSTOMERS),
    }


def test_key_cannot_be_created_beyond_the_rights_of_its_maker() -> None:
    operator = member(Role.OPERATOR)
    assert Scope.REFUNDS_WRITE not in usable_scopes(operator)
    (problem,) = check_scopes(operator, (Scope.INVOICES_READ, Scope.REFUNDS_WRITE))
    assert problem.code == "scope_beyond"
    assert [p.code for p in check_scopes(operator, ())] == ["scopes_required"]
    assert check_scopes(member(Role.ADMIN), ALL_SCOPES) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (" 203.0.113.7\n10.0.0.0/8, 10.0.0.0/8 ", ("203.0.113.7/32", "10.0.0.0/8")),
        ("2001:DB8::/32", ("2001:db8::/32",)),
        ("0.0.0.0/0", ("0.0.0.0/0",)),
        ("10.0.0.1/8", "network"),
        ("example.org", "network"),
        ("10.0.0.0/33", "network"),
        (" ".join(f"10.0.0.{n}" for n in range(21)), "too_many"),
    ],
)
def test_networks_are_parsed_strictly(text: str, expected: object) -> None:
    parsed = parse_networks(text)
    assert (parsed.code if isinstance(parsed, Problem) else parsed) == expected


@pytest.mark.parametrize(
    ("networks", "ip", "is_allowed"),
    [
        ((), "198.51.100.1", True),
        ((), "", True),
        (("10.0.0.0/8",), "10.200.0.1", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "2001:db8::1", False),
        (("2001:db8::/32",), "2001:db8::1%eth0", True),
        (("10.0.0.0/8",), "", False),
        (("10.0.0.0/8",), "unknown", False),
        (("203.0.113.7/32", "10.0.0.0/8"), "203.0.113.7", True),
    ],
)
def test_key_is_used_from_allowed_addresses_only(
    networks: tuple[str, ...], ip: str, is_allowed: bool
) -> None:
    key = ApiKey("key_1", "shp_1", "", "", "", (), "cli", 0, allowed_networks=networks)
    assert key.allows_address(ip) is is_allowed


def test_invitation_is_open_for_seven_days() -> None:
    invitation = Invitation("ivt_1", "shp_1", "a@b.ru", Role.VIEWER, "", "usr_1", 0, LIFETIME_US)
    assert invitation.state_at(LIFETIME_US - 1) is InvitationState.OPEN
    assert invitation.state_at(LIFETIME_US) is InvitationState.EXPIRED
    assert LIFETIME_US == 7 * 86_400 * 1_000_000


@pytest.mark.parametrize("value", [None, 0, 1, MAX_QUOTA])
def test_quota_within_bounds_is_valid(value: int | None) -> None:
    assert check_quotas(Quotas(value, value, value)) == []


@pytest.mark.parametrize("value", [-1, MAX_QUOTA + 1])
def test_quota_out_of_bounds_is_a_problem(value: int) -> None:
    assert {p.field for p in check_quotas(Quotas(value, value, value))} == {
        *("invoices_per_day", "messages_per_day", "storage_bytes")
    }
