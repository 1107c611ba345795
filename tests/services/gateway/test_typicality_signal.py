"""A calibrator that reckons with how near a question is to reference inputs, over real HTTP and by an evaluation."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from scipy.special import expit

from prompt4trust.calibration import CalibratorArtifact, SeveralSignal, fit_artifact
from prompt4trust.calibration.base import evidence as evidence_of
from prompt4trust.questions import Question
from prompt4trust.shift import QuestionTypicality
from services.common.registry.directory import Registry
from tests.services.gateway.answering.test_shift import ASKED, ask, encoded, make_reference
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import decoding_of, whole_key


def fitted_on(signal: str) -> CalibratorArtifact:
    """A calibrator of which nearness to the reference inputs is worth much."""
    rng = np.random.default_rng(3)
    stated, near = rng.uniform(0.8, 0.99, 300).round(2), rng.uniform(0.01, 1, 300)
    return fit_artifact(
        stated,
        rng.random(300) < near,
        name="several-cgp",
        family="several-signal",
        key=whole_key(
            downstream=MODEL,
            policy="policy-1",
            estimator="cgp",
            answer_template=TEMPLATE,
            decoding=decoding_of("cgp"),
        ),
        dataset="answers",
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        signals={signal: near},
        resamples=20,
    )


def evaluated(typicality: QuestionTypicality, seed: int, folder: Path) -> float:
    """Compute the signal that an evaluation records of the question that the gateway is asked."""
    path = folder / f"{seed}.png"
    path.write_bytes(base64.b64decode(encoded(seed=seed)))
    options = dict(zip("ABC", ASKED["options"], strict=True))
    return typicality.signals(Question("q", str(ASKED["question"]), options, image=path))[typicality.signal]


def test_the_gateway_corrects_by_the_distance_that_an_evaluation_records(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry, reference = Registry(tmp_path / "registry"), make_reference()
    typicality = QuestionTypicality(reference)
    calibrator = fitted_on(typicality.signal)
    registry.calibrators.publish(calibrator)
    seeds = sorted(range(5, 25), key=lambda seed: evaluated(typicality, seed, tmp_path))
    near, far = seeds[-1], next(seed for seed in seeds if evaluated(typicality, seed, tmp_path) > 0.02)
    values = [evaluated(typicality, seed, tmp_path) for seed in (near, far)]
    assert values[0] > values[1]
    with (
        make_gateway(registry=registry.root, methods=("cgp", "verbalized")) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        without = ask(client, image=encoded(seed=near))
        registry.references.publish(reference.model_copy(update={"name": "under-another-name"}))
        replies = [ask(client, image=encoded(seed=seed)) for seed in (near, far)]
        kept = client.get(f"/vqa/{replies[1]['id']}").json()
        client.post(f"/vqa/{replies[0]['id']}/feedback", json={"who": "dr. z", "right": True}).raise_for_status()
        (exported,) = client.get("/v1/feedback").json()["answers"]
        registry.references.publish(
            reference.model_copy(update={"name": "under-another-name", "picture_preparation": None})
        )
        unprepared = ask(client, image=encoded(seed=near))

    model = calibrator.calibrator()
    assert isinstance(model, SeveralSignal)
    for reply, value in zip(replies, values, strict=True):
        assert reply["calibration"]["calibrator"] == calibrator.name
        stated = reply["calibration"]["stated_confidence"]
        line = model.weights[0] * evidence_of(stated, model.clips[0])
        line += model.weights[-1] * evidence_of(value, model.clips[-1])
        assert reply["confidence"] == pytest.approx(float(expit(line + model.intercept)), abs=1e-4)
    assert replies[1]["confidence"] < replies[0]["confidence"]
    assert kept["signals"][typicality.signal] == pytest.approx(values[1], abs=1e-12)
    assert exported["signals"][typicality.signal] == pytest.approx(values[0], abs=1e-12)  # for a fit on feedback
    for reply in (without, unprepared):
        assert reply["calibration"]["calibrated"] is False
        assert reply["confidence"] == reply["calibration"]["stated_confidence"]
        assert typicality.signal in reply["calibration"]["reason"]
        assert "the reference inputs that it was fitted with" in reply["calibration"]["reason"]
        assert reply["degraded"] == ["calibrator"]


def test_distances_to_other_inputs_do_not_take_their_place(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    """The registry has reference inputs of the calibrator's own data, and not those that it was fitted with."""
    registry, reference = Registry(tmp_path / "registry"), make_reference()
    calibrator = fitted_on("typicality:" + "0" * 16).model_copy(update={"dataset": reference.dataset})
    registry.calibrators.publish(calibrator)
    registry.references.publish(reference)
    with (
        make_gateway(registry=registry.root, methods=("cgp", "verbalized")) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        reply = ask(client)
    assert reply["atypicality"]["reference"] == reference.name
    assert (reply["calibration"]["calibrated"], reply["degraded"]) == (False, ["calibrator"])
