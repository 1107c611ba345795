from __future__ import annotations

import pytest
import torch
from scipy import stats
from transformers import TopKLogitsWarper, TopPLogitsWarper

from prompt4trust.models import Sampling
from services.common.engine.decoding.randomness import sample_key
from services.common.engine.decoding.sampling import SamplingRows, choose

CPU = torch.device("cpu")


def rows(params: Sampling, count: int) -> SamplingRows:
    return SamplingRows.of([(sample_key(seed, 0), params) for seed in range(count)], CPU)


def zeros(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.int64)


def draws(logits: torch.Tensor, params: Sampling, count: int) -> torch.Tensor:
    tokens, _ = choose(logits.expand(count, -1), rows(params, count), zeros(count), 0.0)
    return torch.tensor(tokens)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_draws_follow_the_softmax_at_a_temperature(temperature: float) -> None:
    logits = torch.randn(12, generator=torch.Generator().manual_seed(3)) * 2
    count = 40_000
    found = draws(logits, Sampling(temperature=temperature), count).bincount(minlength=12)
    expected = torch.softmax(logits.double() / temperature, -1) * count
    assert stats.chisquare(found.numpy(), expected.numpy()).pvalue > 1e-4


@pytest.mark.parametrize(
    ("top_k", "top_p"), [(1, 1.0), (5, 1.0), (0, 0.9), (0, 0.3), (0, 1e-9), (7, 0.8), (1000, 0.99), (3, 0.01)]
)
def test_what_may_be_drawn_is_what_transformers_own_filters_leave(top_k: int, top_p: float) -> None:
    generator = torch.Generator().manual_seed(11)
    for _ in range(8):
        logits = torch.randn(40, generator=generator) * 3
        reference = logits[None]
        if top_k:
            reference = TopKLogitsWarper(min(top_k, 40))(None, reference)
        reference = TopPLogitsWarper(top_p)(None, reference) if top_p < 1 else reference
        expected = torch.softmax(reference[0].double(), -1)
        count = 4000
        found = draws(logits, Sampling(temperature=1.0, top_k=top_k, top_p=top_p), count).bincount(minlength=40)
        assert not found[expected == 0].any()
        often = expected * count > 10
        error = (found[often] - expected[often] * count).abs() / (expected[often] * count).sqrt()
        assert error.max() < 5


def test_temperature_zero_takes_the_most_likely_token() -> None:
    logits = torch.randn(50, 200, generator=torch.Generator().manual_seed(5))
    tokens, unsettled = choose(logits, rows(Sampling(temperature=0), 50), zeros(50), 1e-6)
    assert tokens == logits.argmax(-1).tolist()
    assert unsettled == []


def test_an_exact_tie_is_unsettled_and_a_clear_case_is_not() -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0], [1.0, 3.0, 2.0]])
    _, unsettled = choose(logits, rows(Sampling(temperature=0), 2), zeros(2), 1e-4)
    assert unsettled == [0]


@pytest.mark.parametrize(
    "params",
    [
        Sampling(temperature=0),
        Sampling(temperature=1.0),
        Sampling(temperature=0.2),
        Sampling(temperature=1.9, top_k=9),
        Sampling(temperature=1.0, top_p=0.6),
        Sampling(temperature=1.0, top_k=20, top_p=0.9),
        Sampling(temperature=0.3, top_p=0.95),
    ],
)
def test_noise_below_half_the_tolerance_never_changes_a_settled_choice(params: Sampling) -> None:
    """The tolerance is made so large that noise often would change the choice: each such row must be unsettled."""
    generator = torch.Generator().manual_seed(17)
    count, tolerance = 4000, 0.02
    logits = torch.randn(count, 60, generator=generator) * 2
    noise = (torch.rand(count, 60, generator=generator) - 0.5) * tolerance
    before, unsettled = choose(logits, rows(params, count), zeros(count), tolerance)
    after, _ = choose(logits + noise, rows(params, count), zeros(count), tolerance)
    changed = {row for row in range(count) if before[row] != after[row]}
    assert changed  # the case is met at all
    assert changed <= set(unsettled)
    assert len(unsettled) < count / 2  # and not by calling everything unsettled


def test_rows_of_all_kinds_share_a_batch() -> None:
    logits = torch.randn(64, 100, generator=torch.Generator().manual_seed(23))
    kinds = [
        Sampling(temperature=0),
        Sampling(temperature=1.0, top_p=0.5),
        Sampling(temperature=0.7, top_k=4),
        Sampling(temperature=1.0),
    ]
    pairs = [(sample_key(i, 0), kinds[i % 4]) for i in range(64)]
    steps = torch.arange(64)
    together, _ = choose(logits, SamplingRows.of(pairs, CPU), steps, 0.0)
    for row, pair in enumerate(pairs):
        alone, _ = choose(logits[row : row + 1], SamplingRows.of([pair], CPU), steps[row : row + 1], 0.0)
        assert alone == [together[row]]
