"""Guards of teams, invitations and API keys, see scripts/mutants.py."""

from scripts.mutant import Mutant

TEAM = "src/sigma/services/accounts/team.py"
MEMBER = "src/sigma/domain/accounts/member.py"
INVITATIONS = "src/sigma/services/accounts/invitations.py"
API_KEYS = "src/sigma/services/accounts/api_keys.py"
TESTS = ("tests/services/test_team.py",)

PEOPLE_MUTANTS = (
    Mutant(
        "a shop keeps an owner",
        "src/sigma/domain/accounts/team.py",
        "if new_role is not Role.OWNER and set(owner_ids) == {user_id}:",
        "if False:",
        ("tests/domain/test_team.py",),
    ),
    Mutant(
        "only an owner gives or takes the role of an owner",
        "src/sigma/domain/accounts/team.py",
        "    if Role.OWNER in roles:\n",
        "    if False:\n",
        ("tests/domain/test_team.py",),
    ),
    Mutant(
        "the acting member is read again under the lock",
        TEAM,
        "    return replace(member, role=role)\n",
        "    return member\n",
        TESTS,
    ),
    Mutant(
        "the sessions of a removed member end",
        TEAM,
        "    await sessions.delete_of_member(tx, user_id, shop_id)\n",
        "",
        TESTS,
    ),
    Mutant(
        "the keys of a removed member are revoked",
        TEAM,
        "ctx, tx, user_id, actor=acting.actor, origin=acting.origin",
        'ctx, tx, "", actor=acting.actor, origin=acting.origin',
        TESTS,
    ),
    Mutant(
        "a key whose maker has left is refused",
        API_KEYS,
        "found is None or found.role is None:",
        "found is None:",
        TESTS,
    ),
    Mutant("a key expires", API_KEYS, "    if key.is_expired(now_us):\n", "    if False:\n", TESTS),
    Mutant(
        "a key is used from its addresses only",
        API_KEYS,
        "    if not key.allows_address(ip):\n",
        "    if False:\n",
        TESTS,
    ),
    Mutant(
        "a route of the API needs its scope",
        "src/sigma/web/api/http.py",
        '    member.require_scope(request.route_handler.opt["scope"])\n',
        "",
        ("tests/web/test_role_matrix.py",),
    ),
    Mutant(
        "a key has only the rights of its scopes",
        MEMBER,
        "        return self.scopes is None or any(\n",
        "        return True or any(\n",
        ("tests/domain/test_team.py",),
    ),
    Mutant(
        "refunds of a payment count together against the limit of a role",
        MEMBER,
        "refunded.minor + amount.minor <= limit.minor",
        "amount.minor <= limit.minor",
        ("tests/domain/test_team.py",),
    ),
    Mutant(
        "a refund is compared with the limit of the role",
        "src/sigma/services/billing/refunds.py",
        "member.require_refund(amount, domain.refunded_by_sigma(earlier, amount.currency))",
        "pass",
        TESTS,
    ),
    Mutant(
        "an invitation is for one address",
        INVITATIONS,
        "    if view.invitation.login != session.user.login:\n",
        "    if False:\n",
        TESTS,
    ),
    Mutant(
        "an invitation takes over no account",
        INVITATIONS,
        "    if view.has_account:\n",
        "    if False:\n",
        TESTS,
    ),
    Mutant(
        "an invitation ends with the right of its maker",
        INVITATIONS,
        "    except RefusedError:\n        return InvitationState.REVOKED\n",
        "    except RefusedError:\n        return state\n",
        TESTS,
    ),
    Mutant(
        "a switch of the shop invalidates open forms",
        "src/sigma/services/accounts/own_shops.py",
        "        csrf_token = secrets.token_urlsafe(24)\n",
        "        csrf_token = session.csrf\n",
        ("tests/web/test_own_shops.py",),
    ),
    Mutant(
        "only one's own shops can be opened",
        "src/sigma/services/accounts/own_shops.py",
        "    if shop is None:\n",
        "    if False:\n",
        ("tests/web/test_own_shops.py",),
    ),
    Mutant(
        "only administrators reach the pages of the installation",
        "src/sigma/services/accounts/installation.py",
        "    if not await is_administrator(ctx, user_id):\n",
        "    if False:\n",
        ("tests/web/test_role_matrix.py",),
    ),
)
