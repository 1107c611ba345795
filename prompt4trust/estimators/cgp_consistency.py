"""The paper's guidance and self-consistency together: samples of the guided model's reply."""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.estimators._samples import Draws
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.consistency import Consistency
from prompt4trust.models import Downstream, Policy, Sampling
from prompt4trust.prompts import PromptTemplate


class CgpConsistency(Consistency):
    """One guidance prompt by the policy, then agreement among guided samples (as in `Consistency`) as confidence.

    The samples' mean stated confidence is among the signals: a second one beside the agreement, for a calibrator that
    takes both.

    Args:
        downstream: The model that answers.
        policy: The model that writes guidance, greedily.
        template: A template of role "answer".
        sampling: Gives the longest reply and the run's seed; the rest comes from draws.
        draws: Number and decoding of the samples.

    Raises:
        ValueError: If the template has another role.
    """

    name = "cgp+consistency"
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
        """Answer one question; see `Estimator.answer`. The text is the first sample's."""
        guidance = await self._policy.guide(question, options)
        return self.judge(await self._sampler.draw(question, options, image_url, guidance), guidance)
