"""Verbalized confidence: the downstream model is asked without guidance, and what it states is taken."""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.single_reply import SingleReplyEstimator


class Verbalized(SingleReplyEstimator):
    """The baseline of every comparison (Lin et al. 2022, arXiv 2205.14334): no policy, the stated confidence.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Its decoding.

    Raises:
        ValueError: If the template has another role.
    """

    name = "verbalized"
    needs_policy = False

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`."""
        answer, _ = await self._ask(question, options, image_url)
        return answer
