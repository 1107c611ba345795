"""The choice of the calibrator that is applied to an answer: the one that was made live, else the newest that fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt4trust.calibration.artifact import CalibrationKey, CalibratorArtifact


def live_calibrator(
    calibrators: Iterable[CalibratorArtifact], key: CalibrationKey, active: Mapping[str, str]
) -> CalibratorArtifact | None:
    """Choose the calibrator that counts for a calibration key.

    Args:
        calibrators: Those that the registry holds.
        key: Models, estimator and template.
        active: Names by key, as `Registry.active_calibrators` gives them.

    Returns:
        The one that was made live, if it is there and belongs to the key; else the newest that belongs to it; else
        None.
    """
    fitting = [each for each in calibrators if each.applies_to(key)]
    named = [each for each in fitting if each.name == active.get(key.line)]
    return max(named or fitting, key=lambda each: (each.created, each.name), default=None)
