"""Train the miniature models from scratch: `python -m models.recipe` (or `make miniatures`)."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from models.recipe.networks.architecture import DESIGNS, SHIPPED
from models.recipe.plan import FAST, FULL
from models.recipe.publish import publish
from models.recipe.stages import ON_DEMAND, STAGES, Workshop
from models.staged_runs import PUBLISH, begin_training, folders, is_finished, run_stages, wanted_stages

# The tower and the text-only stages need nothing of each other: with two cores they run side by side.
_ASIDE = ("vision",)
_MODELS = Path(__file__).resolve().parents[1]


def main(
    out: Annotated[Path | None, typer.Option(help="Where the artifacts go.")] = None,
    work: Annotated[
        Path | None, typer.Option(help="Where stages leave their results; finished ones are not repeated.")
    ] = None,
    design: Annotated[str, typer.Option(help=f"Downstream model to train: {', '.join(DESIGNS)}.")] = SHIPPED.name,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random; each design has its own.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    stage: Annotated[list[str] | None, typer.Option(help=f"Run only these of {', '.join(STAGES)}, publish.")] = None,
    fast: Annotated[
        bool, typer.Option(help="A handful of steps: tests the machinery, the models know nothing.")
    ] = False,
) -> None:
    """Train a downstream model, and with the first design the policy, and write them with cards and figures."""
    if design not in DESIGNS:
        raise typer.BadParameter(f"no such design: {design}")
    chosen = DESIGNS[design]
    seed = chosen.seed if seed is None else seed
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # The policy belongs to no downstream model: it is trained along with the first.
    all_stages = [name for name in STAGES if name not in ON_DEMAND and (name != "policy" or chosen is SHIPPED)]
    wanted = wanted_stages(stage, STAGES, all_stages)
    usual = Path("build/miniatures") / design
    work, out = folders(work, out, usual, _MODELS, fast=fast, publishes=PUBLISH in wanted)
    work.mkdir(parents=True, exist_ok=True)
    log = begin_training()
    shop = Workshop(work, FAST if fast else FULL, seed, device, log, chosen)
    aside = [name for name in wanted if name in _ASIDE and not is_finished(work, name)]
    if len(wanted) > 1 and aside and device == "cpu" and not fast:
        run_stages(shop, STAGES, [name for name in wanted if name == "tokenizer"])
        options = ["--work", str(work), "--design", design, "--seed", str(seed), "--device", device]
        options += [part for name in aside for part in ("--stage", name)]
        with subprocess.Popen([sys.executable, "-m", "models.recipe", *options]) as other:  # noqa: S603  # ourselves
            run_stages(shop, STAGES, [name for name in wanted if name in ("lookup", "policy")])
            if other.wait() != 0:
                raise SystemExit(other.returncode)
    run_stages(shop, STAGES, [name for name in wanted if name != PUBLISH])
    if PUBLISH in wanted:
        publish(shop, out)


if __name__ == "__main__":
    typer.run(main)
