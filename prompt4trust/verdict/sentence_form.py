r"""The form of a reply in words: a text that has one sentence of a verdict in its place.

>>> print(verdict_sentence({"A": "Left", "B": "Right"}, "per-cent", "reason-first"))
[\s\S]{0,1000}[Tt]he answer is [AB] with confidence (100|[1-9]?[0-9])\.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

_NUMBERS = {"per-cent": "(100|[1-9]?[0-9])", "probability": r"(1\.0|0\.[0-9]{1,3})"}


def verdict_sentence(
    options: Mapping[str, str],
    scale: Literal["per-cent", "probability"],
    order: Literal["conclude-first", "reason-first"],
) -> str:
    """Write the regular expression of a reply that says its verdict.

    What stands before the sentence is bounded, so that a model that is at a loss comes to it in the end.

    Args:
        options: Letter -> text; empty for an open question, which any short answer answers.
        scale: What the number is.
        order: Whether reasons come before the sentence, or behind it and only a few words before.

    Returns:
        An expression without look-around, which the whole reply is to match.
    """
    answer = f"[{''.join(map(re.escape, options))}]" if options else r"[^\n.]{1,60}"
    sentence = rf"[Tt]he answer is {answer} with confidence {_NUMBERS[scale]}\."
    if order == "reason-first":
        return rf"[\s\S]{{0,1000}}{sentence}"
    # No digit before it: else a letter that is no option's could be said there, with a confidence, ahead of it.
    return rf"([^\n.0-9]{{0,60}}\. )?{sentence}(\s[\s\S]*)?"
