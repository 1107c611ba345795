"""The losses, by hand and against gradients that are written out."""

from __future__ import annotations

import math

import pytest
import torch

from services.common.contrastive.losses import (
    angular_separation,
    smoothed_cross_entropy,
    smoothed_mean_calibration,
    smoothed_targets,
)

PROBABILITIES = [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1]]
LABELS = [0, 1, 2, 0]


def test_smoothed_labels_give_the_others_even_parts() -> None:
    found = smoothed_targets(torch.tensor([2, 0]), 3, 0.2)
    assert found.tolist() == [pytest.approx([0.1, 0.1, 0.8]), pytest.approx([0.8, 0.1, 0.1])]


def test_cross_entropy_is_that_of_torch_without_smoothing_and_by_hand_with_it() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]])
    labels = torch.tensor([0, 2])
    plain = torch.nn.functional.cross_entropy(logits, labels)
    assert smoothed_cross_entropy(logits, labels, 0.0).item() == pytest.approx(plain.item(), rel=1e-6)
    by_hand = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        total = math.log(sum(map(math.exp, row)))
        by_hand -= sum((0.7 if place == label else 0.15) * (value - total) for place, value in enumerate(row)) / 2
    assert smoothed_cross_entropy(logits, labels, 0.3).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5])
def test_calibration_is_the_equation(alpha: float) -> None:
    frequencies = [2 / 4, 1 / 4, 1 / 4]
    means = [sum(row[place] for row in PROBABILITIES) / 4 for place in range(3)]
    expected = sum(
        abs(mean - (frequency * (1 - alpha) + (1 - frequency) * alpha / 2))
        for mean, frequency in zip(means, frequencies, strict=True)
    )
    found = smoothed_mean_calibration(torch.tensor(PROBABILITIES), torch.tensor(LABELS), alpha)
    assert found.item() == pytest.approx(expected / 3, rel=1e-6)


def test_calibration_is_zero_where_confidence_is_what_is_expected() -> None:
    labels = torch.tensor([0, 1])
    assert smoothed_mean_calibration(torch.full((2, 2), 0.5), labels, 0.2).item() == pytest.approx(0.0, abs=1e-7)


def test_calibration_has_the_gradient_of_a_sum_of_gaps() -> None:
    probabilities = torch.tensor(PROBABILITIES, requires_grad=True)
    smoothed_mean_calibration(probabilities, torch.tensor(LABELS), 0.0).backward()
    # Means .475, .225, .3 against .5, .25, .25: the first two are below, the third above; 3 classes, 4 rows.
    assert probabilities.grad is not None
    assert probabilities.grad.tolist() == [pytest.approx([-1 / 12, -1 / 12, 1 / 12])] * 4


def test_separation_is_the_mean_cosine_of_pairs_and_its_gradient_the_sum_of_the_others() -> None:
    texts = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]], requires_grad=True)
    found = angular_separation(texts)
    assert found.item() == pytest.approx(2 * (0.6 + 0.0 - 0.8) / 6, rel=1e-6)
    found.backward()
    assert texts.grad is not None
    # Each ordered pair counts: twice the sum of the other texts, over C (C - 1).
    assert texts.grad[0].tolist() == pytest.approx([2 * 0.6 / 6, 2 * (0.8 - 1.0) / 6])


def test_separation_is_least_where_texts_point_away_from_each_other() -> None:
    corners = [[math.cos(angle), math.sin(angle)] for angle in (0, 2 * math.pi / 3, 4 * math.pi / 3)]
    assert angular_separation(torch.tensor(corners)).item() == pytest.approx(-0.5, abs=1e-6)


def test_one_class_and_a_share_beyond_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        angular_separation(torch.ones(1, 2))
    with pytest.raises(ValueError, match="at least 2"):
        smoothed_mean_calibration(torch.ones(1, 1), torch.tensor([0]), 0.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        smoothed_targets(torch.tensor([0]), 2, 1.5)
