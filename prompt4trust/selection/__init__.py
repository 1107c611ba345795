"""Selection with a guarantee: deferral at an accepted risk, option sets at a wanted coverage."""

from prompt4trust.selection.artifact import (
    CalibratorReference,
    GroupedRisk,
    GroupRisk,
    GuardArtifact,
    OptionEvidence,
    RiskEvidence,
)
from prompt4trust.selection.bounds import upper_bound
from prompt4trust.selection.by_group import GroupRule, GroupRules
from prompt4trust.selection.fitting import CheckedAnswer, fit_guard
from prompt4trust.selection.option_sets import OptionSet, OptionSets, nonconformity
from prompt4trust.selection.ranking import level_of, selection_score, tie_of
from prompt4trust.selection.risk import Limit, RiskRule
from prompt4trust.selection.starts import place_start, start_counts

__all__ = [
    "CalibratorReference",
    "CheckedAnswer",
    "GroupRisk",
    "GroupRule",
    "GroupRules",
    "GroupedRisk",
    "GuardArtifact",
    "Limit",
    "OptionEvidence",
    "OptionSet",
    "OptionSets",
    "RiskEvidence",
    "RiskRule",
    "fit_guard",
    "level_of",
    "nonconformity",
    "place_start",
    "selection_score",
    "start_counts",
    "tie_of",
    "upper_bound",
]
