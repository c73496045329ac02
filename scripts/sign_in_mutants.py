"""The guards of signing in: second step, passkeys, new passwords, sessions, confirmations."""

from scripts.mutant import Mutant

USERS = "src/sigma/services/accounts/users.py"
AUTHENTICATION = "src/sigma/services/authentication"
GUARDS = "src/sigma/web/cabinet/guards.py"

SIGN_IN_MUTANTS = (
    Mutant(
        "sign-in: a code of an app works once",
        "src/sigma/domain/accounts/second_factor.py",
        "if matches(step) and step > app.last_step",
        "if matches(step)",
        ("tests/domain/test_second_factor.py",),
    ),
    Mutant(
        "sign-in: a challenge of a passkey works once",
        f"{AUTHENTICATION}/passkeys.py",
        'or not await ctx.limiter.is_allowed(PASSKEY_CHALLENGE, values["challenge"]):',
        "or False:",
        ("tests/services/test_passkeys.py",),
    ),
    Mutant(
        "sign-in: a passkey of another account proves nothing",
        f"{AUTHENTICATION}/passkeys.py",
        "if is_of_other_user or not",
        "if not",
        ("tests/services/test_passkeys.py",),
    ),
    Mutant(
        "sign-in: a password alone is half a sign-in when there is a second factor",
        USERS,
        "is_pending = proofs == BY_PASSWORD and bool(",
        "is_pending = False and bool(",
        ("tests/services/test_second_factors.py",),
    ),
    Mutant(
        "sign-in: half a sign-in opens nothing",
        USERS,
        "row_and_role[0].is_pending != is_pending",
        "False",
        ("tests/web/test_second_factor_pages.py",),
    ),
    Mutant(
        "sign-in: a shop's rule holds on every page",
        GUARDS,
        "if not session.meets_shop_rule and not _is_before_enrolment(connection):",
        "if False:",
        ("tests/web/test_second_factor_pages.py",),
    ),
    Mutant(
        "sign-in: important deeds need a recent proof",
        GUARDS,
        "        reauthentication.require_recent(ctx, session)\n",
        "        pass\n",
        ("tests/web/test_reauthentication.py",),
    ),
    Mutant(
        "sign-in: an unused session ends",
        USERS,
        "return ctx.now_us() - idle_limit_us",
        "return 0 * idle_limit_us",
        ("tests/web/test_sessions.py",),
    ),
    Mutant(
        "sign-in: a changed password voids links for a new one",
        "src/sigma/domain/accounts/password_reset.py",
        "return self.created_at_us <= password_changed_at_us",
        "return False",
        ("tests/services/test_password_resets.py",),
    ),
    Mutant(
        "sign-in: a reset password ends all sessions",
        f"{AUTHENTICATION}/password_resets.py",
        "        await sessions.delete_all(tx, current.user.id)\n",
        "",
        ("tests/services/test_password_resets.py",),
    ),
    Mutant(
        "sign-in: keys of a stolen session die with the password",
        "src/sigma/services/accounts/password_changes.py",
        "    if revoke_keys_since_us is not None:\n",
        "    if False:\n",
        ("tests/web/test_sessions.py",),
    ),
    Mutant(
        "sign-in: the set-up page demands the code of the server's output",
        f"{AUTHENTICATION}/setup_codes.py",
        "if not hmac.compare_digest(given.encode(), expected.encode()):",
        "if False:",
        ("tests/web/test_setup.py",),
    ),
)
