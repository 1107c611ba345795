"""Train the contrastive miniature from scratch: `python -m models.contrastive` (or `make contrastive`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.contrastive.publish import publish
from models.contrastive.stages import FAST, FULL, STAGES, Workshop
from models.staged_runs import PUBLISH, begin_training, folders, run_stages, wanted_stages

_MODELS = Path(__file__).resolve().parents[1]


def main(
    out: Annotated[Path | None, typer.Option(help="Where the artifact goes.")] = None,
    work: Annotated[
        Path | None, typer.Option(help="Where stages leave their results; finished ones are not repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    stage: Annotated[list[str] | None, typer.Option(help=f"Run only these of {', '.join(STAGES)}, publish.")] = None,
    fast: Annotated[
        bool, typer.Option(help="A handful of steps: tests the machinery, the model knows nothing.")
    ] = False,
) -> None:
    """Train the model and write it with card and figures."""
    wanted = wanted_stages(stage, STAGES, STAGES)
    work, out = folders(work, out, Path("build/contrastive"), _MODELS, fast=fast, publishes=PUBLISH in wanted)
    shop = Workshop(work, FAST if fast else FULL, seed, begin_training())
    run_stages(shop, STAGES, [name for name in wanted if name != PUBLISH])
    if PUBLISH in wanted:
        publish(shop, out)


if __name__ == "__main__":
    typer.run(main)
