"""Losses of CalibPrompt: cross-entropy with smoothed labels, and two that hold confidence to how often it is right.

Basu et al., arXiv 2509.15226. The abstract words angular separation the other way round; here it is what their code
computes: the mean cosine between the classes' texts, which is minimised and so drives them apart.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, alpha: float) -> Tensor:
    """Cross-entropy against labels of which a share is spread over the other classes.

    Args:
        logits: Scaled cosines, float [n, C], C >= 2.
        labels: Right classes, int64 [n].
        alpha: Share that the other classes have together, 0 to 1; 0 is plain cross-entropy.

    Returns:
        The mean over the rows, in nats.

    Raises:
        ValueError: If there are fewer than two classes, or alpha is no share.

    Example:
        >>> round(smoothed_cross_entropy(torch.zeros(1, 4), torch.tensor([0]), 0.1).item(), 4)
        1.3863
    """
    return (
        -(smoothed_targets(labels, logits.shape[-1], alpha) * functional.log_softmax(logits, dim=-1)).sum(dim=-1).mean()
    )


def smoothed_targets(labels: Tensor, classes: int, alpha: float) -> Tensor:
    """Make the distributions that smoothed labels are: 1 - alpha for the right class, the rest in even parts.

    Args:
        labels: int64 [n].
        classes: C, at least 2.
        alpha: 0 to 1.

    Returns:
        float32 [n, C]; each row adds up to 1.

    Raises:
        ValueError: If there are fewer than two classes, or alpha is no share.

    Example:
        >>> smoothed_targets(torch.tensor([1]), 3, 0.5)
        tensor([[0.2500, 0.5000, 0.2500]])
    """
    if classes < 2:
        raise ValueError(f"classes must be at least 2, not {classes}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be between 0 and 1, not {alpha}")
    right = functional.one_hot(labels, classes).to(torch.float32)
    return right * (1 - alpha) + (1 - right) * (alpha / (classes - 1))


def smoothed_mean_calibration(probabilities: Tensor, labels: Tensor, alpha: float) -> Tensor:
    """Gap between mean confidence and smoothed frequency, averaged over the classes (SMAC).

    The mean over classes c of |mean over the batch of p_c - (f_c (1 - alpha) + (1 - f_c) alpha / (C - 1))|, f_c being
    the class's frequency in the batch.

    Args:
        probabilities: float [n, C], n >= 1, C >= 2; rows add up to 1.
        labels: Right classes, int64 [n].
        alpha: Label smoothing, 0 to 1.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: If there are fewer than two classes, or alpha is no share.

    Example:
        >>> gap = smoothed_mean_calibration(torch.tensor([[0.9, 0.1], [0.9, 0.1]]), torch.tensor([0, 1]), 0.0)
        >>> round(gap.item(), 4)
        0.4
    """
    expected = smoothed_targets(labels, probabilities.shape[-1], alpha).mean(dim=0)
    return (probabilities.mean(dim=0) - expected).abs().mean()


def angular_separation(texts: Tensor) -> Tensor:
    """Mean cosine between different classes' texts; the smaller, the further apart they are.

    Args:
        texts: Unit vectors of the classes, float [C, d], C >= 2.

    Returns:
        A number from -1 / (C - 1) to 1.

    Raises:
        ValueError: If there are fewer than two classes.

    Example:
        >>> angular_separation(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])).item()  # cosines 0, 1, 0
        0.3333333432674408
    """
    classes = len(texts)
    if classes < 2:
        raise ValueError(f"classes must be at least 2, not {classes}")
    cosines = texts @ texts.T
    return (cosines.sum() - cosines.diagonal().sum()) / (classes * (classes - 1))
