"""A mailer that delivers a mail and loses the reply, as a crash or a lost connection does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sigma.channels.email import Mailer, MailRejectedError, OutgoingMail
from sigma.services.context import Context

LOST_REPLY = MailRejectedError(is_permanent=False, reply="lost", is_outcome_unknown=True)


class LossyMailer:
    """Delivers, then raises `error` instead of returning the reply; None: it loses nothing.

    Without `inner` the mail is lost too, which the sender cannot know.
    """

    def __init__(self, inner: Mailer | None, error: BaseException | None) -> None:
        self._inner = inner
        self._error = error

    @property
    def destination(self) -> str:
        return "smtp://lossy" if self._inner is None else self._inner.destination

    async def send(self, message: OutgoingMail) -> str:
        reply = "" if self._inner is None else await self._inner.send(message)
        if self._error is not None:
            raise self._error
        return reply


def with_lossy_mailer(
    ctx: Context, error: BaseException | None = LOST_REPLY, *, delivers: bool = True
) -> Context:
    """Return the context of a process that sends mails and loses the replies."""
    open_mailer: Callable[[str], Any] = ctx.mailer_factory if delivers else lambda _: None
    return replace(ctx, mailer_factory=lambda url: LossyMailer(open_mailer(url), error))
