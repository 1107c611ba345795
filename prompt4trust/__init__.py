"""Calibrated visual question answering by learned prompt augmentation: the method as a library.

What is used most can be imported from here, everything from its package. A name's module is read at its first use, so
that a notebook, a service or a training worker pays for what it takes; none of them brings torch or a web framework.

    >>> from prompt4trust import expected_calibration_error, parse_verdict
    >>> parse_verdict("The answer is B with confidence 85.", "ABCD")
    Verdict(answer='B', confidence=0.85)
    >>> expected_calibration_error([0.75, 0.75, 0.5, 0.5], [True, True, True, False])
    0.125
"""

# ruff: noqa: F403 - read by type checkers alone; the names that there are at run time are listed below
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt4trust.calibration import *
    from prompt4trust.datasets import *
    from prompt4trust.errors import *
    from prompt4trust.estimators import *
    from prompt4trust.evaluation import *
    from prompt4trust.metrics import *
    from prompt4trust.models import *
    from prompt4trust.monitoring import *
    from prompt4trust.picture_files import *
    from prompt4trust.pictures import *
    from prompt4trust.prompts import *
    from prompt4trust.questions import *
    from prompt4trust.rewards import *
    from prompt4trust.selection import *
    from prompt4trust.shift import *
    from prompt4trust.verdict import *

    __version__: str

_MODULES = {
    "calibration": "FAMILIES CalibrationKey Calibrator CalibratorArtifact fit_artifact get_family reliability",
    "datasets": "Dataset load_dataset read_medmcqa read_pmc_vqa",
    "errors": (
        "CannotChooseError DatasetError ManifestError MissingSignalError PhantomError PictureError "
        "PolicyNeededError "
        "ProbeError Prompt4TrustError RunAbandonedError SecondModelNeededError StateError TableError TransportError "
        "UnreadablePictureError UnusableInputError"
    ),
    "estimators": "ESTIMATORS Answer Estimator get_estimator",
    "evaluation": (
        "Prediction Report build_report choose_family cross_fit evaluate fit_calibrator read_outcomes read_predictions "
        "report_outcomes"
    ),
    "metrics": (
        "METRICS ErrorEstimate Interval accuracy accuracy_at_coverage ace_estimate adaptive_calibration_error"
        " area_under_risk_coverage auroc bootstrap_intervals brier_score confident_error_count confident_error_share "
        "coverage_at_risk ece_estimate expected_calibration_error mean_confidence metric_intervals "
        "negative_log_likelihood smooth_calibration_error summarize"
    ),
    "models": "Completion Cost Decoding Downstream Generation Guidance Policy Sampling",
    "monitoring": "SequentialTest live_figures",
    "picture_files": "data_url picture_size read_picture read_reduced_picture",
    "pictures": "PictureLimits PicturePreparation PreparedPicture ReducedPicture decode_picture prepare_picture",
    "prompts": "Message PromptTemplate answer_messages guide_messages load_answer_template load_template",
    "questions": "Question letter_options",
    "rewards": (
        "REWARDS Reward RewardSpec RewardSum brier check_reward describe_reward get_reward log_score spherical "
        "squared_error tail_weighted"
    ),
    "selection": "CheckedAnswer GuardArtifact OptionSets RiskRule fit_guard upper_bound",
    "shift": "Reference ReferenceArtifact fit_reference get_descriptor",
    "verdict": "Invalid Verdict parse_verdict",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and seldom asked for

    try:
        return version("trustvqa")
    except PackageNotFoundError:
        return "0+not.installed"


if not TYPE_CHECKING:  # a type checker would take any name for one that there is

    def __getattr__(name: str) -> object:
        if name == "__version__":
            found: object = _version()
        elif name in _MODULE_OF:
            found = getattr(import_module(f"prompt4trust.{_MODULE_OF[name]}"), name)
        else:
            raise AttributeError(f"module 'prompt4trust' has no attribute {name!r}")
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
