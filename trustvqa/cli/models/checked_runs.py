"""Earlier runs that evidence is made from without asking a model: read, complete; and the live calibrator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.evaluation import Prediction, RunManifest, read_manifest, read_predictions
from services.common.registry.directory import Registry
from services.common.registry.live_calibrator import live_calibrator
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models.held_out_answers import MOST_MISSING


def read(folder: Path) -> tuple[RunManifest, list[Prediction]]:
    """Read a run's folder.

    Raises:
        ManifestError, TableError: If it holds no run, or one that cannot be read.
    """
    return read_manifest(folder), read_predictions(folder)


def of_method(rows: Sequence[Prediction], name: str) -> list[Prediction]:
    """Take one method's predictions."""
    return [row for row in rows if row.estimator == name]


def check_complete(rows: Sequence[Prediction], manifest: RunManifest, name: str) -> None:
    """Refuse a method that a run does not have; ends the command where more than 1 % of its predictions are missing.

    Raises:
        CommandError: If there are none.
    """
    if not rows:
        raise CommandError(f"the run has no predictions by {name!r}; it has {', '.join(manifest.estimators)}")
    missing = manifest.questions - sum(row.failure is None for row in rows)
    if missing > MOST_MISSING * manifest.questions:
        fail(f"{missing} predictions by {name} are missing, so nothing is published; resume that run first", 4)


def find_live(registry: Registry, key: CalibrationKey) -> CalibratorArtifact:
    """Find the live calibrator of answers.

    Raises:
        CommandError: If there is none that fits.
    """
    calibrators = registry.calibrators.load_all()
    found = live_calibrator(calibrators, key, registry.active.calibrators())
    if found is None:
        misfit = key.nearest_misfit((each.name, each.key) for each in calibrators)
        why = "the registry has no calibrator of these models" if misfit is None else f"no calibrator fits: {misfit}"
        raise CommandError(f"{key.estimator}: {why}")
    return found
