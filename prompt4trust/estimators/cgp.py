"""The paper's estimator: a calibration guidance prompt, then the confidence that the guided model states."""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.single_reply import SingleReplyEstimator
from prompt4trust.models import Downstream, Policy, Sampling
from prompt4trust.prompts import PromptTemplate


class Cgp(SingleReplyEstimator):
    """Prompt4Trust (Kriz et al. 2025, arXiv 2507.09279): the policy's greedy guidance goes into the prompt.

    Args:
        downstream: The model that answers.
        policy: The model that writes guidance from the question and its options; it sees no picture and no truth.
        template: A template of role "answer".
        sampling: The downstream model's decoding.

    Raises:
        ValueError: If the template has another role.
    """

    name = "cgp"
    needs_policy = True

    def __init__(self, downstream: Downstream, policy: Policy, template: PromptTemplate, sampling: Sampling) -> None:
        super().__init__(downstream, template, sampling)
        self._policy = policy

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`."""
        guidance = await self._policy.guide(question, options)
        answer, _ = await self._ask(question, options, image_url, guidance)
        return answer
