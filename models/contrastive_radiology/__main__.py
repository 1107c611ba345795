"""Train the contrastive model of real parts: `python -m models.contrastive_radiology`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.contrastive_radiology.publish import GateError, publish
from models.contrastive_radiology.stages import FAST, FULL, STAGES, Workshop
from models.staged_runs import PUBLISH, begin_training, run_stages, wanted_stages
from services.common.engine.errors import EngineError
from services.common.engine.parts.store import PartStore

_MODELS = Path(__file__).resolve().parents[1]


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD: questions.jsonl and images/.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random in training.")] = 1,
    work: Annotated[
        Path, typer.Option(help="Where stages leave their results; finished ones are not repeated.")
    ] = Path("build/contrastive-radiology"),
    out: Annotated[Path, typer.Option(help="Folder that holds the models.")] = _MODELS,
    parts: Annotated[
        Path | None, typer.Option(help="Where the frozen parts lie, by default in the work folder.")
    ] = None,
    stage: Annotated[list[str] | None, typer.Option(help=f"Run only these of {', '.join(STAGES)}, publish.")] = None,
    fast: Annotated[bool, typer.Option(help="A handful of steps: tests the machinery.")] = False,
) -> None:
    """Train a projection between frozen parts, in stages; it is published only if it passes the gate."""
    wanted = wanted_stages(stage, STAGES, STAGES)
    log = begin_training()
    shop = Workshop(data, work, PartStore(parts or work / "parts", log), FAST if fast else FULL, seed, log)
    try:
        run_stages(shop, STAGES, [name for name in wanted if name != PUBLISH])
        if PUBLISH in wanted:
            publish(shop, out)
    except (GateError, EngineError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    typer.run(main)
