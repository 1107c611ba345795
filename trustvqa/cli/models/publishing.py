"""Fitted calibrators: their names, their publication, and what a person sees of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.files import write_atomically
from services.common.registry.directory import Registry
from services.common.registry.live_calibrator import live_calibrator
from trustvqa.cli.runs import tables
from trustvqa.cli.terminal_user import terminal_user
from trustvqa.reports.calibrators_page import estimates, judged_words, render_calibrators_page

_LONGEST_NAME = 128  # that the registry takes


def artifact_name(kind: str, key: CalibrationKey, suffix: str = "") -> str:
    """Name an artifact after its kind or family and its calibration key, fit for a file name.

    The name ends with a hash of the whole key: of one pair of models there may be artifacts for several decodings, and
    long names are cut.
    """
    parts = [kind, key.estimator, key.downstream, key.policy or "", key.answer_template]
    cleaned = (re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in parts if part)
    name = re.sub(r"\.{2,}|-?\.-|-\.", "-", "-".join(cleaned))
    end = f"-{hashlib.sha256(key.line.encode()).hexdigest()[:8]}{suffix}"
    return name[: _LONGEST_NAME - len(end)].strip("-.") + end


def whole_key(key: CalibrationKey) -> CalibrationKey:
    """Return a calibration key that evidence can be made for.

    Raises:
        ValueError: If its answers do not record all that evidence is keyed by.
    """
    if not key.is_whole:
        raise ValueError(
            "these answers are of an older version, which did not record the decoding and the preparation of pictures "
            "that they came from: nothing made from them would fit any answer, so ask anew"
        )
    return key


def publish(registry: Registry, artifact: CalibratorArtifact, *, activate: bool, what: str) -> tuple[Path, str | None]:
    """Put a calibrator into the registry and, where wanted, make it live.

    Args:
        registry: The registry.
        artifact: The calibrator.
        activate: Whether it is to be live; if not, what was live for its key stays so.
        what: The program that does this, for the history.

    Returns:
        The file, and the name of the one that was live before, or None.
    """
    who = f"{terminal_user()}, {what}"
    before = live_calibrator(registry.calibrators.load_all(), artifact.key, registry.active.calibrators())
    if not activate and before is not None and before.name != artifact.name:
        # Where none is named the newest is live, which would be this one.
        registry.activate_calibrator(before.name, who=who)
    path = registry.calibrators.publish(artifact)
    if activate:
        registry.activate_calibrator(artifact.name, who=who)
    return path, before.name if before else None


def write_figures(
    folder: Path, artifacts: Sequence[CalibratorArtifact], about: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write the candidates' figures and the diagrams into a folder.

    Args:
        folder: The folder.
        artifacts: The calibrators.
        about: Further fields of the document.

    Returns:
        The files.
    """
    page, document = folder / "calibration.html", folder / "calibration.json"
    write_atomically(page, render_calibrators_page(artifacts))
    listed = [artifact.model_dump(mode="json") for artifact in artifacts]
    write_atomically(document, json.dumps({**(about or {}), "calibrators": listed}, indent=2) + "\n")
    return [document, page]


def show(artifact: CalibratorArtifact, path: Path, before: str | None, console: Console, *, live: bool = True) -> None:
    """Print a calibrator's figures, and whether it is live.

    Args:
        artifact: The calibrator.
        path: Its file.
        before: Name of the one that was live before it, or None.
        console: Where to.
        live: Whether it was made live.
    """
    console.print(f"\n[bold]{escape(artifact.key.estimator)}[/], fitted on {artifact.n} valid answers", highlight=False)
    if artifact.choice is not None:
        console.print(judged_words(artifact.choice), style="dim", highlight=False)
        console.print(tables.candidates(artifact.choice), highlight=False)
        console.print()
    console.print(
        tables.before_and_after(
            estimates(artifact.metrics_before),
            estimates(artifact.metrics_after),
            estimates(artifact.metrics_ideal),
            artifact.folds,
        ),
        highlight=False,
    )
    for stratum in artifact.by_group.strata if artifact.by_group is not None else ():
        table = tables.errors_by_group(stratum.name, artifact.groups.get(stratum.name, {}), stratum.spread)
        console.print(table, highlight=False)
    console.print(
        f"{artifact.family}, cross-fitted: each answer was corrected by a calibrator that had not seen it; the "
        "published one saw them all. A perfectly calibrated model shows errors above 0 too, by chance.",
        style="dim",
        highlight=False,
    )
    for warning in artifact.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    if live:
        replaced = f", in place of {before}" if before not in (None, artifact.name) else ""
        console.print(f"live: {artifact.name}{replaced}", highlight=False, soft_wrap=True)
    else:
        console.print(f"not live: {artifact.name}; {before or 'nothing'} is", highlight=False, soft_wrap=True)
    console.print(str(path), highlight=False, soft_wrap=True)
