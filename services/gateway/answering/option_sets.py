"""Option sets: the options that remain when they are to hold the right one at a promised rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.group_names import group_key, value_in
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
    group = _spelt(ask.groups, name, guard.sets.groups) if name else None
    chosen = guard.sets.choose(probabilities, coverage, group=group, place=place)
    groups = {name: chosen.group} if name and chosen.group is not None else {}
    among = " in its group" if groups else ", on average over all kinds of questions"
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


def _spelt(groups: Mapping[str, str], name: str, known: Sequence[str]) -> str | None:
    """Find a question's value of a stratum as the evidence spells it; None for one that it does not know.

    Where the evidence spells one in two ways, which are groups of their own there, it is the question's own spelling.
    """
    said, wanted = groups.get(name), value_in(groups, name)
    if wanted is None:
        return None
    if said in known:
        return said
    alike = [each for each in known if group_key(each) == wanted]
    return alike[0] if len(alike) == 1 else None
