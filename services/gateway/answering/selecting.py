"""What is done with an answer: given or deferred, with or without a guarantee, and which options remain."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from prompt4trust.calibration import CalibrationKey
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.selection import CalibratorReference
from prompt4trust.verdict import Verdict
from services.gateway.answering.decisions import (
    Decision,
    GuardScore,
    Source,
    Withheld,
    decide,
    decide_with_guarantee,
    decide_without_promise,
)
from services.gateway.schemas import Ask, Atypicality, Calibration, DecisionBasis, OptionSetReply
from services.gateway.shelves.calibrators import CalibratorShelf
from services.gateway.shelves.guards import Guard, GuardShelf
from services.gateway.shelves.references import Evidence

AlarmFor = Callable[[CalibrationKey], str | None]
"""Why confidences of a pair no longer hold, as the end of a sentence, or None while nothing speaks against them."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a request does not say.

    Attributes:
        threshold: Least calibrated confidence at which an answer is given where no risk is named.
        max_risk: Largest accepted share of wrong answers, or None for the threshold.
        coverage: Rate at which option sets hold the right option.
    """

    threshold: float
    max_risk: float | None
    coverage: float


@dataclass(frozen=True, slots=True)
class Selected:
    """A decision on an answer, and the options that remain, or why there is no set of them."""

    decision: Decision
    basis: DecisionBasis
    option_set: OptionSetReply | None
    option_set_reason: str | None


class Selecting:
    """Decides by the evidence that the registry has for an answer's models, method and wording.

    Args:
        guards: That evidence.
        calibrators: The calibrators, to make sure that evidence for calibrated confidences is of the one in use.
        defaults: What holds where a request does not say.
        alarm_for: Asked for every answer, so it must be quick; None where nothing watches over confidences.
    """

    def __init__(
        self,
        guards: GuardShelf,
        calibrators: CalibratorShelf,
        defaults: Defaults,
        alarm_for: AlarmFor | None = None,
    ) -> None:
        self._guards = guards
        self._calibrators = calibrators
        self._defaults = defaults
        self._alarm_for = alarm_for

    async def evidence(self, ask: Ask, pair: CalibrationKey) -> list[Evidence]:
        """List what promises about a question's answers rest on: the live calibrator and the guard, if there are any.

        Of an open question nothing is promised.
        """
        if not ask.options:
            return []
        live, guard = await self._calibrators.find(pair), await self._guards.find(pair)
        found = [each.artifact for each in (live, guard) if each is not None]
        return [Evidence(each.name, each.dataset, each.data_hash, each.questions) for each in found]

    def withheld(self, pair: CalibrationKey, atypicality: Atypicality | None) -> Withheld | None:
        """Say what stands in the way of promising anything about an answer, if anything does.

        Every reason to withhold a promise has its place here. Each also takes the claim from the confidence that it is
        calibrated, which is a promise of the same kind on the same evidence.

        Args:
            pair: What the answer's confidence belongs to.
            atypicality: How unlike the questions behind its promises the question is, where that is known.
        """
        if atypicality is not None and atypicality.beyond:
            return Withheld("atypical-input", atypicality.reason)
        alarm = None if self._alarm_for is None else self._alarm_for(pair)
        return None if alarm is None else Withheld("calibration-alarm", alarm)

    async def select(
        self,
        ask: Ask,
        image_url: str,
        answer: Answer,
        pair: CalibrationKey,
        calibration: Calibration,
        confidence: float | None,
        unreadable: str | None,
        withheld: Withheld | None = None,
    ) -> Selected:
        """Decide on one answer.

        Args:
            ask: The question.
            image_url: Its picture.
            answer: What the models made of it.
            pair: What the answer's confidence belongs to.
            calibration: Where the confidence comes from.
            confidence: Calibrated where the calibration says so, else as stated; None without a verdict.
            unreadable: Why there is no verdict, where there is none.
            withheld: Why nothing is to be promised, where that is so.

        Returns:
            The decision and the option set.
        """
        # Evidence is of multiple choice: an open question is another matter.
        guard = await self._guards.find(pair) if ask.options else None
        if withheld is not None:
            return self._without_promise(ask, guard, pair, unreadable, withheld)
        identity = [_digest(ask, image_url)]
        decision, basis = self._decide(ask, answer, guard, identity, pair, calibration, confidence, unreadable)
        options, why_none = self._options(ask, answer, guard, identity)
        return Selected(decision, basis, options, why_none)

    def _decide(
        self,
        ask: Ask,
        answer: Answer,
        guard: Guard | None,
        identity: list[str],
        pair: CalibrationKey,
        calibration: Calibration,
        confidence: float | None,
        unreadable: str | None,
    ) -> tuple[Decision, DecisionBasis]:
        max_risk, source = self._accepted(ask)
        if max_risk is not None and guard is not None and self._of_this_calibrator(guard, pair):
            stated = guard.artifact.scale == "stated"
            compared = calibration.stated_confidence if stated else confidence
            # A calibrator that lacks a signal of this answer leaves the confidence as it was stated: not comparable.
            if isinstance(answer.verdict, Verdict) and compared is not None and (stated or calibration.calibrated):
                scored = GuardScore(compared, guard.artifact.score(compared, identity))
                return decide_with_guarantee(scored, guard=guard, max_risk=max_risk, source=source, why_not=None)
            if unreadable is not None:
                return decide_with_guarantee(None, guard=guard, max_risk=max_risk, source=source, why_not=unreadable)
        return decide(
            confidence if calibration.calibrated else None,
            max_risk=max_risk,
            threshold=self._defaults.threshold,
            why_not=unreadable or calibration.reason,
            has_verdict=unreadable is None,
            source=source,
        )

    def _without_promise(
        self, ask: Ask, guard: Guard | None, pair: CalibrationKey, unreadable: str | None, withheld: Withheld
    ) -> Selected:
        max_risk, source = self._accepted(ask)
        guarded = (
            guard if max_risk is not None and guard is not None and self._of_this_calibrator(guard, pair) else None
        )
        decision, basis = decide_without_promise(
            withheld,
            rule="confidence-threshold" if guarded is None else "risk-control",
            scale="calibrated" if guarded is None else guarded.artifact.scale,
            max_risk=max_risk,
            source=source,
            unreadable=unreadable,
        )
        return Selected(decision, basis, None, f"no coverage is promised: {withheld.reason}")

    def _accepted(self, ask: Ask) -> tuple[float | None, Source]:
        return (self._defaults.max_risk, "default") if ask.max_risk is None else (ask.max_risk, "max_risk")

    def _of_this_calibrator(self, guard: Guard, pair: CalibrationKey) -> bool:
        wanted = guard.artifact.calibrator
        if wanted is None:
            return True
        live = self._calibrators.known(pair)
        return live is not None and CalibratorReference.of(live.artifact) == wanted

    def _options(
        self, ask: Ask, answer: Answer, guard: Guard | None, identity: list[str]
    ) -> tuple[OptionSetReply | None, str | None]:
        if not ask.options:
            return None, "an open question has no options"
        probabilities = option_probabilities(answer.signals)
        if not probabilities:
            return None, f"the method {answer.estimator} gave no probability for each of the options"
        if guard is None or guard.sets is None or guard.artifact.options is None:
            return None, "no option sets were fitted for these models, this method and this wording"
        coverage = self._defaults.coverage if ask.coverage is None else ask.coverage
        name = guard.artifact.options.group
        place = guard.artifact.place(identity)
        chosen = guard.sets.choose(probabilities, coverage, group=ask.groups.get(name) if name else None, place=place)
        groups = {name: chosen.group} if name and chosen.group is not None else {}
        among = f" with {name} {chosen.group}" if groups else ", on average over all kinds of questions"
        what = (
            "All options remain, since fewer would not hold the right one"
            if len(chosen.letters) == len(ask.options)
            else "The right option is among these"
        )
        return OptionSetReply(
            letters=list(chosen.letters),
            coverage=coverage,
            groups=groups,
            n=chosen.n,
            reason=f"{what} for {100 * coverage:.3g} % of questions like the {chosen.n} checked ones{among}.",
        ), None


def _digest(ask: Ask, image_url: str) -> str:
    # What is asked decides among equally confident answers: the same question always gets the same decision.
    asked = hashlib.sha256(image_url.encode())
    for text in (ask.question, *(part for option in ask.options.items() for part in option)):
        asked.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return asked.hexdigest()
