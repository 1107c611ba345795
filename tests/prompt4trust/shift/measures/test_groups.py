"""Groups of rows: the distance is Mahalanobis' from scikit-learn's estimate, and nothing of a row is kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from prompt4trust.shift.measures.groups import LEAST, PictureGroups

RNG = np.random.default_rng(4)
KINDS = np.repeat([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]], [60, 40], axis=0)
ROWS = KINDS + RNG.normal(size=(100, 3)) * (1.0, 2.0, 0.5)


def test_the_score_is_the_distance_to_the_nearest_group() -> None:
    found = PictureGroups.fit(ROWS, np.full(3, 1e-3))
    assert sorted(found.sizes) == [40, 60]
    points = (ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0)
    centres = np.array([points[:60].mean(axis=0), points[60:].mean(axis=0)])
    within = points - np.repeat(centres, [60, 40], axis=0)
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(within).covariance_)
    asked = RNG.normal(size=(20, 3)) * (5.0, 5.0, 1.0)
    expected = cdist((asked - ROWS.mean(axis=0)) / ROWS.std(axis=0), centres, "mahalanobis", VI=inverse).min(axis=1)
    assert found.scores(asked) == pytest.approx(expected, rel=0.01)


def test_a_group_never_stands_for_few_rows() -> None:
    lonely = np.concatenate([ROWS, [[500.0, 0.0, 0.0]] * 3])
    found = PictureGroups.fit(lonely, np.full(3, 1e-3))
    assert min(found.sizes) >= LEAST
    assert sum(found.sizes) == 103


def test_what_never_varies_is_measured_by_its_tolerance() -> None:
    rows = np.column_stack([ROWS, np.zeros(100)])
    found = PictureGroups.fit(rows, np.array([1e-3, 1e-3, 1e-3, 0.5]))
    near, far = found.scores(np.array([[0.0, 0.0, 0.0, 0.01], [0.0, 0.0, 0.0, 3.0]]))
    assert near < 2 < far


def test_few_rows_are_one_group() -> None:
    assert PictureGroups.fit(ROWS[:12], np.full(3, 1e-3)).sizes == (12,)
