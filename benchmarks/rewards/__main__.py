"""Policies trained by other rewards, on the same held-out questions: python -m benchmarks.rewards.

`make bench-rewards`. It may be stopped at any time: the same command goes on from the last whole checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.results import write_figures
from benchmarks.rewards import trial
from benchmarks.rewards.runs import DEFAULT, DOWNSTREAM, START, VARIANTS, Plan, recorded, seconds_a_step, train
from benchmarks.rewards.study import Trials, report
from benchmarks.rewards.table import show
from benchmarks.serving.processes import ROOT, running_service
from prompt4trust.questions import Question
from services.trainer.question_data import PhantomData, load_questions

_SEEDS = {"validation": 102, "test": 1}
"""Split -> the seed of its questions: those of configs/embedded.yaml, and those of reports."""


def main(
    variants: Annotated[str, typer.Option(help="Variants, with commas between.")] = ",".join(list(VARIANTS)[:5]),
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds, from 0 on.")] = 3,
    default_seeds: Annotated[int, typer.Option(min=0, help="Those of the default reward, if more.")] = 0,
    steps: Annotated[int, typer.Option(min=2, help="Steps of each run.")] = 40,
    completions: Annotated[int, typer.Option(min=8, help="Completions of a step, a multiple of 8.")] = 48,
    validation: Annotated[int, typer.Option(min=50, help="Validation questions.")] = 400,
    test: Annotated[int, typer.Option(min=50, help="Test questions.")] = 1000,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    port: Annotated[
        int, typer.Option(help="Port of the downstream service; a run goes on only with its own.")
    ] = 28_740,
    folder: Annotated[Path, typer.Option(help="Where runs, questions and replies are kept.")] = ROOT
    / "var"
    / "bench-rewards",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "rewards"
    / "results.json",
) -> None:
    """Train by each reward from the same start, and measure the policies on validation and test questions."""
    names = _known(variants)
    if completions % 8:
        raise typer.BadParameter("must be a multiple of 8", param_hint="--completions")
    folder.mkdir(parents=True, exist_ok=True)
    count = {name: max(seeds, default_seeds if name == DEFAULT else 0) for name in names}
    plan, console = Plan(steps, completions), Console(width=200)
    found: dict[str, Trials] = {}
    with running_service("downstream", port, {}, folder) as downstream:
        url = f"{downstream.url}/v1"
        policies = {}
        # Seed by seed: what is cut off has compared all rewards on the seeds before.
        runs = [(name, seed) for seed in range(max(seeds, default_seeds)) for name in names if seed < count[name]]
        for name, seed in runs:
            policies[name, seed] = train(name, seed, plan, url, folder)
            console.print(f"{name}, seed {seed}: trained, {seconds_a_step(name, seed, folder):.1f} s a step")
        for split, n, ways in (("validation", validation, [trial.GREEDY]), ("test", test, trial.WAYS)):
            data = PhantomData(kind="phantoms", n=n, seed=_SEEDS[split], split=split)
            questions = load_questions(data, folder / "data").questions
            found[split] = asyncio.run(_tried(policies, ways, questions, url, folder))
            console.print(f"{split}: answered")
    result = {
        "settings": {
            "downstream": DOWNSTREAM,
            "start": START,
            "default": DEFAULT,
            "steps": steps,
            "completions": completions,
            "questions": {"validation": validation, "test": test},
            "measured by": trial.YARDSTICK,
            "resamples": resamples,
        },
        "runs": {
            name: [
                {
                    "seed": seed,
                    "seconds_a_step": round(seconds_a_step(name, seed, folder), 2),
                    "config": recorded(name, seed, folder),
                }
                for seed in range(count[name])
            ]
            for name in names
        },
        "splits": {split: report(trials, resamples) for split, trials in found.items()},
    }
    write_figures(output, result)
    show(result, console)


async def _tried(
    policies: Mapping[tuple[str, int], Path], ways: Sequence[str], questions: Sequence[Question], url: str, folder: Path
) -> Trials:
    calls = folder / "calls.db"
    start = ROOT / "models" / START
    return {
        way: {
            (START, 0): await trial.outcomes(start, way, questions, url, calls),
            **{run: await trial.outcomes(place, way, questions, url, calls) for run, place in policies.items()},
        }
        for way in ways
    }


def _known(variants: str) -> list[str]:
    names = [name.strip() for name in variants.split(",") if name.strip()]
    if unknown := [name for name in names if name not in VARIANTS]:
        raise typer.BadParameter(f"no variant {', '.join(unknown)}", param_hint="--variants")
    if DEFAULT not in names:
        raise typer.BadParameter(f"{DEFAULT} must be among them: others are compared with it", param_hint="--variants")
    return names


if __name__ == "__main__":
    typer.run(main)
