"""Measure what policies learned: python -m benchmarks.learning (or `make bench-learning`).

Every way of guiding answers the same questions of Phantom-VQA's test split; the fixed hint to beat is chosen on the
validation split. The report splits are seen by no training and no choice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.engine.servers import ROOT, embedded, running
from benchmarks.learning import guides
from benchmarks.learning.compare import differences, figures
from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.rewards import get_reward
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.trainer.grpo.scoring import GuidedOutcome, Scorer
from services.trainer.question_data import PhantomData, load_questions

NONE, FIXED, KNOWING, SUPERVISED = "no guidance", "best fixed hint", "fitting hints (ceiling)", "supervised policy"
_TEMPLATE = "answer-compact@1"
_IN_FLIGHT = 64


def main(
    policies: Annotated[list[Path], typer.Argument(help="Directories of learned policies, one a training seed.")],
    supervised: Annotated[Path, typer.Option(help="The policy that they began with.")] = ROOT
    / "models"
    / "policy-mini-sft-1",
    model: Annotated[
        list[Path] | None, typer.Option(help="Downstream models; the policies learned against the first.")
    ] = None,
    questions: Annotated[int, typer.Option(min=10, help="Test questions.")] = 3000,
    choosing: Annotated[int, typer.Option(min=10, help="Validation questions that the fixed hint is chosen on.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the questions and of the resampling.")] = 1,
    data: Annotated[Path, typer.Option(help="Where drawn phantoms are kept.")] = Path("var/data"),
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "learning"
    / "results.json",
) -> None:
    """Compare policies with no guidance, with their start and with the best fixed hint, on each downstream model."""
    console = Console(width=140)
    validation = load_questions(PhantomData(kind="phantoms", n=choosing, seed=seed, split="validation"), data).questions
    test = load_questions(PhantomData(kind="phantoms", n=questions, seed=seed, split="test"), data).questions
    named = {SUPERVISED: supervised, **{f"learned, {each.name}": each for each in policies}}
    guidance = {name: asyncio.run(guides.written(place, test)) for name, place in named.items()}
    console.print("guidance is written")
    measured = []
    for place in model or [ROOT / "models" / "downstream-mini-1"]:
        with running([embedded(place, 32, 2)], ROOT / "var" / "bench-learning", 120) as ready:
            if not ready:
                raise typer.Exit(1)
            measured.append(asyncio.run(_measure(ready[0].url, place.name, guidance, validation, test, seed)))
        _show(measured[-1], console)
    setup = {"split": "test", "n": len(test), "seed": seed, "chosen_on": f"validation split, n = {len(validation)}"}
    output.write_text(
        json.dumps({"setup": setup, "downstream": measured}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


async def _measure(
    url: str,
    name: str,
    guidance: dict[str, list[str]],
    validation: Sequence[Question],
    test: Sequence[Question],
    seed: int,
) -> dict[str, Any]:
    http = HttpPool(url, max_connections=_IN_FLIGHT)
    async with http:
        client = DownstreamClient(http, "bench", RetrySettings(deadline_s=120))
        scorer = Scorer(client, load_template(_TEMPLATE), Sampling(max_tokens=64), get_reward("log_score"), _IN_FLIGHT)
        hint, tried = await guides.best_fixed(scorer, validation, seed)
        ways: dict[str, Sequence[str | None]] = {
            NONE: [None] * len(test),
            FIXED: [hint] * len(test),
            **guidance,
            KNOWING: guides.knowing(test, seed),
        }
        outcomes: dict[str, list[GuidedOutcome]] = {}
        for way, hints in ways.items():
            outcomes[way] = await scorer.score(list(zip(test, hints, strict=True)))
    lost = sum(each.reward is None for found in outcomes.values() for each in found)
    if lost:
        raise RuntimeError(f"{lost} answers were lost to the network: the figures would mean nothing")
    learned = [way for way in guidance if way != SUPERVISED]
    return {
        "downstream": name,
        "fixed_hint": hint,
        "fixed_hints_tried": tried,
        "figures": {way: figures(found, seed) for way, found in outcomes.items()},
        "hint_shares": {way: guides.shares(outcomes[way]) for way in guidance},
        "against": {
            way: {base: differences(outcomes[way], outcomes[base], seed) for base in (NONE, SUPERVISED, FIXED)}
            for way in learned
        },
    }


def _show(result: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{result['downstream']}: in brackets 95 % intervals")
    shown = ("reward", "accuracy", "mean_confidence", "ece", "auroc", "confident_error_share")
    for heading in ("", *shown, "valid"):
        table.add_column(heading)
    for way, found in result["figures"].items():
        table.add_row(way, *(_cell(found[name]) for name in shown), f"{found['valid_rate']:.3f}")
    console.print(table)
    for way, bases in result["against"].items():
        for base, found in bases.items():
            listed = "  ".join(f"{name} {_cell(value)}" for name, value in found.items())
            console.print(f"{way} against {base}: {listed}", soft_wrap=True)
    console.print(result["hint_shares"], f"fixed hint: {result['fixed_hint']!r}")


def _cell(interval: dict[str, float | None]) -> str:
    value, low, high = ("-" if interval[name] is None else f"{interval[name]:.3f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    typer.run(main)
