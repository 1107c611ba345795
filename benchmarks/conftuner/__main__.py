"""The shipped downstream model before and after ConfTuner's stage: python -m benchmarks.conftuner.

Both are served and asked the same questions, without guidance and with the shipped policy's: what the stage is for is
the number that is stated without a hint, and what it may cost is that hints no longer move it. It may be stopped at any
time: the same command goes on with what is left.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import anyio
import torch
import typer
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForImageTextToText, AutoTokenizer

from benchmarks.confidence.answer_runs import Asked, Servers, answers, ask, models, servers
from benchmarks.confidence.table import interval
from benchmarks.conftuner.figures import report
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from models.recipe.artifacts import save_downstream
from models.recipe.networks.architecture import SHIPPED
from models.recipe.plan import FULL
from models.recipe.stages import STAGES, Workshop
from models.staged_runs import begin_training, read_record, run_stages
from prompt4trust.datasets import Dataset, load_dataset
from prompt4trust.datasets.phantoms import generate
from prompt4trust.evaluation import Prediction

METHODS: Final = ("verbalized", "cgp+logprob")
SPLITS: Final = {"validation": 102, "test": 1}
"""Split -> the seed of its questions, as of the rewards' comparison."""
_STAGE: Final = "conftuner"
_BEFORE: Final = "confidence_again"
"""The stage that the shipped model comes from."""


def tuned(seed: int, steps: int, pictures: int, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Tune the shipped model by the stage, unless that is done.

    Args:
        seed: Of the pictures and of the rows' order.
        steps: Length of the stage.
        pictures: Pictures drawn; those of a fifth are held out.
        folder: Where all of it is kept.

    Returns:
        The tuned model's directory, and the stage's record.

    Raises:
        RuntimeError: If the shipped weights are not those of the recipe's network.
    """
    plan = replace(
        FULL,
        conftuner=replace(FULL.conftuner, steps=steps),
        confidence_pictures=pictures,
        foreign_pictures=1,
        exam=pictures // 5,
    )
    shop = Workshop(folder / "work", plan, seed, "cpu", begin_training())
    shop.folder.mkdir(parents=True, exist_ok=True)
    if not (shop.folder / f"{_BEFORE}.safetensors").exists():
        shipped = ROOT / "models" / SHIPPED.name
        tokenizer = AutoTokenizer.from_pretrained(shipped)
        model = AutoModelForImageTextToText.from_pretrained(shipped, dtype=torch.float32)
        if model.state_dict().keys() != shop.downstream(tokenizer).state_dict().keys():
            raise RuntimeError(f"the weights of {shipped} have other names than those of the recipe's network")
        tokenizer.save_pretrained(shop.folder / "tokenizer")
        shop.save(_BEFORE, model)
    run_stages(shop, STAGES, [_STAGE])
    out = folder / SHIPPED.name
    if not (out / "config.json").exists():
        learned = shop.tokenizer()
        save_downstream(shop.downstream(learned, _STAGE), learned, out)
    return out, read_record(shop.folder, _STAGE)


async def asked(
    found: Servers, data: dict[str, Dataset], folder: Path, concurrency: int
) -> dict[str, dict[str, list[Prediction]]]:
    """Have a served model answer all questions: split -> method -> answers."""
    async with models(found, folder / "calls.db", concurrency) as (downstream, policy):
        for split, dataset in data.items():
            for method in METHODS:
                out = folder / split / method
                if answers(dataset, out) is None:
                    await ask(dataset, method, out, Asked(downstream, policy, concurrency))
    return {
        split: {method: answers(dataset, folder / split / method) or [] for method in METHODS}
        for split, dataset in data.items()
    }


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds, from 0 on.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the stage.")] = FULL.conftuner.steps,
    pictures: Annotated[int, typer.Option(min=50, help="Pictures drawn for it.")] = 4000,
    validation: Annotated[int, typer.Option(min=50, help="Validation questions.")] = 500,
    test: Annotated[int, typer.Option(min=50, help="Test questions.")] = 1000,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples, by picture.")] = 1000,
    port: Annotated[int, typer.Option(help="First of two ports that are used.")] = 28_960,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight at once.")] = 32,
    folder: Annotated[Path, typer.Option(help="Where questions, models and answers are kept.")] = ROOT
    / "var"
    / "bench-conftuner",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "conftuner"
    / "results.json",
) -> None:
    """Tune, ask the model before and after, and print both, and the differences on the same questions."""
    data = {
        split: _questions(folder / "questions", split, n) for split, n in (("validation", validation), ("test", test))
    }
    trained = {f"seed {seed}": tuned(seed, steps, pictures, folder / f"seed-{seed}") for seed in range(seeds)}
    found = {}
    for name, model in {"before": None, **{name: path for name, (path, _) in trained.items()}}.items():
        place = folder / "answers" / name.replace(" ", "-")
        with servers(port, place / "logs", model) as served:
            found[name] = anyio.run(partial(asked, served, data, place, concurrency))
    figures = {
        split: {
            method: report({name: each[split][method] for name, each in found.items()}, resamples) for method in METHODS
        }
        for split in data
    }
    console = Console(width=200)
    for split, methods in figures.items():
        for method, rows in methods.items():
            console.print(_table(f"{split}, {method}", rows))
    settings = {
        "downstream": SHIPPED.name,
        "steps": steps,
        "batch": FULL.conftuner.batch,
        "learning rate": FULL.conftuner.learning_rate,
        "pictures": pictures,
        "questions": {split: len(each.questions) for split, each in data.items()},
        "resamples": resamples,
    }
    records = {
        name: {key: value for key, value in each.items() if key != "plan"} for name, (_, each) in trained.items()
    }
    write_figures(output, {"settings": settings, "stage": records, "figures": figures})


def _questions(folder: Path, split: str, n: int) -> Dataset:
    place = folder / f"{split}-{n}"
    table = place / "questions.csv"
    return load_dataset(table if table.exists() else generate(place, n, seed=SPLITS[split], split=split))


def _table(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title=title, title_justify="left")
    names = list(next(iter(rows.values())))
    for head in ("", *names):
        table.add_column(head, no_wrap=True)
    for name, each in rows.items():
        table.add_row(name, *(interval(each[figure]) for figure in names))
    return table


if __name__ == "__main__":
    typer.run(main)
