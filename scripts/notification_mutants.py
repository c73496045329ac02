"""Guards of notifications to members: switches, quiet hours, rights, repeats."""

from scripts.mutant import Mutant

NOTIFICATION_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "notification: what was switched off is not sent by a retry",
        "src/sigma/services/notifications/delivery.py",
        "wanted = [one for one in waiting if is_wanted(chosen, member, one.kind, way_of[one.id])]",
        "wanted = waiting",
        ("tests/services/test_notifications.py",),
    ),
    Mutant(
        "notification: a retry waits for the end of quiet hours",
        "src/sigma/services/notifications/delivery.py",
        "due_at_us, delivery = next_attempt_due(chosen, latest, now_us).at_us, latest",
        "due_at_us, delivery = None, latest",
        ("tests/services/test_notifications.py",),
    ),
    Mutant(
        "notification: the window makes a hundred payments two messages",
        "src/sigma/domain/notifications/notification.py",
        "return Due(at_us if at_us > now_us else None)",
        "return Due()",
        ("tests/domain/test_notifications.py",),
    ),
    Mutant(
        "notification: a role gets only what it may see",
        "src/sigma/domain/notifications/preferences.py",
        "in preferences.choices and member.can(PERMISSIONS[kind])",
        "in preferences.choices",
        ("tests/domain/test_notifications.py",),
    ),
    Mutant(
        "notification: VK's history is searched after a lost answer",
        "src/sigma/services/notifications/ways.py",
        "if outgoing.is_repeated and await",
        "if False and await",
        ("tests/services/test_notification_delivery.py",),
    ),
    Mutant(
        "notification: a repeated push has the same tag",
        "src/sigma/services/notifications/ways.py",
        '"tag": outgoing.id,',
        '"tag": ctx.new_id("ndl"),',
        ("tests/services/test_notification_delivery.py",),
    ),
    Mutant(
        "notification: a member's own VK page is no client",
        "src/sigma/services/notifications/announcements.py",
        "if await addresses.list_by_hash(tx, message.shop_id, own_hashes):",
        "if False:",
        ("tests/services/test_notifications.py",),
    ),
    Mutant(
        "notification: a link code ends",
        "src/sigma/services/notifications/links.py",
        "waiting and waiting.code_expires_at_us > now_us and",
        "waiting and",
        ("tests/services/test_notification_links.py",),
    ),
    Mutant(
        "notification: addresses of a removed member are forgotten",
        "src/sigma/services/accounts/team.py",
        "    await addresses.remove_all(tx, shop_id, user_id)\n",
        "",
        ("tests/services/test_notifications.py",),
    ),
)
