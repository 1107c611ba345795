"""Perturbation (after CSP): how much noise over the picture an answer stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import anyio.to_thread

from prompt4trust.estimators._noise import NoisyPicture
from prompt4trust.estimators._samples import alike, derived_seed
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.single_reply import SingleReplyEstimator
from prompt4trust.models import Downstream, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Invalid, Verdict

STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Parts of the picture's variance that noise takes the place of; at 1 there would be nothing left to answer from."""


class Perturbation(SingleReplyEstimator):
    """Visual uncertainty made to measure, after CSP (semantic perturbation, arXiv 2504.14848).

    There, noise of growing strength over the object in question makes training examples of growing uncertainty. Here
    nothing is trained and no object is marked: the whole picture is mixed with ever more noise (`NoisyPicture`), the
    same question is asked at each strength, weakest first, and the asking stops at the first reply with another
    answer. The confidence is the share of the strengths at which the answer stood: 0 where the weakest noise changed
    it, 1 where the strongest did not. An invalid reply agrees with nobody, so it ends the standing.

    Replies are decoded as for `Verbalized`, whose answer this is. The noise depends on the run's seed, the question and
    the picture alone. Open questions are answered too. Without a picture there is nothing to perturb: the answer is
    invalid ("no_image"), unasked. A model that answers from the question alone stands any noise, and is called sure.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Its decoding, and the run's seed (none counts as 0).
        strengths: Strengths in (0, 1], rising.

    Raises:
        ValueError: If the template has another role, or the strengths are not as described.
    """

    name = "perturbation"
    needs_policy = False

    def __init__(
        self,
        downstream: Downstream,
        template: PromptTemplate,
        sampling: Sampling,
        strengths: Sequence[float] = STRENGTHS,
    ) -> None:
        if not strengths or list(strengths) != sorted(set(strengths)) or strengths[0] <= 0 or strengths[-1] > 1:
            raise ValueError("strengths must rise, above 0 and up to 1")
        super().__init__(downstream, template, sampling)
        self._strengths = tuple(strengths)

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The text is the reply to the clean picture."""
        if image_url is None:
            return Answer(Invalid("no_image"), "", self.name)
        clean, _ = await self._ask(question, options, image_url)
        if isinstance(clean.verdict, Invalid):
            return clean
        seed = derived_seed(self._sampling.seed or 0, question, options, image_url, 0)
        # Decoding, mixing and encoding take milliseconds each: not on the event loop.
        picture = await anyio.to_thread.run_sync(NoisyPicture, image_url, seed)
        stood, cost = 0, clean.cost
        for strength in self._strengths:
            noisy, _ = await self._ask(question, options, await anyio.to_thread.run_sync(picture.at, strength))
            cost += noisy.cost
            if isinstance(noisy.verdict, Invalid) or not alike(noisy.verdict.answer, clean.verdict.answer, options):
                break
            stood += 1
        signals = {
            "stated": clean.verdict.confidence,
            "levels_stood": float(stood),
            "noise_stood": self._strengths[stood - 1] if stood else 0.0,
        }
        verdict = Verdict(clean.verdict.answer, stood / len(self._strengths))
        return replace(clean, verdict=verdict, cost=cost, signals=signals)
