"""Train the radiology pair's downstream adapter: `python -m models.radiology` (or `make radiology`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.radiology.plan import FAST, FULL
from models.radiology.publish import publish
from models.radiology.stages import STAGES, run_wanted
from models.radiology.workshop import Workshop
from models.staged_runs import PUBLISH, OtherPlanError, begin_training, folders, wanted_stages
from services.common.engine.parts.store import PartStore

_MODELS = Path(__file__).resolve().parents[1]


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD: questions.jsonl and images/.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random in training.")] = 1,
    work: Annotated[
        Path | None, typer.Option(help="Where stages leave their results; finished ones are not repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that holds the models.")] = None,
    parts: Annotated[
        Path | None, typer.Option(help="Where the frozen parts lie, by default in the work folder.")
    ] = None,
    stage: Annotated[list[str] | None, typer.Option(help=f"Run only these of {', '.join(STAGES)}, publish.")] = None,
    fast: Annotated[
        bool,
        typer.Option(help="A handful of steps: tests the machinery, in its own folder; publishes with --out."),
    ] = False,
) -> None:
    """Train an adapter, in stages that go on where a broken run stopped.

    A policy is trained only where the gate was passed, or where its stage is named.
    """
    wanted = wanted_stages(stage, STAGES, STAGES)
    work, out = folders(work, out, Path("build/radiology"), _MODELS, fast=fast, publishes=PUBLISH in wanted)
    log = begin_training()
    shop = Workshop(data, work, PartStore(parts or work / "parts", log), FAST if fast else FULL, seed, log)
    try:
        run_wanted(shop, [name for name in wanted if name != PUBLISH], named=bool(stage))
        if PUBLISH in wanted:
            publish(shop, out)
    except OtherPlanError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    typer.run(main)
