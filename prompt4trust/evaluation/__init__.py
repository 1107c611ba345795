"""Evaluation of estimators on a data set: predictions that survive any crash, and the figures that compare them."""

from prompt4trust.errors import CannotChooseError, ManifestError, RunAbandonedError, TableError
from prompt4trust.evaluation.crossfit import cross_fit, fit_calibrator
from prompt4trust.evaluation.family_choice import choose_family
from prompt4trust.evaluation.figures import Report
from prompt4trust.evaluation.manifest import RunManifest, read_manifest
from prompt4trust.evaluation.outcome_table import Outcomes, read_outcomes, report_outcomes
from prompt4trust.evaluation.prediction_log import PredictionLog
from prompt4trust.evaluation.predictions import Prediction, read_predictions
from prompt4trust.evaluation.report import build_report
from prompt4trust.evaluation.run import Progress, evaluate

__all__ = [
    "CannotChooseError",
    "ManifestError",
    "Outcomes",
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
    "evaluate",
    "fit_calibrator",
    "read_manifest",
    "read_outcomes",
    "read_predictions",
    "report_outcomes",
]
