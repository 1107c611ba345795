"""Confidences of many samples at budgets of calls, ours and other packages': python -m benchmarks.confidence.sampling.

All samples of a question are drawn once; a budget of calls has room for the first of them. What is told is paired with
the default method, on the same questions and by the same procedure as `python -m benchmarks.confidence`.
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
from benchmarks.confidence.answer_runs import DOWNSTREAM, POLICY, TEMPLATE, Servers, answers, ask, models, servers
from benchmarks.confidence.budgets import DECODING, DRAWN, PLAIN, Drawn, draw, judged, shortened, with_agreement
from benchmarks.confidence.figures import Row, row
from benchmarks.confidence.material import write_material, written
from benchmarks.confidence.questions import PARTS, questions
from benchmarks.confidence.study import DEFAULT
from benchmarks.confidence.table import differences_table, rows_table
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from prompt4trust.datasets import Dataset
from prompt4trust.estimators import CgpConsistency, CgpVote
from prompt4trust.evaluation import Prediction
from prompt4trust.models import Downstream, Policy

BUDGETS: Final = {5: (5, 4, 4, 3), 22: (21, 21, 20, 20)}
"""Most calls of both models an answer -> samples of our methods without and with guidance, and beside a greedy reply
without and with it."""
ASKED: Final = ("verbalized", "logprob", "cgp", DEFAULT)
"""Methods that ask for themselves, as they do everywhere: those that others are set against. `cgp+relative` and
`perturbation` take further requests."""
STOPPING: Final = 0.05
_PARTS: Final = ("calibration", "guard", "test")


@dataclass(frozen=True, slots=True)
class Asked:
    """All that was asked of one part of the questions.

    Attributes:
        rows: Method -> its answers.
        plain: Samples without guidance.
        guided: Samples with it.
    """

    rows: Mapping[str, Sequence[Prediction]]
    plain: Sequence[Drawn]
    guided: Sequence[Drawn]


@dataclass(frozen=True, slots=True)
class SamplingStudy:
    """One comparison of methods of many samples.

    Attributes:
        folder: Where questions, answers and calls are kept.
        n: Test questions.
        asked: Methods that ask for themselves.
        python: Python of the other packages' environment; None to measure none.
    """

    folder: Path
    n: int
    asked: tuple[str, ...]
    python: Path | None

    async def ask(self, found: Servers, concurrency: int, seconds: float) -> dict[str, Asked] | None:
        """Ask everything, or read what an earlier run asked; None where time is up."""
        with anyio.move_on_after(seconds):
            async with models(found, self.folder / "calls.db", concurrency) as (downstream, policy):
                return {part: await self._ask_part(part, downstream, policy, concurrency) for part in _PARTS}
        return None

    async def _ask_part(self, part: str, downstream: Downstream, policy: Policy, concurrency: int) -> Asked:
        data = self._data(part)
        plain, guided = [await draw(data, each, downstream, policy, concurrency) for each in (False, True)]
        for method in self.asked:
            out = self._answers(part, method)
            if answers(data, out) is None:
                await ask(data, method, out, downstream, policy, concurrency)
        for each in (False, True) if self.python is not None else ():
            out = self._material(part, each)
            if len(written(out)) < len(data.questions):
                # The samples are those of ours: none is drawn again.
                await write_material(data, each, DRAWN.count, out, downstream, policy, concurrency, DECODING)
        found = {method: answers(data, self._answers(part, method)) or [] for method in self.asked}
        for budget, (count, with_guidance, *_) in BUDGETS.items():
            for name, kind in PLAIN.items():
                found[named(name, budget)] = judged(kind, plain, count, downstream, policy)
            for guided_kind, error in ((CgpConsistency, None), (CgpVote, STOPPING)):
                found[named(guided_kind.name, budget)] = judged(
                    guided_kind, guided, with_guidance, downstream, policy, error=error
                )
        return Asked(found, plain, guided)

    def rows(self, asked: Mapping[str, Asked], resamples: int) -> Iterator[Row]:
        """Measure every method, then other packages, then the default with agreement as a further signal."""
        for name in asked["test"].rows:
            yield row(name, *(asked[part].rows[name] for part in _PARTS), resamples=resamples)
        for budget, (_, __, plain, guided) in BUDGETS.items():
            if self.python is not None:
                yield from self._theirs(asked, budget, {False: plain, True: guided}, resamples)
            for base, with_guidance, count in (
                (DEFAULT, True, guided),
                (DEFAULT, False, guided),
                ("logprob", False, plain),
            ):
                kind = "guided" if with_guidance else "plain"
                name = named(f"{base}, agreement of {kind} samples", budget)
                joined = (
                    with_agreement(
                        name,
                        asked[part].rows[base],
                        asked[part].guided if with_guidance else asked[part].plain,
                        count,
                    )
                    for part in _PARTS
                )
                yield row(name, *joined, resamples=resamples)

    def _theirs(
        self, asked: Mapping[str, Asked], budget: int, counts: Mapping[bool, int], resamples: int
    ) -> Iterator[Row]:
        assert self.python is not None
        for guided, count in counts.items():
            files = {part: shortened(self._material(part, guided), count) for part in _PARTS}
            scores = {
                part: peers.scores(self.python, file, file.with_suffix(".scores.json")) for part, file in files.items()
            }
            for scorer, found in scores["test"].items():
                if not isinstance(found, dict) or not found.get("samples"):
                    continue
                name = named(f"{scorer}{', guided' if guided else ''}", budget)
                base = "cgp" if guided else "verbalized"
                scored = (
                    peers.scored(name, scores[part][scorer], asked[part].rows[base], files[part]) for part in _PARTS
                )
                yield row(name, *scored, resamples=resamples)

    def _data(self, part: str) -> Dataset:
        return questions(self.folder / "questions", part, self.n)

    def _answers(self, part: str, method: str) -> Path:
        return self.folder / "answers" / f"{part}-{PARTS[part].count(self.n)}" / method

    def _material(self, part: str, guided: bool) -> Path:
        name = f"{'guided' if guided else 'plain'}-{DRAWN.count}-as-ours.jsonl"
        return self.folder / "material" / f"{part}-{PARTS[part].count(self.n)}" / name


def named(method: str, budget: int) -> str:
    """Name a row by its method and the budget that it was given.

    Example:
        >>> named("consistency", 5)
        'consistency, up to 5 calls'
    """
    return f"{method}, up to {budget} calls"


def main(
    n: Annotated[int, typer.Option(min=50, help="Test questions.")] = 300,
    methods: Annotated[str, typer.Option(help="Methods that ask for themselves, with commas between.")] = ",".join(
        ASKED
    ),
    python: Annotated[Path | None, typer.Option(help="Python of the other packages' environment.")] = None,
    seconds: Annotated[float, typer.Option(help="Stop asking after this; the same command goes on.")] = 1e9,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight at once; 21 samples of each.")] = 12,
    port: Annotated[int, typer.Option(help="First of two ports that are used.")] = 28_900,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    folder: Annotated[Path, typer.Option(help="Where questions, answers and calls are kept.")] = ROOT
    / "var"
    / "bench-confidence",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "confidence"
    / "results-sampling.json",
) -> None:
    """Ask all methods the same questions of one server, and measure their confidences by one procedure."""
    study = SamplingStudy(folder, n, tuple(methods.split(",")), python)
    with servers(port, folder / "logs") as found:
        asked = anyio.run(partial(study.ask, found, concurrency, seconds))
    if asked is None:
        Console().print("time is up; the same command goes on where this stopped")
        raise typer.Exit(3)
    rows = list(study.rows(asked, resamples))
    default = next(each for each in rows if each.method == DEFAULT)
    paired = {each.method: each.less(default) for each in rows if each is not default}
    figures = [each.as_json() for each in rows]
    console = Console(width=240)
    console.print(rows_table(figures))
    console.print(differences_table(paired))
    settings: dict[str, Any] = {
        "downstream": DOWNSTREAM,
        "policy": POLICY,
        "template": TEMPLATE,
        "questions": {part: PARTS[part].count(n) for part in _PARTS},
        "resamples": resamples,
    }
    write_figures(output, {"settings": settings, "rows": figures, f"less {DEFAULT}": paired})


if __name__ == "__main__":
    typer.run(main)
