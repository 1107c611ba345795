"""Option sets: the options that remain when they are to hold the right one at a promised rate."""

from __future__ import annotations

from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.option_signals import option_probabilities
from services.gateway.intake.query import Query
from services.gateway.schemas import OptionSetReply
from services.gateway.shelves.evidence import Evidence


def choose_options(
    query: Query, answer: Answer, evidence: Evidence, coverage: float
) -> tuple[OptionSetReply | None, str | None]:
    """Choose the options that remain.

    Args:
        query: The question.
        answer: What the models made of it.
        evidence: What promises about the answer rest on.
        coverage: Rate at which the set is to hold the right option.

    Returns:
        The set, or None and why there is none.
    """
    ask, guard = query.ask, evidence.guard
    if not ask.options:
        return None, "an open question has no options"
    probabilities = option_probabilities(answer.signals)
    if not probabilities:
        return None, f"the method {answer.estimator} gave no probability for each of the options"
    if evidence.guard_misfit is not None:
        return None, f"no option sets fit this answer: {evidence.guard_misfit}"
    if guard is None or guard.sets is None or guard.artifact.options is None:
        return None, "no option sets were fitted for these models, this method and this wording"
    name = guard.artifact.options.group
    place = guard.artifact.place([query.digest])
    chosen = guard.sets.choose(probabilities, coverage, group=ask.groups.get(name) if name else None, place=place)
    groups = {name: chosen.group} if name and chosen.group is not None else {}
    among = f" with {name} {chosen.group}" if groups else ", on average over all kinds of questions"
    held = (
        "All options remain, since fewer would not hold the right one"
        if len(chosen.letters) == len(ask.options)
        else "The right option is among these"
    )
    return OptionSetReply(
        letters=list(chosen.letters),
        coverage=coverage,
        groups=groups,
        n=chosen.n,
        reason=f"{held} for {100 * coverage:.3g} % of questions like the {chosen.n} checked ones{among}.",
    ), None
