from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from services.common.engine.decoding.randomness import sample_key, uniforms


def draw(pairs: list[tuple[int, int]], count: int = 1000) -> torch.Tensor:
    keys, steps = zip(*pairs, strict=True)
    return uniforms(torch.tensor(keys), torch.tensor(steps), count)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    keys = [sample_key(seed, 0) for seed in range(20)]
    together = draw([(key, step) for step, key in enumerate(keys)])
    for row, key in enumerate(keys):
        assert torch.equal(draw([(key, row)])[0], together[row])


@pytest.mark.parametrize("varied", ["seed", "index", "step", "number"])
def test_numbers_are_uniform_and_uncorrelated_along_every_axis(varied: str) -> None:
    many = 20_000
    if varied == "number":
        sample = uniforms(torch.tensor([sample_key(0, 0)]), torch.tensor([0]), many)[0]
    else:
        seeds = [(i if varied == "seed" else 7, i if varied == "index" else 0) for i in range(many)]
        steps = torch.arange(many) if varied == "step" else torch.zeros(many, dtype=torch.int64)
        sample = uniforms(torch.tensor([sample_key(*pair) for pair in seeds]), steps, 1)[:, 0]
    values = sample.numpy()
    assert 0 < values.min() < 0.001
    assert 0.999 < values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 4 / many**0.5


def test_any_integer_is_a_seed_and_seeds_and_samples_differ() -> None:
    seeds = [0, 1, -1, 2**63, 2**64 - 2, -(2**40)]
    keys = {sample_key(seed, index) for seed in seeds for index in range(50)}
    assert len(keys) == len(seeds) * 50
    assert all(-(2**63) <= key < 2**63 for key in keys)
