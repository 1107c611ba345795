"""Confidences of many samples at budgets of calls, ours and other packages': python -m benchmarks.sampling.

All samples of a question are drawn once; a budget of calls has room for the first of them, and every method and score
is given the same. Questions are asked in their order, so that what is there when time is up is the first of them. The
questions are too few to spare some for calibrators and thresholds: all is cross-fitted (`figures.crossed`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import anyio
import typer
from rich.console import Console

from benchmarks.confidence import peers
from benchmarks.confidence.answer_runs import (
    ASKED_WITH,
    SAMPLING,
    TEMPLATE,
    Servers,
    models,
    servers,
    side_by_side,
)
from benchmarks.confidence.figures import Row, crossed
from benchmarks.confidence.material import write_material
from benchmarks.confidence.questions import questions
from benchmarks.confidence.study import DEFAULT
from benchmarks.confidence.table import differences_table, rows_table
from benchmarks.results import write_figures
from benchmarks.sampling.budgets import DECODING, DRAWN, PLAIN, Drawn, draw, judged, shortened, with_agreement
from benchmarks.serving.processes import ROOT
from prompt4trust.datasets import Dataset
from prompt4trust.estimators import CgpConsistency, CgpVote, get_estimator
from prompt4trust.evaluation import Prediction
from prompt4trust.models import Downstream, Policy
from prompt4trust.picture_files import data_url
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question

BUDGETS: Final = {5: (5, 4, 4, 3), 22: (21, 21, 20, 20)}
"""Most calls of both models an answer -> samples of methods without and with guidance, and beside a greedy reply
without and with it."""
ASKED: Final = ("verbalized", "logprob", "cgp", DEFAULT)
"""Methods of one greedy reply, which others are set against."""
_COLUMNS: Final = {
    "accuracy": "accuracy",
    "auroc_raw": "AUROC raw",
    "auroc": "AUROC",
    "aurc": "AURC",
    "ece_raw": "ECE raw",
    "ece": "ECE",
    "in_hindsight_at_5": "in hindsight at 5 %",
    "in_hindsight_at_10": "at 10 %",
}


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """All that was asked of one question.

    Attributes:
        answers: Method of `ASKED` -> its answer.
        plain: Samples without guidance.
        guided: Samples with it.
    """

    answers: Mapping[str, Prediction]
    plain: Drawn
    guided: Drawn


async def see(question: Question, extra: Sequence[str], downstream: Downstream, policy: Policy) -> AskedQuestion:
    """Ask a question in every way; `extra` are further methods that ask for themselves."""
    template, url = load_template(TEMPLATE), data_url(question.image) if question.image else None
    answers = {}
    for method in (*ASKED, *extra):
        estimator = get_estimator(method, downstream, policy, template, SAMPLING)
        answers[method] = Prediction.of(question, await estimator.answer(question.text, question.options, url))
    return AskedQuestion(answers, await draw(question, downstream, None), await draw(question, downstream, policy))


@dataclass(frozen=True, slots=True)
class SamplingStudy:
    """One comparison of methods of many samples.

    Attributes:
        folder: Where questions and calls are kept.
        n: Test questions.
        extra: Methods that ask for themselves, beside `ASKED`.
        python: Python of the other packages' environment; None to measure none.
    """

    folder: Path
    n: int
    extra: tuple[str, ...]
    python: Path | None

    async def rows_of(self, found: Servers, concurrency: int, seconds: float, resamples: int) -> list[Row]:
        """Ask while there is time, and measure on the questions that all was asked of."""
        seen: dict[str, AskedQuestion] = {}
        asked = questions(self.folder / "questions", "test", self.n).questions
        async with models(found, self.folder / "calls.db", concurrency) as (downstream, policy):

            async def take(question: Question) -> None:
                seen[question.id] = await see(question, self.extra, downstream, policy)

            with anyio.move_on_after(seconds):
                await side_by_side(asked, take, concurrency)
            complete = Dataset("phantoms", tuple(question for question in asked if question.id in seen))
            for guided in (False, True) if self.python is not None else ():
                out = self._material(guided)
                out.unlink(missing_ok=True)
                # The samples are those of ours: none is drawn again.
                await write_material(
                    complete, guided, DRAWN.count, out, downstream, policy, concurrency, decoding=DECODING
                )
            ours = [seen[question.id] for question in complete.questions]
            return list(self.measured(ours, downstream, policy, resamples))

    def measured(
        self, seen: Sequence[AskedQuestion], downstream: Downstream, policy: Policy, resamples: int
    ) -> Iterator[Row]:
        """Measure every method at every budget; no model is asked."""
        measure = partial(crossed, resamples=resamples)
        answers = {method: [each.answers[method] for each in seen] for method in seen[0].answers}
        plain, guided = [each.plain for each in seen], [each.guided for each in seen]
        for method, rows in answers.items():
            yield measure(method, rows)
        for budget, (alone, with_guidance, beside, beside_guided) in BUDGETS.items():
            for name, kind in PLAIN.items():
                yield measure(named(name, budget), judged(kind, plain, alone, downstream, policy))
            for guided_kind, error in ((CgpConsistency, None), (CgpVote, CgpVote.default_draws.error)):
                rows = judged(guided_kind, guided, with_guidance, downstream, policy, error=error)
                yield measure(named(guided_kind.name, budget), rows)
            for base, what, drawn, count in (
                (DEFAULT, "guided", guided, beside_guided),
                (DEFAULT, "plain", plain, beside_guided),
                ("logprob", "plain", plain, beside),
            ):
                name = named(f"{base}, agreement of {what} samples", budget)
                yield measure(name, with_agreement(name, answers[base], drawn, count))
            if self.python is not None:
                for is_guided, count in ((False, beside), (True, beside_guided)):
                    scored = answers["cgp" if is_guided else "verbalized"]
                    for name, rows in self._theirs(is_guided, count, scored):
                        yield measure(named(name, budget), rows)

    def _theirs(self, guided: bool, count: int, base: Sequence[Prediction]) -> Iterator[tuple[str, list[Prediction]]]:
        assert self.python is not None
        file = shortened(self._material(guided), count)
        for scorer, found in peers.scores(self.python, file, file.with_suffix(".scores.json")).items():
            if isinstance(found, dict) and found.get("samples"):
                name = f"{scorer}{', guided' if guided else ''}"
                yield name, peers.scored(name, found, base, file)

    def _material(self, guided: bool) -> Path:
        return self.folder / "material" / "sampling" / f"{'guided' if guided else 'plain'}.jsonl"


def named(method: str, budget: int) -> str:
    """Name a row by its method and the budget that it was given.

    Example:
        >>> named("consistency", 5)
        'consistency, up to 5 calls'
    """
    return f"{method}, up to {budget} calls"


def main(
    n: Annotated[int, typer.Option(min=50, help="Test questions.")] = 1000,
    extra: Annotated[str, typer.Option(help="Further methods, which ask for themselves, with commas between.")] = "",
    python: Annotated[Path | None, typer.Option(help="Python of the other packages' environment.")] = None,
    seconds: Annotated[
        float, typer.Option(help="Stop asking after this, and measure what is there; the same command goes on.")
    ] = 1e9,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight at once; 21 samples of each.")] = 12,
    port: Annotated[int, typer.Option(help="First of two ports that are used.")] = 28_900,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    folder: Annotated[Path, typer.Option(help="Where questions and calls are kept.")] = ROOT
    / "var"
    / "bench-confidence",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "sampling"
    / "results.json",
) -> None:
    """Ask all methods the same questions of one server, and measure their confidences by one procedure."""
    study = SamplingStudy(folder, n, tuple(name for name in extra.split(",") if name), python)
    with servers(port, folder / "logs") as found:
        rows = anyio.run(study.rows_of, found, concurrency, seconds, resamples)
    tell(rows, resamples, output)


def tell(rows: Sequence[Row], resamples: int, output: Path) -> None:
    """Print the methods' figures and their differences to the default, and write both to a file."""
    default = next(each for each in rows if each.method == DEFAULT)
    paired = {each.method: each.less(default) for each in rows if each is not default}
    figures = [each.as_json() for each in rows]
    console = Console(width=240)
    console.print(rows_table(figures, _COLUMNS))
    console.print(
        differences_table(
            paired, {name: _COLUMNS[name] for name in ("auroc", "in_hindsight_at_5", "in_hindsight_at_10")}
        )
    )
    settings: dict[str, Any] = {**ASKED_WITH, "questions": default.n, "resamples": resamples}
    write_figures(output, {"settings": settings, "rows": figures, f"less {DEFAULT}": paired})


if __name__ == "__main__":
    typer.run(main)
