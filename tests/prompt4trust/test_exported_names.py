"""The names that the library promises, package by package: a name that comes or goes is a decision."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest

import prompt4trust

EXPORTED = {
    "prompt4trust": (
        "Answer CalibrationKey Calibrator CalibratorArtifact CannotChooseError CheckedAnswer Completion Cost Dataset "
        "DatasetError Decoding Downstream ESTIMATORS ErrorEstimate Estimator FAMILIES Generation GuardArtifact "
        "Guidance Interval Invalid METRICS ManifestError Message MissingSignalError OptionSets PhantomError "
        "PictureError PictureLimits PicturePreparation Policy PolicyNeededError Prediction PreparedPicture "
        "ProbeError Prompt4TrustError PromptTemplate Question REWARDS ReducedPicture Reference ReferenceArtifact "
        "Report Reward RewardSpec RewardSum RiskRule RunAbandonedError Sampling SecondModelNeededError "
        "SequentialTest StateError TableError "
        "TransportError UnreadablePictureError UnusableInputError Verdict __version__ accuracy accuracy_at_coverage "
        "ace_estimate adaptive_calibration_error answer_messages area_under_risk_coverage auroc bootstrap_intervals "
        "brier brier_score build_report check_reward choose_family confident_error_count confident_error_share "
        "coverage_at_risk cross_fit data_url decode_picture describe_reward ece_estimate evaluate "
        "expected_calibration_error fit_artifact fit_calibrator fit_guard fit_reference get_descriptor get_estimator "
        "get_family get_reward guide_messages letter_options live_figures load_answer_template load_dataset "
        "load_template log_score mean_confidence metric_intervals negative_log_likelihood parse_verdict picture_size "
        "prepare_picture read_medmcqa read_outcomes read_picture read_pmc_vqa read_predictions read_reduced_picture "
        "reliability report_outcomes smooth_calibration_error spherical squared_error summarize tail_weighted "
        "upper_bound"
    ),
    "prompt4trust.calibration": (
        "Beta Bin Boosted CalibrationKey Calibrator CalibratorArtifact Candidate Correctness FAMILIES FamilyChoice "
        "GroupErrors GroupOffset GroupOffsets Groups Histogram Identity Isotonic MissingSignalError Platt RawPlatt "
        "ReplacedRows SeveralSignal Signals StratumOffsets Temperature TwoSignal VennAbers fit_artifact get_family "
        "hash_rows reliability"
    ),
    "prompt4trust.datasets": (
        "CopBase Dataset DatasetError KINDS Kind OnBad Source fingerprint load_dataset parse_columns read_medmcqa "
        "read_pmc_vqa"
    ),
    "prompt4trust.datasets.phantoms": (
        "FAMILIES Finding IMAGE_SIZE PhantomError PhantomQuestion SPLITS Scene generate lesion_targets render "
        "sample_question sample_scene"
    ),
    "prompt4trust.estimators": (
        "Answer AvgConf AvgConfAll Cgp CgpConsistency CgpLogprob CgpOpen CgpPicture CgpPictureNoise CgpRelative "
        "CgpSecondModel CgpSelfCheck CgpTypicality CgpVote Consistency ESTIMATORS Entropy EntropySpread Estimator "
        "EstimatorEntry FixedPrompt Logprob Meaning MeaningEncoder Perturbation PolicyNeededError "
        "SecondModelNeededError TopK Verbalized get_estimator wording_of"
    ),
    "prompt4trust.evaluation": (
        "CannotChooseError ManifestError Outcomes Prediction PredictionLog Progress Report RunAbandonedError "
        "RunManifest TableError build_report choose_family cross_fit evaluate fit_calibrator read_manifest "
        "read_outcomes read_predictions report_outcomes"
    ),
    "prompt4trust.metrics": (
        "ErrorEstimate Interval METRICS Metric WorstGroup accuracy accuracy_at_coverage ace_estimate "
        "adaptive_calibration_error area_under_risk_coverage auroc bootstrap_intervals brier_score "
        "confident_error_count confident_error_share coverage_at_risk ece_estimate expected_calibration_error "
        "mean_confidence metric_intervals negative_log_likelihood smooth_calibration_error summarize worst_group"
    ),
    "prompt4trust.monitoring": (
        "Bet Bets CALIBRATION Crossing DriftFinding LiveFigures OVERCONFIDENCE PROMISE SequentialTest StateError "
        "Wealth live_figures"
    ),
    "prompt4trust.pictures": (
        "DataUrl DecodedPicture DeepGrey DicomChoice DicomSource FORMATS PREPARATION_VERSION PictureLimits "
        "PictureOrigin PicturePreparation PreparedPicture ReducedPicture begins_as_dicom begins_as_picture "
        "decode_base64 decode_base64_picture decode_picture media_type_of prepare_picture "
        "read_deep_grey split_picture_text window_grey"
    ),
    "prompt4trust.plots": (
        "DARK LIGHT Triple confidence_histogram_svg dots_svg gaps_svg history_svg legend_svg oracle_curve "
        "random_curve reliability_svg risk_coverage_svg rules stated_svg unstyled"
    ),
    "prompt4trust.reviewing": (
        "Acceptance FlipRates Looks MAX_RATE MIN_TWICE RateEstimate SingleReview box chances_right compare "
        "corrected_outcomes count_looks draw_outcomes estimate_rates held_out struck_rates widened"
    ),
    "prompt4trust.selection": (
        "CalibratorReference CheckedAnswer GroupRisk GroupRule GroupRules GroupedRisk GuardArtifact Limit "
        "OptionEvidence OptionSet OptionSets RiskEvidence RiskRule fit_guard level_of nonconformity place_start "
        "selection_score start_counts tie_of upper_bound"
    ),
    "prompt4trust.shift": (
        "DESCRIPTORS Described Descriptor Fitted Judgement LIMIT PictureAndWords QuestionTypicality Reference "
        "ReferenceArtifact Words bonferroni conformal_p_values fit fit_reference get_descriptor reached signal_of "
        "typicality_of"
    ),
}


@pytest.mark.parametrize("package", EXPORTED)
def test_exported_names(package: str) -> None:
    module = import_module(package)
    assert sorted(module.__all__) == sorted(EXPORTED[package].split())
    assert all(hasattr(module, name) for name in module.__all__)


def test_names_of_the_top_are_those_of_their_modules() -> None:
    for name in prompt4trust.__all__:
        found = getattr(prompt4trust, name)
        home = getattr(found, "__module__", "")
        if not isinstance(home, str) or not home.startswith("prompt4trust."):
            continue
        assert getattr(import_module(home), name) is found


def test_the_version_is_the_distributions() -> None:
    assert prompt4trust.__version__ == version("trustvqa")


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'perse_verdict'"):
        _ = prompt4trust.perse_verdict  # type: ignore[attr-defined]
    assert "parse_verdict" in dir(prompt4trust)


def loaded_by(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_library_costs_next_to_nothing() -> None:
    assert not {"numpy", "scipy", "sklearn", "pandas", "pydantic"} & loaded_by("import prompt4trust")
    # A name pays for its own module alone.
    assert not {"numpy", "scipy", "pydantic"} & loaded_by("from prompt4trust import parse_verdict, log_score")
