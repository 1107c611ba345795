"""From a question and a safe picture to an answer whose confidence is what it says it is."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from prompt4trust.estimators import ESTIMATORS, get_estimator
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Downstream, Generation, Guidance, Policy, Sampling, TransportError
from prompt4trust.prompts import Message, PromptTemplate
from prompt4trust.verdict import Invalid, InvalidReason, Verdict
from services.gateway.answering.decisions import Withheld
from services.gateway.answering.selecting import AlarmFor, Selecting
from services.gateway.answering.tolerant_downstream import WITHOUT_LOGPROBS
from services.gateway.intake.gate import together
from services.gateway.schemas import (
    Ask,
    Calibration,
    ChosenAnswer,
    FittedOn,
    Lack,
    ModelsUsed,
    Timing,
    VqaReply,
)
from services.gateway.shelves.calibrators import CalibrationKey, CalibratorShelf
from services.gateway.shelves.references import Familiarity

FALLBACK = "verbalized"
"""What answers where the policy is away: it asks the downstream model alone."""

_log = structlog.get_logger(__name__)
_UNREADABLE: Mapping[InvalidReason, str] = {
    "empty": "the model's reply was empty",
    "no_answer": "the model's reply states no answer",
    "no_confidence": "the model's reply states no confidence",
    "unknown_option": "the model's reply names none of the options",
    "no_logprobs": "the model's server gave no probabilities for its answer",
    "no_options": "this method needs options to choose from",
    "no_image": "this method needs a picture",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply, with what is to be kept of the answer beyond what the client is told.

    Attributes:
        reply: The reply.
        pair: What its confidence belongs to.
        signals: Further numbers that the method gave, by name.
    """

    reply: VqaReply
    pair: CalibrationKey
    signals: Mapping[str, float]


class Answering:
    """Asks the models, corrects the confidence, decides.

    Args:
        downstream: The multimodal LLM.
        downstream_model: Its name, as calibrators know it.
        policy: Writes guidance.
        template: Wording of the question to the downstream model.
        sampling: How its text is decoded.
        shelf: The calibrators.
        selecting: What is done with answers.
        familiarity: Compares questions with those that promises rest on.
        alarm_for: Why the calibrator of a pair no longer holds, if that is so; None where nothing watches over it.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        downstream: Downstream,
        downstream_model: str,
        policy: Policy,
        template: PromptTemplate,
        sampling: Sampling,
        shelf: CalibratorShelf,
        selecting: Selecting,
        familiarity: Familiarity,
        alarm_for: AlarmFor | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._downstream = downstream
        self._model = downstream_model
        self._policy = policy
        self._template = template
        self._sampling = sampling
        self._shelf = shelf
        self._selecting = selecting
        self._familiarity = familiarity
        self._alarm_for = alarm_for
        self._clock = clock

    async def reply(self, ask: Ask, image_url: str, started: float) -> Answered:
        """Answer one question.

        Args:
            ask: The checked question.
            image_url: The picture as a data: URL.
            started: When the request came, on this object's clock.

        Returns:
            The reply, and what belongs to it.

        Raises:
            TransportError: If the downstream model could not be asked.
        """
        timed = _Timed(self._downstream, self._policy, self._clock)
        (answer, policy_missing), described = await together(
            partial(self._ask, ask, image_url, timed), partial(self._familiarity.describe, ask, image_url)
        )
        if lacking := timed.without_logprobs and answer.estimator in WITHOUT_LOGPROBS:
            answer = replace(answer, estimator=WITHOUT_LOGPROBS[answer.estimator])
        pair = self._pair(answer)
        atypicality, unknown = await self._familiarity.judge(described, await self._selecting.evidence(ask, pair))
        withheld = self._selecting.withheld(pair, atypicality)
        calibration, confidence, degraded = await self._calibrate(ask, answer, pair)
        if withheld is not None:
            calibration, confidence = _as_stated(calibration, withheld)
        if ask.options and self._alarm_for is not None and (alarm := self._alarm_for(pair)) is not None:
            calibration, degraded = calibration.model_copy(update={"alarm": alarm}), [*degraded, "calibration-alarm"]
        unreadable = _UNREADABLE[answer.verdict.reason] if isinstance(answer.verdict, Invalid) else None
        selected = await self._selecting.select(
            ask, image_url, answer, pair, calibration, confidence, unreadable, withheld
        )
        reply = VqaReply(
            id=str(uuid.uuid4()),
            answer=_chosen(answer.verdict, ask.options),
            confidence=confidence,
            calibration=calibration,
            decision=selected.decision,
            decision_basis=selected.basis,
            option_set=selected.option_set,
            option_set_reason=selected.option_set_reason,
            atypicality=atypicality,
            atypicality_reason=unknown,
            guidance_prompt=answer.guidance.text if answer.guidance else None,
            explanation=answer.text,
            models=ModelsUsed(policy=answer.guidance.version if answer.guidance else None, downstream=self._model),
            degraded=[*(["policy"] if policy_missing else []), *(["logprobs"] if lacking else []), *degraded],
            timing_ms=Timing(
                policy=_milliseconds(timed.policy_s),
                downstream=_milliseconds(timed.downstream_s),
                total=_milliseconds(self._clock() - started),
            ),
        )
        return Answered(reply, pair, answer.signals)

    async def _ask(self, ask: Ask, image_url: str, models: _Timed) -> tuple[Answer, bool]:
        """Ask by the method that the client wants, or without guidance where the policy is away."""
        estimator = get_estimator(ask.method, models, models, self._template, self._sampling)
        try:
            return await estimator.answer(ask.question, ask.options, image_url), False
        except TransportError as error:
            if error.service != "policy" or not ESTIMATORS[ask.method].needs_policy:
                raise
            _log.warning("answering without guidance", reason=error.detail)
        fallback = get_estimator(FALLBACK, models, None, self._template, self._sampling)
        return await fallback.answer(ask.question, ask.options, image_url), True

    def _pair(self, answer: Answer) -> CalibrationKey:
        return CalibrationKey(
            downstream=self._model,
            policy=answer.guidance.version if answer.guidance else None,
            estimator=answer.estimator,
            answer_template=self._template.id,
        )

    async def _calibrate(
        self, ask: Ask, answer: Answer, pair: CalibrationKey
    ) -> tuple[Calibration, float | None, list[Lack]]:
        if isinstance(answer.verdict, Invalid):
            reason = "there is no stated confidence to calibrate"
            return Calibration(calibrated=False, reason=reason), None, []
        stated = answer.verdict.confidence
        if not ask.options:
            reason = "open questions have no calibrator: calibrators are fitted on multiple choice"
            return Calibration(calibrated=False, stated_confidence=stated, reason=reason), stated, []
        found = await self._shelf.find(pair)
        if found is None:
            reason = "no calibrator was fitted for these models, this method and this wording"
            return Calibration(calibrated=False, stated_confidence=stated, reason=reason), stated, ["calibrator"]
        if missing := found.missing(answer.signals):
            reason = f"the calibrator needs what this answer lacks: {', '.join(missing)}"
            return Calibration(calibrated=False, stated_confidence=stated, reason=reason), stated, ["calibrator"]
        fitted, ends = found.artifact, found.interval(stated, answer.signals)
        calibration = Calibration(
            calibrated=True,
            calibrator=fitted.name,
            stated_confidence=stated,
            interval=None if ends is None else (round(ends[0], 4), round(ends[1], 4)),
            fitted_on=FittedOn(
                n=fitted.n, dataset=fitted.dataset, ece=found.ece, date=fitted.created.date().isoformat()
            ),
        )
        return calibration, round(found.apply(stated, answer.signals), 4), []


class _Timed:
    """Both models for one request, with what was seen of them: the time waited for each, failures included."""

    def __init__(self, downstream: Downstream, policy: Policy, clock: Callable[[], float]) -> None:
        self._downstream = downstream
        self._policy = policy
        self._clock = clock
        self.downstream_s = 0.0
        self.policy_s = 0.0
        self.without_logprobs = False
        """Whether log-probabilities were asked for and did not come."""

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        started = self._clock()
        try:
            generation = await self._downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
        finally:
            self.downstream_s += self._clock() - started
        if top_logprobs is not None and any(each.text and not each.top_logprobs for each in generation.completions):
            self.without_logprobs = True
        return generation

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        started = self._clock()
        try:
            return await self._policy.guide(question, options, seed=seed)
        finally:
            self.policy_s += self._clock() - started


def _as_stated(calibration: Calibration, withheld: Withheld) -> tuple[Calibration, float | None]:
    """Take a correction back: the calibrator was checked on questions unlike this one, or no longer holds."""
    stated = calibration.stated_confidence
    if not calibration.calibrated:
        return calibration, stated
    return Calibration(calibrated=False, stated_confidence=stated, reason=withheld.reason), stated


def _chosen(verdict: Verdict | Invalid, options: Mapping[str, str]) -> ChosenAnswer | None:
    if isinstance(verdict, Invalid):
        return None
    if not options:
        return ChosenAnswer(letter=None, text=verdict.answer)
    return ChosenAnswer(letter=verdict.answer, text=options[verdict.answer])


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 1)
