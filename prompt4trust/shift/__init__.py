"""Atypicality of a question beside the calibration questions: conformal p-values of distances, by picture and words."""

from prompt4trust.shift.artifact import ReferenceArtifact
from prompt4trust.shift.conformal import bonferroni, conformal_p_values
from prompt4trust.shift.descriptor import DESCRIPTORS, Described, Descriptor, PictureAndWords, get_descriptor
from prompt4trust.shift.fitting import Fitted, fit, fit_reference
from prompt4trust.shift.reference import LIMIT, Judgement, Reference, reached
from prompt4trust.shift.typicality import QuestionTypicality, signal_of, typicality_of
from prompt4trust.shift.words import Words

__all__ = [
    "DESCRIPTORS",
    "LIMIT",
    "Described",
    "Descriptor",
    "Fitted",
    "Judgement",
    "PictureAndWords",
    "QuestionTypicality",
    "Reference",
    "ReferenceArtifact",
    "Words",
    "bonferroni",
    "conformal_p_values",
    "fit",
    "fit_reference",
    "get_descriptor",
    "reached",
    "signal_of",
    "typicality_of",
]
