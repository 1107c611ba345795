"""A calibrator that has weights for words, over real HTTP: what it corrects by, what is recorded, what is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from scipy.special import expit

from prompt4trust.calibration import CalibratorArtifact, Correctness, fit_artifact
from prompt4trust.calibration.base import evidence as evidence_of
from prompt4trust.question_signals.words import DESCRIBED, known_words, word_signals
from services.common.registry.directory import Registry
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import decoding_of, whole_key

ASKED = "Which outline has the lesion?"


def named(question: str, chosen: str | None = None) -> set[str]:
    return word_signals(question, chosen).keys() - {DESCRIBED}


def fitted() -> CalibratorArtifact:
    """A calibrator that knows "outline" and the answer "Oval", which the models' answers are worse for."""
    rng = np.random.default_rng(3)
    stated = rng.uniform(0.8, 0.99, 1000).round(2)
    asks, says = (rng.random(1000) < 0.5 for _ in range(2))
    columns = {
        name: has * 1.0 for names, has in ((named("outline"), asks), (named("", "oval"), says)) for name in names
    }
    return fit_artifact(
        stated,
        rng.random(1000) < expit(3.5 - 1.0 * asks - 1.0 * says),
        name="words-cgp",
        family="correctness",
        key=whole_key(
            downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE, decoding=decoding_of("cgp")
        ),
        dataset="answers",
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        signals={DESCRIBED: np.ones(1000), **columns},
        resamples=20,
    )


def ask(client: httpx.Client, question: str, **changes: Any) -> dict[str, Any]:
    response = client.post("/vqa", json=body(question=question, options=["Round", "Oval", "Spiculated"], **changes))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_the_gateway_corrects_by_the_words_that_the_calibrator_knows(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry, calibrator = Registry(tmp_path / "registry"), fitted()
    model = calibrator.calibrator()
    assert isinstance(model, Correctness)
    weights = dict(zip(model.words, model.weights, strict=True))
    assert weights.keys() == named("outline", "oval")
    with (
        make_gateway(registry=registry.root, methods=("cgp", "verbalized")) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        before = ask(client, ASKED)
        registry.calibrators.publish(calibrator)
        replies = {question: ask(client, question) for question in (ASKED, "Which form has Mrs Example?")}
        kept = {question: client.get(f"/vqa/{reply['id']}").json() for question, reply in replies.items()}
        deferred = ask(client, ASKED, max_risk=0)
        kept_deferred = client.get(f"/vqa/{deferred['id']}").json()
        for reply in (replies[ASKED], deferred):
            client.post(f"/vqa/{reply['id']}/feedback", json={"who": "dr. z", "right": True}).raise_for_status()
        exported = {each["id"]: each for each in client.get("/v1/feedback").json()["answers"]}
        unrecorded = client.get(f"/vqa/{before['id']}").json()["signals"]

    for question, reply in replies.items():
        assert reply["calibration"]["calibrator"] == calibrator.name
        line = model.signals.weights[0] * evidence_of(0.95, model.signals.clips[0]) + model.signals.intercept
        line += sum(weights[name] for name in weights.keys() & named(question, "Oval"))
        assert reply["confidence"] == pytest.approx(float(expit(line)), abs=1e-4)
    assert replies[ASKED]["confidence"] < replies["Which form has Mrs Example?"]["confidence"]

    # Of a word that shares no number with the calibrator's, no record keeps a trace; which ones were known is told.
    known = next(name for name in known_words({}, model.words))
    assert kept[ASKED]["signals"] == dict.fromkeys({DESCRIBED, known, *named("outline", "Oval")}, 1.0)
    assert kept["Which form has Mrs Example?"]["signals"] == dict.fromkeys({DESCRIBED, known, *named("", "Oval")}, 1.0)
    assert not {name for name in unrecorded if name.startswith(("asks:", "says:"))}

    # Nor does a deferral tell what the model said; a fit on feedback sees all of it.
    assert deferred["decision"] == "defer"
    for told in (kept_deferred, exported[deferred["id"]]):
        assert told["signals"] == dict.fromkeys({DESCRIBED, known, *named("outline")}, 1.0)
        assert told["guess_signals"] == dict.fromkeys(named("", "Oval"), 1.0)
    assert exported[replies[ASKED]["id"]]["signals"] == kept[ASKED]["signals"]
