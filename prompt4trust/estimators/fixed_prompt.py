"""A fixed prompt: one sentence for every question in the place where the policy's guidance would stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files

from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.single_reply import SingleReplyEstimator
from prompt4trust.models import Cost, Downstream, Guidance, Sampling
from prompt4trust.prompts import PromptTemplate


def load_fixed_guidance() -> Guidance:
    """Read the sentence that ships with the library.

    Returns:
        The sentence, its name and version, at no cost.
    """
    source = json.loads((files("prompt4trust") / "estimators" / "fixed_prompt.json").read_text(encoding="utf-8"))
    return Guidance(str(source["guidance"]), f"{source['name']}@{source['version']}", Cost())


class FixedPrompt(SingleReplyEstimator):
    """The baseline of a policy: the same request to reason step by step and to beware of overconfidence for all.

    The answer names no guidance: a sentence for every question is part of the estimator, and no policy wrote it.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Its decoding.
        guidance: The sentence, or None for the library's own.

    Raises:
        ValueError: If the template has another role.
    """

    name = "fixed-prompt"
    needs_policy = False

    def __init__(
        self, downstream: Downstream, template: PromptTemplate, sampling: Sampling, guidance: str | None = None
    ) -> None:
        super().__init__(downstream, template, sampling)
        self._guidance = load_fixed_guidance() if guidance is None else Guidance(guidance, "given", Cost())

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. Open questions are answered too."""
        answer, _ = await self._ask(question, options, image_url, self._guidance)
        return replace(answer, guidance=None)
