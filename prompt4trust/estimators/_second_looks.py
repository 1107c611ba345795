"""Second looks: a guided answer, and further questions about it whose replies are signals."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from prompt4trust.errors import TransportError
from prompt4trust.estimators._tokens import ALTERNATIVES, letter_signals
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.cgp_logprob import CgpLogprob
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.models import Cost, Downstream, Guidance, Policy, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Verdict

LeftS = Callable[[], float]
"""Gives the seconds that are left for second looks; not above 0 where there is no time for any."""


def without_end() -> float:
    """Give looks all the time that their requests may take; see `LeftS`."""
    return math.inf


@dataclass(frozen=True, slots=True)
class SecondLook:
    """A further question about an answer.

    Attributes:
        without: The method whose answer it is where this look, or one before it, is lost.
        ask: Asks; returns the signals, none where the reply tells nothing, and the cost. May raise TransportError.
    """

    without: str
    ask: Callable[[], Awaitable[tuple[Mapping[str, float], Cost]]]


class SecondLooks(CgpLogprob):
    """Base of methods that look again: `CgpLogprob`, then all looks side by side.

    There is nothing to look at again where the reply has no verdict, the server reports no log-probabilities, or the
    question is open. A look that cannot be prepared or asked, or is not replied to in time, does not take the answer
    away: it is then that of the method with the looks before it, whose calibrator fits it, and `Answer.lost` is the
    fault. Of looks after a lost one the cost is counted, and nothing else.

    Args and errors are those of `CgpLogprob`, and:
        left_s: How long looks may take, asked for once the answer is there.
    """

    def __init__(
        self,
        downstream: Downstream,
        policy: Policy,
        template: PromptTemplate,
        sampling: Sampling,
        alternatives: int = ALTERNATIVES,
        left_s: LeftS = without_end,
    ) -> None:
        super().__init__(downstream, policy, template, sampling, alternatives)
        self._left_s = left_s

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The text is the reply to the question itself."""
        answer = await super().answer(question, options, image_url)
        if not isinstance(answer.verdict, Verdict) or "letter_probability" not in answer.signals:
            return answer
        try:
            looks = await self._looks(question, options, image_url, answer)
        except TransportError as error:
            return replace(answer, estimator=CgpLogprob.name, lost=error)
        found = await side_by_side(looks, self._left_s())
        told = []
        for look, result in zip(looks, found, strict=True):
            if isinstance(result, TransportError):
                # What a calibrator of fewer looks was fitted on had the signals of fewer looks alone.
                answer = replace(answer, estimator=look.without, lost=result)
                break
            told.append(result[0])
        spent = sum((each[1] for each in found if not isinstance(each, TransportError)), answer.cost)
        return replace(answer, cost=spent, signals={**answer.signals, **self._joined(told)})

    async def _looks(
        self, question: str, options: Mapping[str, str], image_url: str | None, answer: Answer
    ) -> Sequence[SecondLook]:
        """Prepare the looks at an answer with a verdict and log-probabilities; none where they cannot be taken.

        May raise TransportError.
        """
        raise NotImplementedError

    def _joined(self, told: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Put the signals of the looks before the first lost one together; a method may count them as one look."""
        return {name: value for signals in told for name, value in signals.items()}

    async def _probabilities(
        self, question: str, options: Mapping[str, str], image_url: str | None, guidance: Guidance | None = None
    ) -> tuple[dict[str, float], Cost]:
        """Ask once more, and read the options' probabilities: even ones where the reply has no verdict.

        Returns:
            Letter -> probability, empty where the server reports none of the letter's token; and the cost, the
            guidance's included. May raise TransportError.
        """
        other, reply = await self._ask(question, options, image_url, guidance, top_logprobs=self._alternatives)
        if not isinstance(other.verdict, Verdict):
            return dict.fromkeys(options, 1 / len(options)), other.cost
        return option_probabilities(letter_signals(reply, other.verdict.answer, options)), other.cost


async def side_by_side(
    looks: Sequence[SecondLook], within_s: float
) -> list[tuple[Mapping[str, float], Cost] | TransportError]:
    """Take looks at once; in their order, what came of each: of one that took longer than it may, that it did.

    Raises whatever else one of them raises, as it is: a picture that may not be sent to a second model, for one.
    """
    found: dict[int, tuple[Mapping[str, float], Cost] | TransportError] = {}
    refused: list[Exception] = []

    async def take(place: int, look: SecondLook) -> None:
        try:
            found[place] = await look.ask()
        except TransportError as error:
            found[place] = error
        except Exception as error:  # else the group would raise it within another
            refused.append(error)

    if within_s > 0:  # else the server is not troubled for what nobody waits for
        with anyio.move_on_after(within_s):
            async with anyio.create_task_group() as group:
                for place, look in enumerate(looks):
                    group.start_soon(take, place, look)
    if refused:
        raise refused[0]
    late = TransportError("downstream", f"no reply to a second look within {max(within_s, 0.0):.1f} s", timed_out=True)
    return [found.get(place, late) for place in range(len(looks))]
