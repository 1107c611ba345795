"""Answers to fit calibrators on."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, logit

from prompt4trust.metrics.tally import BoolArray, FloatArray

GRID = np.linspace(0, 1, 1001)


def overconfident(rows: int, seed: int = 0) -> tuple[FloatArray, BoolArray]:
    """Whole per cents from 60 to 99, right as often as a Platt curve of slope 0.6 and intercept -0.8 says."""
    random = np.random.default_rng(seed)
    stated = random.integers(60, 100, rows) / 100
    return stated, random.random(rows) < expit(0.6 * logit(stated) - 0.8)


def outcomes(stated: FloatArray, seed: int) -> BoolArray:
    """Outcomes of which one at least is right and one wrong."""
    correct = np.random.default_rng(seed).random(len(stated)) < stated
    correct[:2] = True, False
    return correct


PER_CENTS = arrays(np.float64, st.integers(20, 80), elements=st.integers(0, 100).map(lambda percent: percent / 100))
FRACTIONS = arrays(np.float64, st.integers(20, 60), elements=st.floats(0, 1, width=32))
SEEDS = st.integers(0, 2**32)
