"""Guards of teams, invitations and API keys, see scripts/mutants.py."""

from scripts.mutant import Mutant

TEAM = "src/sigma/services/accounts/team.py"
MEMBER = "src/sigma/domain/accounts/member.py"
INVITATIONS = "src/sigma/services/accounts/invitations.py"
API_KEYS = "src/sigma/services/accounts/api_keys.py"
TESTS = ("tests/services/test_team.py",)
ATTACKS = ("tests/services/test_team_attacks.py",)

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
        "an invitation is accepted once by simultaneous requests",
        INVITATIONS,
        "    _require_open(await _state(ctx, tx, invitation))\n",
        "    pass\n",
        ATTACKS,
    ),
    Mutant(
        "an admin gives no role a higher refund limit than admins have",
        "src/sigma/domain/accounts/team.py",
        "(role is actor.role or is_beyond)",
        "role is actor.role",
        ATTACKS,
    ),
    Mutant(
        "a link for a new password passes no mail server that others may change",
        "src/sigma/domain/accounts/team.py",
        "        return set(editors) == {secret_of.id}\n",
        "        return True\n",
        ("tests/services/test_access_mails.py",),
    ),
    Mutant(
        "small refunds count together until a confirmation",
        "src/sigma/services/authentication/reauthentication.py",
        "total_minor > limit_minor",
        "refund.amount.minor > limit_minor",
        ("tests/services/test_session_races.py",),
    ),
    Mutant(
        "a password that was changed after it was verified opens nothing",
        "src/sigma/services/accounts/users.py",
        "current.password_hash != user.password_hash",
        "False",
        ("tests/services/test_session_races.py",),
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
        "src/sigma/domain/accounts/form_token.py",
        'f"form:{shop_id}".encode()',
        'b"form"',
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
