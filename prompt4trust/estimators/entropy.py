"""Entropy: how far many samples concentrate on one option."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prompt4trust.estimators._samples import Draws, Sampler
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Downstream, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Invalid, Verdict

DRAWS = Draws(count=40)


class Entropy:
    """One minus the normalised entropy of the answers over the options (predictive entropy, as in arXiv 2302.09664).

    The answer is the option that most samples give (of several, the one that came first). An invalid sample counts as
    an equal part of a vote for every option. Where all samples are invalid, so is the answer. An open question has no
    options to spread over: it is not asked, and its answer is invalid ("no_options").

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Gives the longest reply and the run's seed; the rest comes from draws.
        draws: Number and decoding of the samples.

    Raises:
        ValueError: If the template has another role.
    """

    name = "entropy"
    needs_policy = False

    def __init__(
        self, downstream: Downstream, template: PromptTemplate, sampling: Sampling, draws: Draws = DRAWS
    ) -> None:
        self._sampler = Sampler(downstream, template, sampling, draws)

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The text is the first sample's with the chosen option."""
        if len(options) < 2:
            return Answer(Invalid("no_options"), "", self.name)
        samples = await self._sampler.draw(question, options, image_url)
        votes = Counter(verdict.answer for verdict in samples.valid)
        if not votes:
            return Answer(
                samples.verdicts[0], samples.texts[0], self.name, cost=samples.cost, signals=samples.signals()
            )
        chosen = votes.most_common(1)[0][0]  # of equal counts the first one counted
        place = next(
            place
            for place, verdict in enumerate(samples.verdicts)
            if isinstance(verdict, Verdict) and verdict.answer == chosen
        )
        signals = {**samples.signals(), "vote_share": votes[chosen] / len(samples.verdicts)}
        verdict = Verdict(chosen, 1 - samples.entropy())
        return Answer(verdict, samples.texts[place], self.name, cost=samples.cost, signals=signals)
