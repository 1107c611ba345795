"""Stopping a vote beside drawing all samples, on the same draws: python -m benchmarks.sampling.stopping.

All samples of a question are drawn once, with guidance. A rule has the first of them that it would have drawn, and what
it says of the question is set against what all of them say, question by question. How much the stated confidences count
in `cgp+vote` was chosen on questions of the calibration split (`--part calibration`); the table is of the test split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import anyio
import typer
from rich.console import Console

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
from benchmarks.confidence.questions import PARTS, questions
from benchmarks.confidence.table import differences_table, rows_table
from benchmarks.results import write_figures
from benchmarks.sampling.budgets import DRAWN, Drawn, draw
from benchmarks.serving.processes import ROOT
from prompt4trust.estimators import CgpVote
from prompt4trust.estimators._stopping import Look, is_decided, looks
from prompt4trust.evaluation import Prediction
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.verdict import Verdict

Rule = Callable[[Drawn], int]
"""A question's samples -> how many of them are drawn."""

PRODUCT: Final = "stopped at 0.02"
"""The rule of `cgp+vote`."""
ALL: Final = "all 21"
SHARE: Final = "share of the votes"
STATED: Final = "votes and stated"
"""How `cgp+vote` counts."""


def stops(plan: Sequence[Look]) -> Rule:
    """Make the rule that draws until a look decides."""

    def rule(each: Drawn) -> int:
        for look in plan:
            if is_decided((group for group in each.first(look.drawn).groups() if group is not None), look):
                return look.drawn
        return DRAWN.count

    return rule


def first(count: int) -> Rule:
    """Make the rule that draws as many samples of every question."""
    return lambda _: count


RULES: Final[Mapping[str, Rule]] = {
    ALL: first(DRAWN.count),
    "stopped at 0.05": stops(looks(DRAWN.count, 0.05)),
    PRODUCT: stops(looks(DRAWN.count, 0.02)),
    "stopped at 0.01": stops(looks(DRAWN.count, 0.01)),
    "first 5": first(5),
    "first 11": first(11),  # about as many as are drawn at 0.05
    "first 15": first(15),
}
_COLUMNS: Final = {
    "accuracy": "accuracy",
    "auroc_raw": "AUROC raw",
    "auroc": "AUROC",
    "aurc": "AURC",
    "ece_raw": "ECE raw",
    "ece": "ECE",
    "in_hindsight_at_10": "in hindsight at 10 %",
}


def answers(drawn: Sequence[Drawn], rule: Rule, counting: str) -> list[Prediction]:
    """Answer by the samples that a rule draws; no model is asked.

    Args:
        drawn: All samples of each question.
        rule: How many of them are drawn.
        counting: `SHARE` or `STATED`: what the confidence is.
    """
    method = CgpVote(_NOBODY, _NOBODY, load_template(TEMPLATE), SAMPLING)
    found = []
    for each in drawn:
        answer = method.judge(each.first(rule(each)), each.guidance)
        if counting == SHARE and isinstance(answer.verdict, Verdict):
            signals = dict(answer.signals)
            verdict = Verdict(answer.verdict.answer, signals.pop("vote_share"))
            answer = replace(answer, verdict=verdict, signals=signals)
        found.append(Prediction.of(each.question, answer))
    return found


def measured(drawn: Sequence[Drawn], resamples: int) -> list[Row]:
    """Measure every rule by both ways to count, all samples by the share first."""
    return [
        crossed(named(rule, counting), answers(drawn, RULES[rule], counting), resamples=resamples)
        for counting in (SHARE, STATED)
        for rule in RULES
    ]


def named(rule: str, counting: str) -> str:
    """Name a row.

    Example:
        >>> named("all 21", "share of the votes")
        'all 21, share of the votes'
    """
    return f"{rule}, {counting}"


def lost_at_most(paired: Mapping[str, Any]) -> float | None:
    """Find the smallest margin within which a rule is shown to be as good: the most that its interval lets it lose."""
    low = paired["low"]
    return None if low is None else max(-float(low), 0.0)


async def drawn_samples(asked: Sequence[Question], found: Servers, calls: Path, concurrency: int) -> list[Drawn]:
    """Draw all samples of questions, or read those that were drawn before."""
    samples: dict[str, Drawn] = {}
    async with models(found, calls, concurrency) as (downstream, policy):

        async def take(question: Question) -> None:
            samples[question.id] = await draw(question, downstream, policy)

        await side_by_side(asked, take, concurrency)
    return [samples[each.id] for each in asked]


class _Nobody:
    """Both models, of which there is none: all was asked before."""

    async def complete(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("samples were kept: no model is asked")

    async def guide(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("guidance was kept: no model is asked")


_NOBODY: Final = _Nobody()


def main(
    n: Annotated[int, typer.Option(min=50, help="Questions.")] = 1000,
    part: Annotated[str, typer.Option(help=f"Whose: {', '.join(PARTS)}.")] = "test",
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight at once; 21 samples of each.")] = 5,
    port: Annotated[int, typer.Option(help="First of two ports that are used.")] = 28_900,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples, by picture.")] = 2000,
    folder: Annotated[Path, typer.Option(help="Where questions and calls are kept.")] = ROOT
    / "var"
    / "bench-confidence",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "sampling"
    / "results-stopping.json",
) -> None:
    """Set rules of stopping against all samples, of the same draws, and write the paired differences to a file."""
    if part not in PARTS:
        raise typer.BadParameter(f"there are {', '.join(PARTS)}", param_hint="--part")
    asked = questions(folder / "questions", part, n).questions
    with servers(port, folder / "logs") as found:
        drawn = anyio.run(drawn_samples, asked, found, folder / "calls.db", concurrency)
    tell(measured(drawn, resamples), {"part": part, "resamples": resamples}, output)


def tell(rows: Sequence[Row], settings: Mapping[str, object], output: Path) -> None:
    """Print the figures and each row's differences to all samples, counted either way; write them to a file."""
    by_name = {each.method: each for each in rows}
    figures = [{name: value for name, value in each.as_json().items() if name != "seconds"} for each in rows]
    paired: dict[str, dict[str, dict[str, Any]]] = {}
    for counting in (SHARE, STATED):
        base = by_name[named(ALL, counting)]
        paired[base.method] = {
            each.method: {**each.less(base), "calls_saved": base.calls - each.calls}
            for each in rows
            if each is not base
        }
    console = Console(width=220)
    console.print(rows_table(figures, _COLUMNS))
    for base_name, differences in paired.items():
        shown = {name: {key: each[key] for key in _COLUMNS} for name, each in differences.items()}
        console.print(f"less {base_name}:")
        console.print(differences_table(shown, _COLUMNS))
        for name, each in differences.items():
            most = {key: lost_at_most(each[key]) for key in ("auroc_raw", "auroc")}
            console.print(f"  {name}: saves {each['calls_saved']:.1f} calls, loses at most {most}")
    write_figures(
        output,
        {
            "settings": {**ASKED_WITH, "questions": rows[0].n, **settings},
            "rows": figures,
            **{f"less {name}": each for name, each in paired.items()},
        },
    )


if __name__ == "__main__":
    typer.run(main)
