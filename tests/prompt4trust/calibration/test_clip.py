"""How near to 0 and 1 confidences are read: by the data, and in older files as they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from prompt4trust.calibration import CalibratorArtifact, get_family
from prompt4trust.calibration.base import Value, finest_clip
from prompt4trust.metrics import auroc
from prompt4trust.metrics.tally import BoolArray, FloatArray

CLIPPED = ("temperature", "platt", "beta")
GRID = np.concatenate((np.linspace(0, 1, 1001), [1e-9, 1e-4, 0.001, 0.9999, 1 - 1e-9]))
clipped_family = pytest.mark.parametrize("family", CLIPPED)


def computed_probabilities(rows: int, seed: int) -> tuple[FloatArray, BoolArray]:
    """Probabilities of which most are beyond 0.995, where their order still tells right from wrong."""
    random = np.random.default_rng(seed)
    evidence = random.normal(7, 2.5, rows)
    return expit(evidence), random.random(rows) < expit(0.5 * (evidence - 6))


@clipped_family
def test_confident_signals_keep_their_order_and_come_out_right(family: str) -> None:
    calibrator = get_family(family).fit(*computed_probabilities(3000, 1))
    stated, correct = computed_probabilities(20_000, 2)
    assert np.mean(stated > 0.995) > 0.5
    corrected = calibrator.apply(stated)
    assert auroc(corrected, correct) == pytest.approx(auroc(stated, correct), abs=1e-3)
    fixed = get_family(family).from_parameters({**calibrator.parameters(), "clip": 0.005})
    assert auroc(fixed.apply(stated), correct) < auroc(stated, correct) - 0.03
    if family != "temperature":  # which has no intercept, and cannot say that 0.998 is right every other time
        truth = expit(0.5 * (logit(stated) - 6))
        assert np.abs(corrected - truth).mean() < 0.03


@clipped_family
@pytest.mark.parametrize(
    ("finest", "clip"),
    [(0.01, 0.005), (0.05, 0.025), (0.001, 0.0005), (1e-9, 1e-6), (0.5, 0.25)],
    ids=["per cents", "twenty samples", "computed", "finest", "halves"],
)
def test_the_clip_is_half_of_the_finest_step_and_kept(family: str, finest: float, clip: float) -> None:
    stated = np.tile([0.0, finest, 0.5, 1 - finest, 1.0], 8)
    calibrator = get_family(family).fit(stated, np.arange(40) % 3 > 0)
    parameters = json.loads(json.dumps(calibrator.parameters()))
    assert parameters["clip"] == pytest.approx(clip, rel=1e-6)
    assert np.array_equal(get_family(family).from_parameters(parameters).apply(GRID), calibrator.apply(GRID))


def test_certainties_alone_have_the_clip_of_whole_per_cents() -> None:
    assert finest_clip(np.array([0.0, 1.0, 1.0])) == 0.005


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("temperature", {"temperature": 1.7}),
        ("platt", {"slope": 0.6, "intercept": -0.8}),
        ("beta", {"a": 0.4, "b": 0.9, "m": -0.3}),
    ],
)
def test_a_file_without_a_clip_is_applied_as_it_was_fitted(family: str, parameters: dict[str, Value]) -> None:
    inside = np.clip(GRID, 0.005, 0.995)
    line = {
        "temperature": lambda: logit(inside) / 1.7,
        "platt": lambda: 0.6 * logit(inside) + -0.8,
        "beta": lambda: 0.4 * np.log(inside) + 0.9 * -np.log1p(-inside) + -0.3,
    }[family]()
    calibrator = get_family(family).from_parameters(parameters)
    assert calibrator.apply(GRID).tobytes() == expit(line).tobytes()
    assert np.ptp(calibrator.apply([0.995, 0.999, 1.0])) == 0


# What the shipped calibrators gave of 0, 0.001, 0.3, 0.62, 0.9, 0.995, 0.9999 and 1 before a clip was a parameter, and
# several-signal, which is younger, when it was fitted.
SHIPPED: dict[str, list[str]] = {
    "histogram-verbalized-downstream-mini-1-answer-compact-1-95058ec6": [
        "0x1.7a88eab6f077bp-2",
        "0x1.7a88eab6f077bp-2",
        "0x1.7a88eab6f077bp-2",
        "0x1.7a88eab6f077bp-2",
        "0x1.7a88eab6f077bp-2",
        "0x1.ccccccccccccdp-1",
        "0x1.ccccccccccccdp-1",
        "0x1.ccccccccccccdp-1",
    ],
    "isotonic-cgp-downstream-mini-1-policy-mini-grpo-1-answer-compact-1-dd61a31c": [
        "0x1.c000000000000p-3",
        "0x1.c000000000000p-3",
        "0x1.5eaa2cf029413p-2",
        "0x1.294a5294a5295p-1",
        "0x1.dbb512bb512bbp-1",
        "0x1.dbb512bb512bbp-1",
        "0x1.dbb512bb512bbp-1",
        "0x1.dbb512bb512bbp-1",
    ],
    "isotonic-cgp-downstream-mini-1-policy-mini-sft-1-answer-compact-1-10f4a1ee": [
        "0x1.4945a7598e057p-2",
        "0x1.4945a7598e057p-2",
        "0x1.4945a7598e057p-2",
        "0x1.4945a7598e057p-2",
        "0x1.b0c30c30c30c3p-1",
        "0x1.dce888fbfbc5ap-1",
        "0x1.dce888fbfbc5ap-1",
        "0x1.dce888fbfbc5ap-1",
    ],
    "several-signal-cgp-logprob-downstream-mini-1-policy-mini-grpo-1-answer-compact-1-563ecf68": [
        "0x1.ff79e45987d18p-1",
        "0x1.ff5a010edeba6p-1",
        "0x1.fe3ba91e9c82dp-1",
        "0x1.bd713e8d205f0p-1",
        "0x1.ec3f9e4e64ab5p-2",
        "0x1.85d69528d52abp-3",
        "0x1.1e647b5688ffap-12",
        "0x1.57a263621c2e1p-13",
    ],
    "two-signal-cgp-logprob-downstream-mini-1-policy-mini-sft-1-answer-compact-1-1e6caf46": [
        "0x1.ffd10bd8e96eep-1",
        "0x1.ffd10bd8e96eep-1",
        "0x1.ff5ef218cfe3fp-1",
        "0x1.e3a419afcf560p-1",
        "0x1.5647f14a056b0p-1",
        "0x1.198f20962340ap-2",
        "0x1.ca41842757196p-12",
        "0x1.ca41842757196p-12",
    ],
}


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "models" / "calibrators").glob("*.json")))
def test_what_ships_gives_the_same_bytes(path: Path) -> None:
    stated = np.array([0.0, 0.001, 0.3, 0.62, 0.9, 0.995, 0.9999, 1.0])
    calibrator = CalibratorArtifact.load(path).calibrator()
    corrected = calibrator.apply(stated, dict.fromkeys(calibrator.inputs(), stated[::-1]))
    assert [float(each).hex() for each in corrected] == SHIPPED[path.stem]
