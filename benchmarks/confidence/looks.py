"""Worth of a further look at a question, for looks of many kinds: python -m benchmarks.confidence.looks.

Each look asks the same question of a changed picture, or with its options the other way round, or without guidance.
The probability that it gives the answer joins the two signals of `cgp+logprob` in a calibrator of several signals,
cross-fitted; and all looks together choose an answer by their options' mean probability. The questions are of the
calibration split, by which methods may be chosen.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from PIL import Image, ImageFilter
from rich.console import Console

from benchmarks.confidence.answer_runs import SAMPLING, TEMPLATE, models, servers, side_by_side
from benchmarks.confidence.questions import questions
from benchmarks.confidence.table import interval
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from prompt4trust.estimators._tokens import ALTERNATIVES, letter_signals
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.estimators.single_reply import ask
from prompt4trust.evaluation.crossfit import cross_fit
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics
from prompt4trust.models import Downstream, Policy
from prompt4trust.picture_files import data_url
from prompt4trust.pictures import DataUrl
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.verdict import Verdict

_FIGURES = {"auroc": METRICS["auroc"], "in_hindsight_at_5": METRICS["coverage_at_5pct_error"]}


@dataclass(frozen=True, slots=True)
class LookKind:
    """A kind of look.

    Attributes:
        picture: Changes the picture; None leaves it.
        turned: Whether options stand the other way round.
        guided: Whether there is guidance.
    """

    picture: Callable[[Image.Image], Image.Image] | None = None
    turned: bool = False
    guided: bool = True


def _shifted(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.roll(np.asarray(picture), (2, 3), (0, 1)))


def _nearer(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    rim = (1 - 1 / 1.07) / 2
    box = (width * rim, height * rim, width * (1 - rim), height * (1 - rim))
    return picture.resize(picture.size, Image.Resampling.BICUBIC, box=box)


def _stronger(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture).astype(float)
    return Image.fromarray(np.clip((pixels - pixels.mean()) * 1.2 + pixels.mean(), 0, 255).astype(np.uint8))


def _noisy(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture)
    noise = np.random.default_rng(0).normal(0, 8, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


FIRST = "the question itself"
LOOKS: Mapping[str, LookKind] = {
    FIRST: LookKind(),
    "without guidance": LookKind(guided=False),
    "options turned": LookKind(turned=True),
    "options turned, without guidance": LookKind(turned=True, guided=False),
    "shifted by 3 pixels": LookKind(_shifted),
    "7 % nearer": LookKind(_nearer),
    "turned by 4 degrees": LookKind(lambda picture: picture.rotate(4, Image.Resampling.BICUBIC)),
    "a fifth more contrast": LookKind(_stronger),
    "blurred, 0.6 pixels": LookKind(lambda picture: picture.filter(ImageFilter.GaussianBlur(0.6))),
    "noise of deviation 8": LookKind(_noisy),
    "mirrored": LookKind(lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}
"""Name -> look. The first is the answer itself."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A look's outcome.

    Attributes:
        letter: The letter that it chooses, as the question has it; None without a verdict.
        stated: The confidence that it states; 0 without a verdict.
        reply: The reply's probability; 0.5 where it is unknown.
        options: Letter -> probability.
    """

    letter: str | None
    stated: float
    reply: float
    options: Mapping[str, float]


async def look(question: Question, kind: LookKind, downstream: Downstream, policy: Policy) -> Seen:
    """Look at a question in a way."""
    guidance = await policy.guide(question.text, question.options) if kind.guided else None
    letters = list(question.options)
    places = letters[::-1] if kind.turned else letters
    options = {letter: question.options[place] for letter, place in zip(letters, places, strict=True)}
    assert question.image is not None
    url: str = data_url(question.image)
    if kind.picture is not None:
        buffer = io.BytesIO()
        with Image.open(question.image) as opened:
            kind.picture(opened).save(buffer, "PNG")
        url = DataUrl.of("image/png", buffer.getvalue())
    template = load_template(TEMPLATE)
    answer, reply = await ask(
        "look", downstream, template, SAMPLING, question.text, options, url, guidance, top_logprobs=ALTERNATIVES
    )
    even = dict.fromkeys(letters, 1 / len(letters))
    if not isinstance(answer.verdict, Verdict):
        return Seen(None, 0.0, 0.5, even)
    signals = letter_signals(reply, answer.verdict.answer, options)
    place = dict(zip(letters, places, strict=True))
    found = {place[letter]: share for letter, share in option_probabilities(signals).items()}
    stated = answer.verdict.confidence
    return Seen(place[answer.verdict.answer], stated, signals.get("reply_probability", 0.5), found or even)


async def look_all(
    asked: Sequence[Question], downstream: Downstream, policy: Policy, concurrency: int
) -> dict[str, list[Seen]]:
    """Look at all questions in all ways."""
    found: dict[tuple[str, int], Seen] = {}

    async def take(which: tuple[str, int]) -> None:
        name, place = which
        found[which] = await look(asked[place], LOOKS[name], downstream, policy)

    await side_by_side([(name, place) for place in range(len(asked)) for name in LOOKS], take, concurrency)
    return {name: [found[name, place] for place in range(len(asked))] for name in LOOKS}


def agreements(first: Sequence[Seen], other: Sequence[Seen]) -> npt.NDArray[np.float64]:
    """Take the probability that another look gives to what the first chose; 0.5 where that chose nothing."""
    return np.array(
        [0.5 if one.letter is None else also.options[one.letter] for one, also in zip(first, other, strict=True)]
    )


def choices(looks: Sequence[Sequence[Seen]]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Choose the option of each question that looks' mean probability is highest for, and give that probability."""
    mean = [
        {letter: float(np.mean([each.options[letter] for each in of_one])) for letter in of_one[0].options}
        for of_one in zip(*looks, strict=True)
    ]
    chosen = [max(each, key=lambda letter: each[letter]) for each in mean]
    return chosen, np.array([each[letter] for each, letter in zip(mean, chosen, strict=True)])


def figures(seen: Mapping[str, Sequence[Seen]], truths: Sequence[str], resamples: int) -> dict[str, Any]:
    """Measure each look as a third signal, and all of them as a vote.

    Args:
        seen: Look -> what it says of each question.
        truths: The right letters.
        resamples: Of the bootstrap.
    """
    first = seen[FIRST]
    stated = np.array([each.stated for each in first])
    correct = np.array([each.letter == truth for each, truth in zip(first, truths, strict=True)])
    signals = {"reply_probability": np.array([each.reply for each in first])}

    def measured(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> dict[str, Sampled]:
        return sampled_metrics(confidence, right, _FIGURES, resamples=resamples)

    two = measured(cross_fit("several-signal", stated, correct, signals=signals), correct)
    found: dict[str, Any] = {"two signals": {name: each.interval.as_json() for name, each in two.items()}}
    for name in list(LOOKS)[1:]:
        third = {**signals, "vote_share": agreements(first, seen[name])}
        more = measured(cross_fit("several-signal", stated, correct, signals=third), correct)
        found[name] = {
            "less two signals": {figure: metric_difference(more[figure], two[figure]).as_json() for figure in _FIGURES}
        }
    chosen, highest = choices([seen[name] for name in LOOKS])
    right = np.array([letter == truth for letter, truth in zip(chosen, truths, strict=True)])
    vote = measured(cross_fit("several-signal", stated, right, signals={"vote_share": highest}), right)
    found["all looks choose"] = {name: each.interval.as_json() for name, each in vote.items()}
    found["accuracy"] = {"of the answer": float(correct.mean()), "of all looks": float(right.mean())}
    return found


def main(
    n: Annotated[int, typer.Option(min=100, max=1000, help="Questions of the calibration split.")] = 500,
    port: Annotated[int, typer.Option(help="First of two ports that are used.")] = 28_900,
    concurrency: Annotated[int, typer.Option(min=1, help="Looks in flight at once.")] = 32,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    folder: Annotated[Path, typer.Option(help="Where questions and calls are kept.")] = ROOT
    / "var"
    / "bench-confidence",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "confidence"
    / "results-looks.json",
) -> None:
    """Look at questions in every way, and print what each is worth beside the answer's own signals."""

    async def run() -> dict[str, list[Seen]]:
        async with models(found, folder / "calls.db", concurrency) as (downstream, policy):
            return await look_all(asked, downstream, policy, concurrency)

    asked = questions(folder / "questions", "calibration", 5000).questions[:n]
    with servers(port, folder / "logs") as found:
        seen = asyncio.run(run())
    result = figures(seen, [str(question.answer) for question in asked], resamples)
    console = Console(width=160)
    for name, each in result.items():
        for what, value in (each.get("less two signals") or each).items():
            console.print(f"{name}: {what} {interval(value) if isinstance(value, dict) else round(value, 3)}")
    write_figures(output, {"n": n, "split": "calibration", "looks": result})


if __name__ == "__main__":
    typer.run(main)
