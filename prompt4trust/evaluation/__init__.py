"""A dataset times estimators: predictions that survive any crash, and the figures that compare the methods."""

from prompt4trust.evaluation.crossfit import cross_fit, fit_calibrator
from prompt4trust.evaluation.family_choice import CannotChooseError, choose_family
from prompt4trust.evaluation.manifest import ManifestError, RunManifest, read_manifest
from prompt4trust.evaluation.picture_files import data_url
from prompt4trust.evaluation.predictions import Prediction, PredictionLog, TableError, read_predictions
from prompt4trust.evaluation.report import Report, build_report
from prompt4trust.evaluation.run import Progress, RunAbandonedError, evaluate

__all__ = [
    "CannotChooseError",
    "ManifestError",
    "Prediction",
    "PredictionLog",
    "Progress",
    "Report",
    "RunAbandonedError",
    "RunManifest",
    "TableError",
    "build_report",
    "choose_family",
    "cross_fit",
    "data_url",
    "evaluate",
    "fit_calibrator",
    "read_manifest",
    "read_predictions",
]
