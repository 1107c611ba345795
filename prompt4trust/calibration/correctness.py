"""Logistic regression on all signals of an answer and on the words of question and answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from prompt4trust.calibration.base import (
    NoInterval,
    Parameters,
    Signals,
    Value,
    check_confidence,
    check_fitting_rows,
    evidence,
    finest_clip,
    needed_signal,
)
from prompt4trust.calibration.parameters import check_names, joined_names, read_names
from prompt4trust.calibration.several_signal import SeveralSignal, usable_signals
from prompt4trust.calibration.word_effects import fit_word_effects, word_columns
from prompt4trust.errors import MissingSignalError
from prompt4trust.metrics.tally import FloatArray
from prompt4trust.question_signals.words import DESCRIBED, is_word


@dataclass(frozen=True, slots=True)
class Correctness(NoInterval):
    """The chance of being right by `several-signal`, its logit moved by what the words say.

    It is a model of correctness that is learnt from records of questions, answers and outcomes: a model may count
    badly, or say "bilateral" too often, and no signal of its own tells. No signal speaks against an answer; words may.
    Where the answers do not show that words matter, and for a question whose words are not known, it is
    `several-signal`.

    Attributes:
        signals: The part without words.
        words: Names of the words with a weight (see `prompt4trust.question_signals.words`).
        weights: Of these, in the same order: added to the logit where an answer has the word.
        spread: Standard deviation of the prior that drew them to 0; 0 where no word has a weight.

    Example:
        >>> stated = [0.9, 0.8] * 40
        >>> signals = {"words_described": [1.0] * 80, "asks:7": [1.0] * 40 + [0.0] * 40, "agreement": [0.6, 0.5] * 40}
        >>> correct = [True] * 38 + [False] * 2 + [True] * 20 + [False] * 20  # right where it has the word
        >>> calibrator = Correctness.fit(stated, correct, signals)
        >>> calibrator.words, calibrator.inputs()
        (('asks:7',), ('words_described',))
        >>> has, lacks = calibrator.apply([0.9] * 2, {"words_described": [1.0] * 2, "asks:7": [1.0, 0.0]})
        >>> bool(has > lacks + 0.3)
        True
    """

    signals: SeveralSignal
    words: tuple[str, ...]
    weights: tuple[float, ...]
    spread: float
    family: ClassVar[str] = "correctness"

    @classmethod
    def fit(cls, confidence: npt.ArrayLike, correct: npt.ArrayLike, signals: Signals | None = None) -> Self:
        """Fit by penalised maximum likelihood, the words' penalty by empirical Bayes. See `Calibrator.fit`.

        Source: a correctness model that predicts from question and answer (Generalized Correctness Models, arXiv
        2509.24988), as a linear one on hashed words.
        """
        stated, right = check_fitting_rows(confidence, correct)
        words = word_columns(signals or {}, len(stated))
        if words is None:
            raise MissingSignalError(
                f"correctness needs the words of every question: {DESCRIBED} and what comes with it, and in records "
                "the words of one and the same calibrator"
            )
        found = usable_signals(stated, signals or {})
        values = [stated, *found.values()]
        clips = [finest_clip(each) for each in values]
        fitted = fit_word_effects([evidence(*each) for each in zip(values, clips, strict=True)], words, right)
        part = SeveralSignal.of_use(list(found), fitted.signals, clips)
        return cls(part, fitted.words, fitted.weights, fitted.spread)

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Self:
        """Rebuild from `parameters`; raises ValueError where they are not signals, words and weights."""
        own = {"words", "word_weights", "spread"}
        check_names(cls.family, parameters, "signals", "weights", "intercept", "clips", *sorted(own))
        try:
            part = SeveralSignal.from_parameters({name: each for name, each in parameters.items() if name not in own})
        except ValueError as error:
            raise ValueError(f"in correctness: {error}") from None
        words = read_names(cls.family, "words", parameters["words"])
        if not all(map(is_word, words)):
            raise ValueError("correctness's words must be names of words")
        weights, spread = parameters["word_weights"], parameters["spread"]
        if not isinstance(weights, list) or len(weights) != len(words) or not all(map(math.isfinite, weights)):
            raise ValueError(f"correctness's word_weights must be {len(words)} finite numbers, as there are words")
        if not isinstance(spread, (int, float)) or not 0 <= spread < math.inf:
            raise ValueError("correctness's spread must be a number of 0 or more")
        return cls(part, tuple(words), tuple(float(each) for each in weights), float(spread))

    def parameters(self) -> dict[str, Value]:
        """Return those of the part without words, and words, weights and spread."""
        own: dict[str, Value] = {
            "words": joined_names(self.words),
            "word_weights": list(self.weights),
            "spread": self.spread,
        }
        return {**self.signals.parameters(), **own}

    def inputs(self) -> tuple[str, ...]:
        """Name the further signals, and that words are told where a word has a weight."""
        return (*self.signals.inputs(), DESCRIBED) if self.words else self.signals.inputs()

    def apply(self, confidence: npt.ArrayLike, signals: Signals | None = None) -> FloatArray:
        """Correct confidences; see `Calibrator.apply`. A word of which there is no value is one that is lacked."""
        stated, given = check_confidence(confidence), signals or {}
        line = self.signals.line(stated, given)
        if self.words and DESCRIBED not in given:
            raise MissingSignalError(f"this calibrator needs the signal {DESCRIBED!r}, which the answer does not carry")
        if self.words and not np.all(np.asarray(given[DESCRIBED]) == 1):  # not where one is NaN, too
            raise MissingSignalError(f"this calibrator needs {DESCRIBED!r} to be 1 of every answer")
        for name, weight in zip(self.words, self.weights, strict=True):
            if name in given:
                line = line + weight * needed_signal(given, name, stated.shape)
        return np.asarray(expit(line), dtype=np.float64)

    def warnings(self) -> list[str]:
        """Warn where neither signals nor words say anything, and where words do not."""
        if self.words:
            return []
        return [*self.signals.warnings(), "the answers do not show that words matter: none has a weight"]
