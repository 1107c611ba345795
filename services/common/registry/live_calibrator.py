"""The choice of the calibrator that is applied to an answer: the one made live, and the newest where none was."""

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
        The one that was made live, or None where that is not among them or belongs to another key: whoever chose it
        may have chosen it over the others. Where none was made live, the newest that belongs to the key, or None.
    """
    fitting = [each for each in calibrators if each.applies_to(key)]
    if key.line in active:
        fitting = [each for each in fitting if each.name == active[key.line]]
    return max(fitting, key=lambda each: (each.created, each.name), default=None)
