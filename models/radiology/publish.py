"""From a finished run to the model's directory as it is shipped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from models.publishing import made_with, open_to_readers
from models.radiology.data.other_pictures import write_learned
from models.radiology.export import export_questions
from models.radiology.plan import FAST
from models.radiology.reproduction import FEW, reproduced
from models.radiology.stages import LAST, POLICY_STAGE, STAGES
from models.radiology.training.policy import GUIDE_TEMPLATE, fresh_policy, load_policy, save_policy
from models.radiology.workshop import Workshop
from models.staged_runs import check_plan, is_finished, read_records, replacing
from prompt4trust.files import write_atomically
from prompt4trust.prompts import load_template
from services.common.engine.vision.joined.training import save_joined

NAME = "radiology-1"
POLICY = "policy-radiology-1"
LARGEST = 20_000_000
"""Bytes that a shipped file may have."""


def publish(shop: Workshop, out: Path) -> Path:
    """Write into the work folder what the model is measured on and what its reference learns from, then its directory.

    The directory is written beside the old one, asked, and put into its place with what else lay in that: calibrators,
    guards, references and figures stay, which are of the weights that they name.

    Args:
        shop: A run whose stages are finished.
        out: Folder that holds models.

    Returns:
        The model's directory.

    Raises:
        OtherPlanError: If a stage was run by another plan.
        ValueError: If a file is larger than may be shipped. Whatever is raised, the old directory stays.
    """
    check_plan(shop, STAGES)
    export_questions(shop.asked, shop.work)
    write_learned(shop.work / "other-kinds", shop.plan.other_pictures)
    publish_policy(shop, shop.work / POLICY)
    with replacing(out / NAME) as folder:
        _write_all(shop, folder)
        for old in (out / NAME).iterdir() if (out / NAME).is_dir() else ():
            if not (folder / old.name).exists():
                (shutil.copytree if old.is_dir() else shutil.copy2)(old, folder / old.name)
    shop.log(f"published to {out / NAME}")
    return out / NAME


def _write_all(shop: Workshop, folder: Path) -> None:
    save_joined(shop.model(LAST), folder, shop.chat_template)
    if large := [path.name for path in folder.iterdir() if path.is_file() and path.stat().st_size > LARGEST]:
        raise ValueError(f"too large to ship: {', '.join(large)}")
    open_to_readers(folder)
    made = {
        **provenance(shop),
        "reproduced": reproduced(folder, shop.parts, shop.data),
        "reproduced_few": reproduced(folder, shop.parts, shop.data, replies=FEW),
    }
    write_atomically(folder / "provenance.json", json.dumps(made, indent=2) + "\n")


def publish_policy(shop: Workshop, to: Path) -> None:
    """Write the policy's directory, where its stage is finished; its card and figures are written by hand."""
    if is_finished(shop.folder, POLICY_STAGE):
        model = fresh_policy(shop.parts, shop.language, seed=shop.seed, dtype=shop.dtype)
        load_policy(model, shop.folder / "policy.safetensors")
        save_policy(model, shop.parts, shop.language, shop.chat_template, load_template(GUIDE_TEMPLATE), to)
        open_to_readers(to)


def provenance(shop: Workshop) -> dict[str, Any]:
    """Describe how a run was made: command, seed, and what each stage measured."""
    fast = shop.plan == FAST
    return {
        "command": f"make radiology DATA=FOLDER SEED={shop.seed}" + (' ARGS="--fast --out FOLDER"' if fast else ""),
        "fast": fast,
        "seed": shop.seed,
        "stages": read_records(shop.folder, STAGES),
        **made_with(),
    }
