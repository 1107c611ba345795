"""Letters drawn from the options' probabilities, as a language model's tokens are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from prompt4trust.models import Sampling
from services.common.engine.decoding.randomness import sample_key
from services.common.engine.decoding.sampling import SamplingRows, choose


def draw(logarithms: Tensor, sampling: Sampling, seed: int, n: int, min_p: float) -> list[int]:
    """Draw n options.

    Args:
        logarithms: The options' log-probabilities, float [options].
        sampling: Temperature, top_p and top_k; temperature 0 takes the most probable one.
        seed: Of all draws; the same gives the same options.
        n: How many.
        min_p: Least probability of an option to be drawn, as a share of the most probable one's.

    Returns:
        Their places.
    """
    logits = logarithms.double()
    if min_p > 0 and sampling.temperature > 0:
        floor = logits.max() + sampling.temperature * math.log(min_p)
        logits = torch.where(logits < floor, -math.inf, logits)
    rows = SamplingRows.of([(sample_key(seed, index), sampling) for index in range(n)], torch.device("cpu"))
    chosen, _ = choose(logits.expand(n, -1), rows, torch.zeros(n, dtype=torch.int64), tolerance=0)
    return chosen
