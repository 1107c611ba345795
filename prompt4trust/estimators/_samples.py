"""Several sampled replies to one question, and the counts that sampling estimators take in them.

An invalid sample agrees with nobody. In our own measures it stays in every denominator, so that a model which often
breaks the form is not called sure for the few replies that kept it. Where a published measure drops it, the estimator
of that measure's name does, too.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from prompt4trust.errors import TransportError
from prompt4trust.estimators._stopping import Look, is_decided, looks
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.option_signals import option_signals
from prompt4trust.estimators.single_reply import check_template, in_form, read_reply
from prompt4trust.meaning import normalised, normalized_entropy
from prompt4trust.models import Completion, Cost, Decoding, Downstream, Guidance, Policy, Sampling
from prompt4trust.prompts import PromptTemplate, answer_messages
from prompt4trust.verdict import Invalid, Verdict

BLOCK = 21
"""Most samples of one request. Estimators that take more ask in blocks, so that they share a block with the others."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Number and decoding of an estimator's samples; the defaults are the paper's.

    Attributes:
        count: Samples a question, at least 2.
        temperature: Above 0: samples of a greedy decoder all agree.
        top_p: Nucleus mass.
        top_k: Most likely tokens that are drawn from; 0 for all.
        error: Probability, in (0, 1), with which the most frequent answer may be another than that of all samples, so
            that drawing may stop before (see `looks`); None to draw all of them.
    """

    count: int = 21
    temperature: float = 0.5
    top_p: float = 0.95
    top_k: int = 100
    error: float | None = None

    def __post_init__(self) -> None:
        if self.count < 2 or self.temperature <= 0:
            raise ValueError("an estimator that compares samples needs at least 2 of them, at a temperature above 0")
        if self.error is not None and not 0 < self.error < 1:
            raise ValueError("the error of stopping must be a probability between 0 and 1")

    def requests(self) -> Iterator[tuple[int, Look | None]]:
        """Yield how many samples each request is to ask for, and the look at the vote after it, if there is one."""
        planned = looks(self.count, self.error) if self.error is not None else ()
        before = 0
        for look in (each for each in planned if each.lead is not None):
            yield look.drawn - before, look
            before = look.drawn
        for start in range(before, self.count, BLOCK):
            yield min(BLOCK, self.count - start), None


def derived_seed(run_seed: int, question: str, options: Mapping[str, str], image_url: str | None, part: int) -> int:
    """Derive the seed of one request, so that a run can be repeated whatever the order of its questions.

    Args:
        run_seed: The run's seed.
        question: The question's text.
        options: Letter -> text.
        image_url: The picture.
        part: Number of the request among those of the question.

    Returns:
        A number in [0, 2**31), the same for the same arguments.
    """
    asked = json.dumps([run_seed, part, question, list(options.items()), image_url])
    return int.from_bytes(hashlib.sha256(asked.encode()).digest()[:4], "big") >> 1


@dataclass(frozen=True, slots=True)
class Samples:
    """Replies to one question, in the order in which they were drawn.

    Attributes:
        texts: The replies' texts.
        verdicts: The verdict of each.
        options: Letter -> text; empty for an open question.
        cost: Of all of them; each sample counts as a call.
    """

    texts: tuple[str, ...]
    verdicts: tuple[Verdict | Invalid, ...]
    options: Mapping[str, str]
    cost: Cost

    @property
    def valid(self) -> list[Verdict]:
        """The samples that hold a verdict."""
        return [verdict for verdict in self.verdicts if isinstance(verdict, Verdict)]

    def agreeing(self) -> list[Verdict]:
        """List the samples that give the first one's answer, itself included; none if the first is invalid."""
        first = self.verdicts[0]
        if isinstance(first, Invalid):
            return []
        return [verdict for verdict in self.valid if alike(verdict.answer, first.answer, self.options)]

    def agreement(self) -> float:
        """Compute the share of the other samples that agree with the first; 0 if the first is invalid."""
        return max(len(self.agreeing()) - 1, 0) / (len(self.verdicts) - 1)

    def shares(self) -> dict[str, float]:
        """Compute each option's share of the samples.

        An invalid sample says nothing of which option is right: it counts as an equal part of a vote for each.

        Returns:
            Letter -> share; they sum to 1. Needs options.
        """
        counts = Counter(verdict.answer for verdict in self.valid)
        spread = (len(self.verdicts) - len(self.valid)) / len(self.options)
        return {letter: (counts[letter] + spread) / len(self.verdicts) for letter in self.options}

    def entropy(self) -> float:
        """Compute the entropy of the options' shares, divided by that of the uniform distribution.

        Returns:
            From 0 (all the same) to 1 (evenly spread); needs options.
        """
        return normalized_entropy(self.shares().values(), len(self.options))

    def entropy_of_valid(self) -> float:
        """Compute the same of the valid samples alone; needs options and a valid sample."""
        counts = Counter(verdict.answer for verdict in self.valid)
        return normalized_entropy([count / len(self.valid) for count in counts.values()], len(self.options))

    def most_frequent(self) -> tuple[int, float] | None:
        """Find the answer that most samples give, of several the one that came first.

        Returns:
            Place of the first sample that gives it, and its share of all samples; None without a valid sample.
        """
        groups = self.groups()
        votes = Counter(group for group in groups if group is not None)
        if not votes:
            return None
        chosen, count = votes.most_common(1)[0]  # of equal counts the first one counted
        return groups.index(chosen), count / len(groups)

    def groups(self) -> list[str | None]:
        """Name, for each sample, the group of those that say the same; None for an invalid one, which has none."""
        return [
            None if isinstance(verdict, Invalid) else _group(verdict.answer, self.options) for verdict in self.verdicts
        ]

    def signals(self) -> dict[str, float]:
        """Gather the samples' figures by name, for reports and for calibrators that take more than a confidence."""
        found = {"agreement": self.agreement(), "invalid_share": 1 - len(self.valid) / len(self.verdicts)}
        if self.valid:
            found["mean_stated"] = sum(verdict.confidence for verdict in self.valid) / len(self.valid)
        if isinstance(self.verdicts[0], Verdict):
            found["stated"] = self.verdicts[0].confidence
        if self.options:
            found["entropy"] = self.entropy()
            found |= option_signals(self.shares())
        return found


def alike(answer: str, other: str, options: Mapping[str, str]) -> bool:
    """Whether two answers are the same: one option's letter, or of an open question one text in one spelling.

    Args:
        answer: An answer of a verdict.
        other: Another one, to the same question.
        options: The question's, letter -> text; empty for an open question.
    """
    return _group(answer, options) == _group(other, options)


def _group(answer: str, options: Mapping[str, str]) -> str:
    if options:
        return answer
    # What nothing is left of in one spelling is as it is written.
    return normalised(answer) or " ".join(answer.casefold().split())


class Sampler:
    """Draws samples of the downstream model's reply.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Gives the longest reply, and the run's seed (none counts as 0).
        draws: Number and decoding of the samples.

    Raises:
        ValueError: If the template has another role.
    """

    def __init__(self, downstream: Downstream, template: PromptTemplate, sampling: Sampling, draws: Draws) -> None:
        self._downstream = downstream
        self._template = check_template(template)
        self._run_seed = sampling.seed or 0
        self._draws = draws
        self._sampling = Sampling(draws.temperature, draws.top_p, draws.top_k, sampling.max_tokens)

    @property
    def decoding(self) -> Decoding:
        """The decoding of the samples, their number, and the error of stopping before."""
        return Decoding.of(self._sampling, self._draws.count, self._draws.error)

    async def draw(
        self, question: str, options: Mapping[str, str], image_url: str | None, guidance: Guidance | None = None
    ) -> Samples:
        """Draw the samples.

        Args:
            question: The question's text.
            options: Letter -> text.
            image_url: The picture as a data: URL, or None.
            guidance: A guidance prompt to put in, or None.

        Returns:
            The samples; their cost includes the guidance's.

        Raises:
            TransportError: If the model could not be asked or replied with fewer samples.
        """
        text = guidance.text if guidance else None
        messages = answer_messages(self._template, question, options, image_url=image_url, guidance=text)
        sampling = in_form(self._sampling, self._template, options)
        replies: list[Completion] = []
        cost = guidance.cost if guidance else Cost()
        verdicts: list[Verdict | Invalid] = []
        for part, (size, look) in enumerate(self._draws.requests()):
            seed = derived_seed(self._run_seed, question, options, image_url, part)
            generation = await self._downstream.complete(messages, replace(sampling, seed=seed), n=size)
            if len(generation.completions) != size:
                found = len(generation.completions)
                raise TransportError("downstream", f"the reply holds {found} completions instead of {size}")
            replies += generation.completions
            cost += replace(generation.cost, calls=size)
            verdicts += [read_reply(reply, self._template, question, options) for reply in generation.completions]
            if look is not None and is_decided(
                (_group(each.answer, options) for each in verdicts if isinstance(each, Verdict)), look
            ):
                break
        return Samples(tuple(reply.text for reply in replies), tuple(verdicts), options, cost)


class SamplingEstimator(ABC):
    """Base of the estimators that draw samples, and make the answer from what came.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Gives the longest reply and the run's seed; the rest comes from draws.
        draws: Number and decoding of the samples; the class's own where none are given.

    Raises:
        ValueError: If the template has another role.
    """

    name: str
    needs_policy = False
    default_draws: ClassVar[Draws] = Draws()

    def __init__(
        self, downstream: Downstream, template: PromptTemplate, sampling: Sampling, draws: Draws | None = None
    ) -> None:
        self._sampler = Sampler(downstream, template, sampling, draws or self.default_draws)

    @property
    def decoding(self) -> Decoding:
        """The decoding of the samples, and the most of them; see `Estimator.decoding`."""
        return self._sampler.decoding

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The text is that of the sample which gives the answer."""
        return self.judge(await self._sampler.draw(question, options, image_url))

    @abstractmethod
    def judge(self, samples: Samples, guidance: Guidance | None = None) -> Answer:
        """Make the answer from samples that were drawn with or without guidance."""


class GuidedSamplingEstimator(SamplingEstimator):
    """Base of those whose samples are all drawn with one guidance prompt.

    Args and errors are those of `SamplingEstimator`, and:
        policy: The model that writes guidance, greedily.
    """

    needs_policy = True

    def __init__(
        self,
        downstream: Downstream,
        policy: Policy,
        template: PromptTemplate,
        sampling: Sampling,
        draws: Draws | None = None,
    ) -> None:
        super().__init__(downstream, template, sampling, draws)
        self._policy = policy

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The text is that of the sample which gives the answer."""
        guidance = await self._policy.guide(question, options)
        return self.judge(await self._sampler.draw(question, options, image_url, guidance), guidance)


class FirstSampleEstimator(SamplingEstimator):
    """Base of the estimators whose answer is the first sample, and whose confidence is counted in all samples.

    Args and errors are those of `SamplingEstimator`.
    """

    def judge(self, samples: Samples, guidance: Guidance | None = None) -> Answer:
        """Make the answer from samples that were drawn with or without guidance."""
        first = samples.verdicts[0]
        verdict = first if isinstance(first, Invalid) else Verdict(first.answer, self.confidence(samples))
        return Answer(verdict, samples.texts[0], self.name, guidance, samples.cost, samples.signals())

    @abstractmethod
    def confidence(self, samples: Samples) -> float:
        """Compute the confidence in [0, 1] of a valid first sample."""
