"""Train the contrastive model of real parts: `python -m models.contrastive_radiology`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.contrastive_radiology.publish import GateError, publish
from models.contrastive_radiology.stages import FAST, FULL, STAGES, Workshop
from models.staged_runs import PUBLISH, OtherPlanError, begin_training, folders, run_stages, wanted_stages
from services.common.engine.errors import EngineError
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
    """Train a projection between frozen parts, in stages; it is published only if it passes the gate."""
    wanted = wanted_stages(stage, STAGES, STAGES)
    usual = Path("build/contrastive-radiology")
    work, out = folders(work, out, usual, _MODELS, fast=fast, publishes=PUBLISH in wanted)
    log = begin_training()
    shop = Workshop(data, work, PartStore(parts or work / "parts", log), FAST if fast else FULL, seed, log)
    try:
        run_stages(shop, STAGES, [name for name in wanted if name != PUBLISH])
        if PUBLISH in wanted:
            publish(shop, out)
    except (GateError, EngineError, OtherPlanError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    typer.run(main)
