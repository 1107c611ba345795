"""Post-hoc correction of stated confidences: fit on held-out answers, save as JSON, load, apply."""

from prompt4trust.calibration.artifact import (
    CalibrationKey,
    CalibratorArtifact,
    Candidate,
    FamilyChoice,
    GroupErrors,
    ReplacedRows,
)
from prompt4trust.calibration.base import Calibrator, Signals
from prompt4trust.calibration.beta import Beta
from prompt4trust.calibration.boosted import Boosted
from prompt4trust.calibration.by_group import GroupOffset, GroupOffsets, Groups, StratumOffsets
from prompt4trust.calibration.correctness import Correctness
from prompt4trust.calibration.families import FAMILIES, get_family
from prompt4trust.calibration.fitting import fit_artifact, hash_rows
from prompt4trust.calibration.histogram import Histogram
from prompt4trust.calibration.identity import Identity
from prompt4trust.calibration.isotonic import Isotonic
from prompt4trust.calibration.platt import Platt, RawPlatt
from prompt4trust.calibration.reliability import Bin, reliability
from prompt4trust.calibration.several_signal import SeveralSignal
from prompt4trust.calibration.temperature import Temperature
from prompt4trust.calibration.two_signal import TwoSignal
from prompt4trust.calibration.venn_abers import VennAbers
from prompt4trust.errors import MissingSignalError

__all__ = [
    "FAMILIES",
    "Beta",
    "Bin",
    "Boosted",
    "CalibrationKey",
    "Calibrator",
    "CalibratorArtifact",
    "Candidate",
    "Correctness",
    "FamilyChoice",
    "GroupErrors",
    "GroupOffset",
    "GroupOffsets",
    "Groups",
    "Histogram",
    "Identity",
    "Isotonic",
    "MissingSignalError",
    "Platt",
    "RawPlatt",
    "ReplacedRows",
    "SeveralSignal",
    "Signals",
    "StratumOffsets",
    "Temperature",
    "TwoSignal",
    "VennAbers",
    "fit_artifact",
    "get_family",
    "hash_rows",
    "reliability",
]
