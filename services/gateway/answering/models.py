"""The second stage: both models are asked by the method that the client wants."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from prompt4trust.calibration import CalibrationKey
from prompt4trust.estimators import ESTIMATORS, Meaning, MeaningEncoder, get_estimator, wording_of
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.cgp_second_model import SIGNAL as SECOND_OPINION
from prompt4trust.meaning import DEFAULT_JUDGE, open_wording
from prompt4trust.models import Decoding, Downstream, Generation, Guidance, Omission, Policy, Sampling, TransportError
from prompt4trust.pictures import PicturePreparation
from prompt4trust.prompts import Message, PromptTemplate
from prompt4trust.verdict import steers
from services.gateway.answering.guidance.guidance_ahead import GuidanceAhead
from services.gateway.answering.guidance.prefix_warming import PrefixWarming
from services.gateway.errors import SteeringGuidanceError
from services.gateway.intake.later import Later
from services.gateway.intake.query import Query
from services.gateway.schemas import Lack

FALLBACK = "verbalized"
"""The method where the policy is away: it asks the downstream model alone."""

WITHOUT_LOGPROBS: Mapping[str, str] = dict.fromkeys(
    (
        *("cgp+logprob", "cgp+picture", "cgp+picture+noise", "cgp+self-check", "cgp+typicality", "cgp+relative"),
        *("cgp+open", "cgp+second-model"),
    ),
    "cgp",
)
"""Estimator -> the one whose answer it gives where no log-probabilities come back."""

CHANGES_CONFIDENCE: tuple[Omission, ...] = ("decoding", "system-message", "response-format")
"""Omissions that make a confidence another one: it has a calibration key of its own then."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """An answer of the models, before anything is made of its confidence.

    Attributes:
        answer: The estimator's answer.
        key: What its confidence belongs to.
        lacks: What was done without.
        policy_s: Seconds that the policy took; some of them may have passed while the picture was being decoded.
        downstream_s: Seconds spent waiting for the downstream model, or the second one.
        second: Name of the second downstream model, where its opinion is part of the answer.
    """

    answer: Answer
    key: CalibrationKey
    lacks: tuple[Lack, ...]
    policy_s: float
    downstream_s: float
    second: str | None = None

    def beside(self, signals: Mapping[str, float]) -> ModelAnswer:
        """Make the same with signals of the question beside those of the method."""
        answer = replace(self.answer, signals={**self.answer.signals, **signals})
        return replace(self, answer=answer)


@dataclass(frozen=True, slots=True)
class SecondModel:
    """Another downstream model, asked for its opinion of the first one's answer.

    Attributes:
        downstream: The model.
        name: Its name, as calibrators know it.
    """

    downstream: Downstream
    name: str


@dataclass(frozen=True, slots=True)
class Models:
    """The models, and how they are asked.

    Attributes:
        downstream: The multimodal LLM.
        name: Its name, as calibrators know it.
        policy: Writes guidance.
        template: Wording of the question to the downstream model.
        sampling: How its text is decoded.
        preparation: What its pictures have gone through.
        takes_top_k: Whether its server is told of top_k.
        warming: Has it read the question while guidance is being written; None where that is switched off.
        clock: Monotonic seconds.
        second: Another downstream model, for methods that take its opinion; None where there is none.
    """

    downstream: Downstream
    name: str
    policy: Policy
    template: PromptTemplate
    sampling: Sampling
    preparation: PicturePreparation
    takes_top_k: bool = True
    warming: PrefixWarming | None = None
    clock: Callable[[], float] = time.perf_counter
    second: SecondModel | None = None

    async def ask(
        self, query: Query, ahead: GuidanceAhead, left_s: Callable[[], float], guided: Callable[[Guidance], None]
    ) -> ModelAnswer:
        """Ask by the query's method, or without guidance where the policy is away or its guidance steers.

        Args:
            query: The question.
            ahead: The policy, which may have been asked for the guidance already.
            left_s: Gives the seconds that are left for second looks at an answer that is there.
            guided: Told of the guidance, where there is any, before the downstream model is asked with it.

        Raises:
            TransportError: If the downstream model could not be asked.
        """
        timed = _Timed(self.downstream, ahead, self.clock, guided)
        with Later() as later:
            if self.warming is not None:
                later.begin(self.warming.warm(query, ahead))
            answer, decoding, lacks = await self._answer(query, timed, left_s)
        if timed.without_logprobs and answer.estimator in WITHOUT_LOGPROBS:
            answer = replace(answer, estimator=WITHOUT_LOGPROBS[answer.estimator])
            lacks = (*lacks, "logprobs")
        if query.ask.method == MeaningEncoder.name and answer.estimator == Meaning.name:
            lacks = (*lacks, "encoder")
        changed = [omission for omission in CHANGES_CONFIDENCE if omission in timed.without]
        lacks = (*lacks, *changed, *(("seed",) if "seed" in timed.without else ()))
        if answer.lost is not None:
            _log.warning("answering without a second look", reason=answer.lost.detail, method=answer.estimator)
            lacks = (*lacks, "second-look")
        wording = ", without ".join((self._wording(answer.estimator), *changed))
        key = CalibrationKey(
            downstream=self.name,
            policy=answer.guidance.version if answer.guidance else None,
            estimator=answer.estimator,
            answer_template=wording if query.ask.options else open_wording(wording, DEFAULT_JUDGE),
            decoding=decoding.as_sent(takes_top_k=self.takes_top_k),
            picture_preparation=self.preparation,
        )
        second = self._second_name if SECOND_OPINION in answer.signals else None
        return ModelAnswer(answer, key, lacks, timed.policy_s + ahead.unwaited_s, timed.downstream_s, second)

    def asks(self, key: CalibrationKey, methods: Collection[str], policy: str | None) -> bool:
        """Whether answers of a key are made now, of choices or of open questions, by one of some methods.

        What a server cannot be asked for is known from its replies alone, so a wording without it counts as asked.

        Args:
            key: What evidence belongs to.
            methods: Those that are offered.
            policy: The live policy version; None where it is not known, so that evidence of any counts.
        """
        if key.downstream != self.name or key.estimator not in methods:
            return False
        second = None if self.second is None else self.second.downstream
        estimator = get_estimator(
            key.estimator, self.downstream, self.policy, self.template, self.sampling, second=second
        )
        wording, said = self._wording(key.estimator), key.answer_template
        for omission in CHANGES_CONFIDENCE:
            said = said.replace(f", without {omission}", "")
        return (
            (None in (key.policy, policy) or key.policy == policy)
            and said in (wording, open_wording(wording, DEFAULT_JUDGE))
            and key.decoding == estimator.decoding.as_sent(takes_top_k=self.takes_top_k)
            and key.picture_preparation == self.preparation
        )

    @property
    def _second_name(self) -> str | None:
        return None if self.second is None else self.second.name

    def _wording(self, estimator: str) -> str:
        return wording_of(estimator, self.template.id, self._second_name)

    async def _answer(
        self, query: Query, timed: _Timed, left_s: Callable[[], float]
    ) -> tuple[Answer, Decoding, tuple[Lack, ...]]:
        ask, picture = query.ask, query.picture.data_url
        second = None if self.second is None else _TimedSecond(self.second.downstream, timed)
        estimator = get_estimator(ask.method, timed, timed, self.template, self.sampling, left_s, second)
        try:
            return await estimator.answer(ask.question, ask.options, picture), estimator.decoding, ()
        except TransportError as error:
            if error.service != "policy" or not ESTIMATORS[ask.method].needs_policy:
                raise
            _log.warning("answering without guidance", reason=error.detail)
        except SteeringGuidanceError as error:
            _log.warning("answering without guidance", reason=str(error))
        fallback = get_estimator(FALLBACK, timed, None, self.template, self.sampling)
        return await fallback.answer(ask.question, ask.options, picture), fallback.decoding, ("policy",)


class _Timed:
    """Downstream model and policy for one request, with what was seen of them: the time waited for each, and lacks.

    Time that ends in a failure counts as well.
    """

    def __init__(
        self, downstream: Downstream, policy: Policy, clock: Callable[[], float], guided: Callable[[Guidance], None]
    ) -> None:
        self._downstream = downstream
        self._policy = policy
        self._clock = clock
        self._guided = guided
        self.downstream_s = 0.0
        self._asked_since = 0.0
        self._in_flight = 0
        self.policy_s = 0.0
        self.without_logprobs = False
        """Whether log-probabilities were asked for and did not come."""
        self.without: set[Omission] = set()
        """Omissions of its replies."""

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        generation = await self.waited_for(
            self._downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
        )
        if top_logprobs is not None and any(each.text and not each.top_logprobs for each in generation.completions):
            self.without_logprobs = True
        return generation

    async def waited_for(self, asked: Awaitable[Generation]) -> Generation:
        """Wait for a downstream model's reply, and note how long and what it is without."""
        if self._in_flight == 0:
            self._asked_since = self._clock()
        self._in_flight += 1
        try:
            generation = await asked
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:  # requests side by side are waited for once
                self.downstream_s += self._clock() - self._asked_since
        self.without |= generation.without
        return generation

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        started = self._clock()
        try:
            guidance = await self._policy.guide(question, options, seed=seed)
        finally:
            self.policy_s += self._clock() - started
        if steers(guidance.text, options):
            raise SteeringGuidanceError("the guidance names an answer or a confidence")
        self._guided(guidance)
        return guidance


@dataclass(frozen=True, slots=True)
class _TimedSecond:
    """The second model for one request. Its time is the downstream models'; whether it gives log-probabilities is not.

    Attributes:
        downstream: The second model.
        timed: Counts the time, and what replies are without.
    """

    downstream: Downstream
    timed: _Timed

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        return await self.timed.waited_for(self.downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs))
