"""Names under which methods are offered as models of OpenAI's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.common.openai.errors import OpenAIError

MODEL: Final = "calibrated-vqa"
"""The model that answers by the default method; that of a method is `calibrated-vqa/<method>`."""


def model_names(methods: Sequence[str]) -> list[str]:
    """List the models that are offered, the default one first.

    Args:
        methods: Methods that are offered, the default one first.

    >>> model_names(["cgp+logprob", "cgp"])
    ['calibrated-vqa', 'calibrated-vqa/cgp+logprob', 'calibrated-vqa/cgp']
    """
    return [MODEL, *(f"{MODEL}/{method}" for method in methods)]


def method_of(model: str, methods: Sequence[str]) -> str:
    """Find the method that a model stands for.

    Args:
        model: The model's name.
        methods: Methods that are offered, the default one first.

    Raises:
        OpenAIError: 404 if there is no such model.

    >>> method_of("calibrated-vqa/cgp", ["cgp+logprob", "cgp"]), method_of("calibrated-vqa", ["cgp+logprob", "cgp"])
    ('cgp', 'cgp+logprob')
    """
    if model == MODEL:
        return methods[0]
    method = model.removeprefix(f"{MODEL}/")
    if method == model or method not in methods:
        offered = ", ".join(f"`{name}`" for name in model_names(methods))
        raise OpenAIError(
            404,
            f"The model `{model[:200]}` does not exist. This gateway has {offered}.",
            param="model",
            code="model_not_found",
        )
    return method
