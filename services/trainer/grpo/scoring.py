"""Guided questions to the downstream service, and the reward of each outcome."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from prompt4trust.estimators.single_reply import ask
from prompt4trust.models import Cost, Downstream, Guidance, Sampling, TransportError
from prompt4trust.picture_files import data_url
from prompt4trust.prompts import PromptTemplate
from prompt4trust.questions import Question
from prompt4trust.rewards import Reward
from prompt4trust.verdict import Invalid, Verdict


@dataclass(frozen=True, slots=True)
class GuidedOutcome:
    """The outcome of one guidance prompt.

    Attributes:
        question: The question.
        guidance: The guidance prompt.
        text: The downstream model's reply; "" where there was none.
        verdict: The verdict read from it; None where the model could not be asked.
        reward: Its reward; None where the model could not be asked: such a sample is left out of the update.
        seconds: Duration of the answer, retries included.
        tokens: Tokens that the downstream model wrote.
        lost: Reason why the model could not be asked; None where it was.
    """

    question: Question
    guidance: str
    text: str
    verdict: Verdict | Invalid | None
    reward: float | None
    seconds: float
    tokens: int = 0
    lost: str | None = None

    @property
    def valid(self) -> bool:
        """Whether the reply holds a verdict."""
        return isinstance(self.verdict, Verdict)

    @property
    def correct(self) -> bool:
        """Whether the reply is right; an invalid one is not."""
        return isinstance(self.verdict, Verdict) and self.verdict.answer == self.question.answer

    @property
    def confidence(self) -> float:
        """The stated confidence; 0 for an invalid reply."""
        return self.verdict.confidence if isinstance(self.verdict, Verdict) else 0.0


@dataclass(frozen=True, slots=True)
class Scorer:
    """Tries guidance prompts on the downstream model.

    Attributes:
        downstream: The model.
        template: The answer template.
        sampling: Decoding of replies; the seed, if any, is varied by sample.
        reward: The reward of an outcome.
        max_in_flight: Requests at once.
        takes_burned_in: Whether the model may be shown DICOM pictures that hold text, or may.
    """

    downstream: Downstream
    template: PromptTemplate
    sampling: Sampling
    reward: Reward
    max_in_flight: int
    takes_burned_in: bool = False

    async def score(self, asked: Sequence[tuple[Question, str | None]], *, seed: int = 0) -> list[GuidedOutcome]:
        """Ask all at once, as far as the bound allows.

        Args:
            asked: Questions with their guidance, or None for none.
            seed: Varies the replies of a model that samples.

        Returns:
            One outcome each, in order. A request that failed for good is an outcome without a reward, not an exception.

        Raises:
            Exception: Whatever is not the transport's fault, such as a refused image egress.
        """
        room = asyncio.Semaphore(self.max_in_flight)
        pictures = {question.id: question for question, _ in asked if question.image is not None}
        images: dict[str, str | TransportError] = {}
        read = partial(data_url, takes_burned_in=self.takes_burned_in)
        for name, question in pictures.items():
            try:
                images[name] = await asyncio.to_thread(read, question.image)
            except TransportError as error:
                images[name] = error
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._one(question, guidance, images.get(question.id), room, seed + place))
                for place, (question, guidance) in enumerate(asked)
            ]
        return [task.result() for task in tasks]

    async def _one(
        self,
        question: Question,
        guidance: str | None,
        image: str | TransportError | None,
        room: asyncio.Semaphore,
        seed: int,
    ) -> GuidedOutcome:
        text = (guidance or "").strip()
        if isinstance(image, TransportError):
            return GuidedOutcome(question, text, "", None, None, 0.0, lost=str(image))
        sampling = self.sampling
        if sampling.seed is not None:
            sampling = replace(sampling, seed=(sampling.seed + seed) % 2**31)
        # The text alone: an outcome reports neither the guidance's author nor its cost.
        hint = Guidance(text, "", Cost())
        async with room:
            began = time.perf_counter()
            try:
                answer, _ = await ask(
                    "cgp", self.downstream, self.template, sampling, question.text, question.options, image, hint
                )
            except TransportError as error:
                return GuidedOutcome(question, text, "", None, None, time.perf_counter() - began, lost=str(error))
            seconds = time.perf_counter() - began
        reward = self.reward(answer.verdict, question.answer or "")
        return GuidedOutcome(
            question, text, answer.text, answer.verdict, reward, seconds, answer.cost.completion_tokens
        )


def reasons(outcomes: Sequence[GuidedOutcome]) -> str:
    """List why outcomes were lost, the most frequent reason first."""
    counted = Counter(outcome.lost for outcome in outcomes if outcome.lost)
    return "; ".join(f"{count} x {reason}" for reason, count in counted.most_common(3))
