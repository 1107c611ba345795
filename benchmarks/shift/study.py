"""References from some phantoms, tried on others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.shift.spoiling import Pixels, Spoil
from prompt4trust.datasets.phantoms import PhantomQuestion, Scene, render, sample_question, sample_scene
from prompt4trust.datasets.phantoms.generator import samples, split_rng
from prompt4trust.datasets.phantoms.questions import Wordings
from prompt4trust.metrics.bootstrap import Interval
from prompt4trust.pictures import ReducedPicture
from prompt4trust.questions import letter_options
from prompt4trust.shift import Described, PictureAndWords, Reference, fit
from prompt4trust.shift.reference_quality import Share, beyond, judge_each, separation

DESCRIPTOR = PictureAndWords()
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A phantom with its question, as drawn and as described."""

    scene: Scene
    question: PhantomQuestion
    pixels: Pixels
    described: Described

    def shows(self, modality: str) -> bool:
        """Whether the look is in the picture, be it blended in."""
        return modality in (self.scene.modality, self.scene.second_modality)


def draw(n: int, seed: int, split: str, wordings: Wordings = "train") -> list[Drawn]:
    """Draw phantoms of a split, the same as `trustvqa phantoms` writes."""
    return [_drawn(scene, question) for scene, question in samples(n, seed, split, wordings)]


def draw_look(n: int, seed: int, split: str, look: str) -> list[Drawn]:
    """Draw phantoms of one look alone, such as the one that no split holds."""
    found = []
    for index in range(n):
        rng = split_rng(seed, split, index)
        scene = sample_scene(rng, (look,))
        family = str(rng.choice([name for name, value in scene.values.items() if value is not None]))
        found.append(_drawn(scene, sample_question(rng, scene, family=family)))
    return found


def reference_of(drawn: Sequence[Drawn], seed: int = 42) -> Reference:
    """Make a reference of phantoms."""
    return fit([each.described for each in drawn], DESCRIPTOR, seed, rows=True).reference()


@dataclass(frozen=True, slots=True)
class Separation:
    """Separation of unusual questions from usual ones.

    Attributes:
        n: Unusual ones.
        auroc: Trait, or "both" -> AUROC of the atypicality, with its interval; empty where there is nothing to compare.
        beyond: Trait, or "both" -> share at or beyond the limit.
    """

    n: int
    auroc: dict[str, Interval]
    beyond: dict[str, Share]


def tell(reference: Reference, usual: Sequence[Described], unusual: Sequence[Described], limit: float) -> Separation:
    """Judge usual and unusual questions by one reference."""
    strange = judge_each(reference.judge_all(unusual))
    known = judge_each(reference.judge_all(usual)) if usual else {}
    areas = {part: separation(scores, strange[part]) for part, scores in known.items()}
    return Separation(len(unusual), areas, {part: beyond(scores, limit) for part, scores in strange.items()})


def leave_out(
    calibration: Sequence[Drawn], test: Sequence[Drawn], modality: str, limit: float
) -> dict[str, Separation]:
    """Make a reference without a modality, and tell test phantoms of it from those of the others.

    Neither the reference nor the usual test phantoms have any of that look, be it blended in.

    Returns:
        "all" of that modality, as they come; "pure" ones; those "blended" with another one, which the reference knows
        and which makes up to half of the picture; and the "usual" ones by themselves.
    """
    reference = reference_of([each for each in calibration if not each.shows(modality)])
    usual = [each.described for each in test if not each.shows(modality)]
    unseen = [each for each in test if each.scene.modality == modality]
    kinds = {
        "all": unseen,
        "pure": [each for each in unseen if each.scene.blend == 0],
        "blended": [each for each in unseen if each.scene.blend > 0],
    }
    told = {kind: tell(reference, usual, [each.described for each in of], limit) for kind, of in kinds.items() if of}
    return {**told, "usual": tell(reference, [], usual, limit)}


def spoil(drawn: Sequence[Drawn], how: Spoil, seed: int = 0) -> list[Described]:
    """Describe the same questions about spoilt pictures."""
    rng = np.random.default_rng(seed)
    return [_describe(how(each.pixels, rng), each.question.text, each.question.options) for each in drawn]


def ask_elsewhere(drawn: Sequence[Drawn], asked: Sequence[tuple[str, tuple[str, ...]]]) -> list[Described]:
    """Describe other questions about the same pictures, each question in turn."""
    words = [DESCRIPTOR.describe(None, text, letter_options(options)) for text, options in asked]
    found = []
    for index, each in enumerate(drawn):
        other = words[index % len(words)]
        traits = {"picture": each.described.traits["picture"], "words": other.traits["words"]}
        twins = {"picture": each.described.twins["picture"], "words": other.twins["words"]}
        found.append(replace(each.described, traits=traits, twins=twins))
    return found


def time_it(reference: Reference, drawn: Sequence[Drawn], side: int, rounds: int = 40) -> dict[str, float]:
    """Take the median milliseconds to describe one question with a picture of that side, and to judge it."""
    describing, judging = [], []
    for each in list(drawn)[:rounds]:
        picture = Image.fromarray(each.pixels).resize((side, side))
        options = letter_options(each.question.options)
        started = time.perf_counter()
        described = DESCRIPTOR.describe(ReducedPicture.of(picture), each.question.text, options)
        between = time.perf_counter()
        reference.judge(described)
        describing.append(between - started)
        judging.append(time.perf_counter() - between)
    return {"describe": 1e3 * float(np.median(describing)), "judge": 1e3 * float(np.median(judging))}


def _drawn(scene: Scene, question: PhantomQuestion) -> Drawn:
    pixels = render(scene)
    return Drawn(scene, question, pixels, _describe(Image.fromarray(pixels), question.text, question.options))


def _describe(picture: Image.Image, text: str, options: Sequence[str]) -> Described:
    return DESCRIPTOR.describe(ReducedPicture.of(picture), text, letter_options(options))


def as_json(told: Mapping[str, Separation]) -> dict[str, object]:
    """Lay figures out for a file."""
    return {
        kind: {
            "n": each.n,
            "auroc": {part: interval.as_json() for part, interval in each.auroc.items()},
            "beyond": {part: share_json(share) for part, share in each.beyond.items()},
        }
        for kind, each in told.items()
    }


def share_json(share: Share) -> dict[str, float]:
    """Lay a share out for a file."""
    return {"value": share.value, "count": share.count, "n": share.n, "low": share.low, "high": share.high}
