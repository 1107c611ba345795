"""Worth of a second model's opinion: python -m benchmarks.confidence.second_model.

The other downstream miniature, of another seed and width and the same training pictures, is asked the same questions.
The probability that it gives the answer joins the two signals of `cgp+logprob` in a calibrator of several signals,
cross-fitted; and both models choose an answer by their options' mean probability. The questions are of the calibration
split, by which methods may be chosen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console

from benchmarks.confidence.answer_runs import SECOND, models, servers, side_by_side
from benchmarks.confidence.looks import LookKind, Seen, agreements, choices, look
from benchmarks.confidence.questions import questions
from benchmarks.confidence.table import interval
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from prompt4trust.evaluation.crossfit import cross_fit
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.calibration import accuracy_of
from prompt4trust.metrics.intervals import Sampled, metric_difference, sampled_metrics
from prompt4trust.questions import Question

ASKED: Mapping[str, LookKind] = {"with guidance": LookKind(), "without guidance": LookKind(guided=False)}
"""Name -> how the second model is asked."""
FIGURES = {
    "accuracy": accuracy_of,
    "auroc": METRICS["auroc"],
    "in_hindsight_at_5": METRICS["coverage_at_5pct_error"],
    "in_hindsight_at_10": METRICS["coverage_at_10pct_error"],
}
ALONE = "cgp+logprob"


def second_figures(
    first: Sequence[Seen], second: Mapping[str, Sequence[Seen]], truths: Sequence[str], resamples: int = 1000
) -> dict[str, Any]:
    """Measure a second model's opinion as a third signal, and as half of the choice.

    Args:
        first: What the first model says of each question, with guidance.
        second: How it was asked -> what the second says.
        truths: The right letters.
        resamples: Of the bootstrap, by question; each is about a picture of its own.

    Returns:
        `ALONE`: `FIGURES` of the first model's answers by its own two signals. "signal, ..." and "choice, ..." for each
        way of asking: the same with the second model, and under "less cgp+logprob" what these differ by.
    """
    stated = np.array([each.stated for each in first])
    own = {"reply_probability": np.array([each.reply for each in first])}
    right = np.array([each.letter == truth for each, truth in zip(first, truths, strict=True)])

    def measured(
        confidence: npt.NDArray[np.float64],
        correct: npt.NDArray[np.bool_],
        signals: Mapping[str, npt.NDArray[np.float64]],
    ) -> dict[str, Sampled]:
        return sampled_metrics(
            cross_fit("several-signal", confidence, correct, signals=signals), correct, FIGURES, resamples=resamples
        )

    alone = measured(stated, right, own)
    found: dict[str, Any] = {ALONE: _written(alone)}
    for name, seen in second.items():
        as_signal = measured(stated, right, {**own, "vote_share": agreements(first, seen)})
        chosen, share = choices([first, seen])
        correct = np.array([letter == truth for letter, truth in zip(chosen, truths, strict=True)])
        as_choice = measured(stated, correct, {"vote_share": share})
        for what, more in ((f"signal, {name}", as_signal), (f"choice, {name}", as_choice)):
            less = {figure: metric_difference(more[figure], alone[figure]).as_json() for figure in FIGURES}
            found[what] = {**_written(more), f"less {ALONE}": less}
    return found


def _written(measured: Mapping[str, Sampled]) -> dict[str, Any]:
    return {name: each.interval.as_json() for name, each in measured.items()}


def main(
    n: Annotated[int, typer.Option(min=100, max=1000, help="Questions of the calibration split.")] = 1000,
    port: Annotated[int, typer.Option(help="First of two ports that are used.")] = 28_900,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight at once.")] = 32,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    folder: Annotated[Path, typer.Option(help="Where questions and calls are kept.")] = ROOT
    / "var"
    / "bench-confidence",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "confidence"
    / "results-second-model.json",
) -> None:
    """Ask both models, and print what the second is worth beside the answer's own signals."""
    asked = questions(folder / "questions", "calibration", 5000).questions[:n]

    async def seen(kind: LookKind, calls: str) -> list[Seen]:
        held: dict[str, Seen] = {}

        async def take(question: Question) -> None:
            held[question.id] = await look(question, kind, downstream, policy)

        async with models(found, folder / calls, concurrency) as (downstream, policy):
            await side_by_side(asked, take, concurrency)
        return [held[question.id] for question in asked]

    with servers(port, folder / "logs") as found:
        first = asyncio.run(seen(LookKind(), "calls.db"))
    with servers(port, folder / "logs", ROOT / "models" / SECOND) as found:
        second = {name: asyncio.run(seen(kind, f"calls-{SECOND}.db")) for name, kind in ASKED.items()}
    result = second_figures(first, second, [str(question.answer) for question in asked], resamples)
    console = Console(width=160)
    for name, figures in result.items():
        for what in FIGURES:
            less = figures.get(f"less {ALONE}", {}).get(what)
            console.print(f"{name}: {what} {interval(figures[what])}{f', less {interval(less)}' if less else ''}")
    write_figures(output, {"n": n, "split": "calibration", "second": SECOND, "figures": result})


if __name__ == "__main__":
    typer.run(main)
