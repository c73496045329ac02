"""A reconciliation run and its differences as sentences, for the cabinet and the command line."""

from dataclasses import dataclass

from sigma.domain.reconciliation.difference import Action, Difference, Side
from sigma.domain.reconciliation.run import Run, Status
from sigma.texts.translator import Translator


@dataclass(frozen=True, slots=True)
class DifferenceText:
    """The texts of one difference. `question`: what to write to the acquirer's support, or ""."""

    title: str
    advice: str
    ours: str
    theirs: str
    ids: str
    action: str
    question: str


def result_text(translator: Translator, run: Run) -> str:
    """Return the result of a run in one sentence: «Сошлось 128 из 128»."""
    if run.is_running:
        return translator.t(
            "reconciliation.running", done=run.total_count, all=max(run.expected_count, 1)
        )
    if run.status is Status.FAILED:
        return translator.t(f"reconciliation.failure.{run.failure}")
    if not run.total_count:
        return translator.t("reconciliation.nothing")
    return translator.t("reconciliation.agreed", n=run.agreed_count, all=run.total_count)


def difference_text(translator: Translator, difference: Difference) -> DifferenceText:
    """Return the texts of one difference."""
    t = translator.t
    is_refund = difference.is_refund
    ours = t("reconciliation.ours", what=_side_text(translator, difference.ours, is_refund))
    theirs = t("reconciliation.theirs", what=_side_text(translator, difference.theirs, is_refund))
    at = translator.datetime(difference.created_at_us)
    provider_id = difference.provider_id
    action = difference.action
    question = ""
    if action is Action.ASK_ACQUIRER:
        object_name = t("reconciliation.refund" if is_refund else "reconciliation.payment")
        question = t(
            "reconciliation.question", object=object_name, id=provider_id, at=at, ours=ours,
            theirs=theirs,
        )  # fmt: skip
    tried = "tried" if difference.is_tried else difference.kind
    return DifferenceText(
        title=t(f"reconciliation.kind.{difference.kind}"),
        advice=t(f"reconciliation.advice.{tried}"),
        ours=ours,
        theirs=theirs,
        ids=t("reconciliation.ids", id=provider_id, at=at),
        action=t(f"reconciliation.action.{action}") if action else "",
        question=question,
    )


def _side_text(translator: Translator, side: Side, is_refund: bool) -> str:
    if not side.status:
        return translator.t("reconciliation.absent")
    noun = "refund" if is_refund else "payment"
    status = translator.t(f"common.{noun}_status.{side.status}")
    amount = (
        translator.money(side.amount)
        if side.amount
        else translator.t("reconciliation.other_currency")
    )
    return f"{status}, {amount}"
