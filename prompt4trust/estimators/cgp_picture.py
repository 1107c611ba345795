"""Picture evidence: how far the answer's probabilities move when the picture is taken away, or lies under noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import anyio.to_thread

from prompt4trust.estimators._noise import NoisyPicture
from prompt4trust.estimators._samples import derived_seed
from prompt4trust.estimators._second_looks import SecondLook, SecondLooks
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.models import Cost
from prompt4trust.verdict import Verdict

STRENGTH = 0.5
"""Part of the picture's variance that noise takes the place of: the middle of those that `Perturbation` tries."""
_WITHOUT = {"picture": "cgp+logprob", "noise": "cgp+picture"}
"""SecondLook -> the method that does without it and those after it."""


class CgpPicture(SecondLooks):
    """`CgpLogprob`, and the same question about a blank picture, to see whether the answer rests on what is shown.

    A model that answers from the wording alone says the same of a blank picture, and is as sure. The blank has the
    picture's size and mean grey. Further signals in [0, 1], besides those of `letter_signals`:

    - picture_shift: half the sum of the absolute differences between the options' probabilities with the picture and
      without (total variation), 0 where the picture changes nothing;
    - picture_support: p / (p + q), p and q being the answer's probability with the picture and without; 0.5 where the
      picture says nothing for the answer, less where it speaks against it;
    - noise_support: the same with the picture under noise in the place of the blank, for `CgpPictureNoise`.

    A reply about the blank or noisy picture that has no verdict gives every option the same probability. The signals
    are missing where the server reports no log-probabilities, or none for the letter of either reply, and for an open
    question or one without a picture; the answer is valid all the same. After the idea that a hallucinated answer does
    not need the picture (arXiv 2604.02543 and others); the formulas are our own.

    Args and errors are those of `CgpLogprob`; the noise has the seed of the sampling, 0 where it has none.
    """

    name = "cgp+picture"
    _noise = False

    async def _looks(
        self, question: str, options: Mapping[str, str], image_url: str | None, answer: Answer
    ) -> Sequence[SecondLook]:
        if image_url is None:
            return ()
        seed = derived_seed(self._sampling.seed or 0, question, options, image_url, 0)
        # Decoding, mixing and encoding take milliseconds each: not on the event loop.
        others = await anyio.to_thread.run_sync(_other_pictures, image_url, seed, self._noise)
        ask = partial(self._evidence, question, options, answer)
        return [SecondLook(_WITHOUT[what], partial(ask, what, url)) for what, url in others.items()]

    async def _evidence(
        self,
        question: str,
        options: Mapping[str, str],
        answer: Answer,
        what: str,
        image_url: str,
    ) -> tuple[dict[str, float], Cost]:
        """Ask about another picture, and compare the options' probabilities with those that the answer has."""
        free = answer.guidance and replace(answer.guidance, cost=Cost())  # it was written once
        found, cost = await self._probabilities(question, options, image_url, free)
        if not found or not isinstance(answer.verdict, Verdict):
            return {}, cost
        seen, letter = option_probabilities(answer.signals), answer.verdict.answer
        signals = {f"{what}_support": support(seen[letter], found[letter])}
        if what == "picture":
            signals["picture_shift"] = sum(abs(seen[each] - found[each]) for each in options) / 2
        return signals, cost


def _other_pictures(image_url: str, seed: int, noise: bool) -> dict[str, str]:
    picture = NoisyPicture(image_url, seed)
    return {"picture": picture.blank(), **({"noise": picture.at(STRENGTH)} if noise else {})}


class CgpPictureNoise(CgpPicture):
    """`CgpPicture` with the question asked once more, of the picture under noise: see there."""

    name = "cgp+picture+noise"
    _noise = True


def support(probability: float, without: float) -> float:
    """Compare an answer's probability with the picture with that without.

    Args:
        probability: With the picture, in [0, 1].
        without: Without it, in [0, 1].

    Returns:
        The first's part of their sum, in [0, 1]; 0.5 where both are 0.

    Example:
        >>> support(0.9, 0.1), support(0.25, 0.25)
        (0.9, 0.5)
    """
    total = probability + without
    return probability / total if total > 0 else 0.5
