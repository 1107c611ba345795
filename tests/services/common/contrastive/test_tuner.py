"""The tuner: what it descends, and that a broken run goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from services.common.contrastive.tuner import LabelledPictures, Tuner, TuningSettings

WIDTH = 6
SETTINGS = TuningSettings(length=4, epochs=6, batch=4, learning_rate=0.5, warmup_epochs=1, seed=5)


def encode(names: Sequence[str], context: Tensor) -> Tensor:
    """A text tower that anybody can follow: a fixed vector a name, turned by the context."""
    fixed = torch.randn(len(names), WIDTH, generator=torch.Generator().manual_seed(len(names)))
    return torch.nn.functional.normalize(fixed + fixed @ (context.T @ context) + context.sum(0), dim=-1)


def rows(classes: int, n: int, seed: int) -> LabelledPictures:
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    pictures = torch.nn.functional.normalize(torch.randn(n, WIDTH, generator=random), dim=-1)
    return LabelledPictures(tuple(f"class {place}" for place in range(classes)), pictures, labels)


def tuner(**changes: object) -> Tuner:
    return Tuner(encode, WIDTH, 10.0, [rows(3, 9, 0), rows(2, 7, 1)], replace(SETTINGS, **changes))  # type: ignore[arg-type]  # settings by name


def test_the_context_begins_small_and_the_seed_decides_it() -> None:
    many = Tuner(encode, WIDTH, 1.0, [], TuningSettings(length=5000))
    assert many.context.std().item() == pytest.approx(0.02, rel=0.02)
    assert many.context.mean().item() == pytest.approx(0.0, abs=0.001)
    assert torch.equal(tuner().context, tuner().context)
    assert not torch.equal(tuner().context, tuner(seed=6).context)


def test_the_rate_warms_up_for_an_epoch_and_then_follows_a_cosine() -> None:
    settings = TuningSettings()
    assert settings.rate(0) == 1e-5
    assert settings.rate(1) == pytest.approx(0.002, rel=0.002)
    assert settings.rate(25) == pytest.approx(0.001)
    assert settings.rate(49) < 1e-5


def test_tuning_lowers_the_loss() -> None:
    made = tuner(epochs=30)
    told = [made.run_epoch() for _ in range(30)]
    assert made.finished
    assert told[-1]["loss"] < told[1]["loss"] - 0.05


def test_each_weight_lowers_what_it_is_for() -> None:
    plain, calibrated, apart = (
        tuner(epochs=60, learning_rate=0.02, batch=16, calibration=calibration, separation=separation)
        for calibration, separation in ((0.0, 0.0), (5.0, 0.0), (0.0, 5.0))
    )
    last: list[dict[str, float]] = []
    for each in (plain, calibrated, apart):
        last.append([each.run_epoch() for _ in range(60)][-1])
    assert last[1]["calibration"] < last[0]["calibration"]
    assert last[2]["separation"] < last[0]["separation"]


def test_a_run_that_is_taken_up_again_ends_where_an_unbroken_one_does() -> None:
    whole = tuner()
    for _ in range(6):
        whole.run_epoch()
    first = tuner()
    for _ in range(3):
        first.run_epoch()
    second = tuner()
    second.load_state(first.state())
    assert second.epoch == 3
    while not second.finished:
        second.run_epoch()
    assert torch.equal(second.context, whole.context)


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        tuner().load_state(tuner(length=5).state())
