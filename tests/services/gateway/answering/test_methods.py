"""Methods beyond the default ones: only where the operator offers them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydantic import ValidationError

from prompt4trust.calibration import fit_artifact
from prompt4trust.estimators import ESTIMATORS
from services.common.registry.directory import Registry
from services.gateway.settings import GatewaySettings
from services.gateway.settings_parts.methods import DEFAULT_METHODS
from tests.services.gateway.checks import assert_problem, body, said
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import whole_key

LOGGED = ("The answer is", " B", " with confidence 95.")
LOOKING = ("cgp+picture", "cgp+picture+noise", "cgp+self-check")


def test_a_client_cannot_ask_for_what_is_not_offered(client: httpx.Client, upstream: Upstream) -> None:
    assert list(client.get("/v1/about").json()["methods"]) == ["cgp", "cgp+logprob", "verbalized"]
    for name in set(ESTIMATORS) - set(DEFAULT_METHODS):
        for response in (
            client.post("/vqa", json=body(method=name)),
            client.post("/vqa", data={"question": "Q?", "method": name}, files={"image": b"x"}),
        ):
            assert response.status_code == 422
            [fault] = response.json()["errors"]
            assert fault["field"] == "method"
            assert "must be one of: cgp, cgp+logprob, verbalized" in fault["message"]
    assert upstream.asked == []


def test_what_is_offered_is_answered(make_gateway: MakeGateway, upstream: Upstream) -> None:
    offered = ("cgp", "consistency", "logprob", "perturbation")
    with make_gateway(methods=offered) as url, httpx.Client(base_url=url, timeout=20) as client:
        about = client.get("/v1/about").json()
        assert list(about["methods"]) == list(offered)
        assert client.post("/vqa", json=body(method="verbalized")).status_code == 422

        reply = client.post("/vqa", json=body(method="consistency")).json()
        assert (said(reply)["letter"], reply["confidence"]) == ("B", 1.0)
        assert [asked["n"] for asked in upstream.asked] == [21]
        assert reply["calibration"]["calibrated"] is False
        assert reply["decision"] == "defer"
        assert reply["degraded"] == ["calibrator"]
        assert upstream.guided == []

        reply = client.post("/vqa", json=body(method="logprob")).json()
        assert (said(reply), reply["confidence"], reply["decision"]) == (None, None, "defer")
        assert "no probabilities" in reply["decision_basis"]["reason"]
        assert upstream.asked[-1]["top_logprobs"] == 20

        upstream.asked.clear()
        reply = client.post("/vqa", json=body(method="perturbation")).json()
        assert reply["confidence"] == 1.0
        pictures = [asked["messages"][-1]["content"][0]["image_url"]["url"] for asked in upstream.asked]
        assert len(set(pictures)) == 10


def test_a_calibrator_of_two_signals_gets_both_and_one_with_an_interval_gives_it(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    stated, agreement = rng.integers(50, 100, 300) / 100, rng.integers(0, 21, 300) / 20
    right = rng.random(300) < (stated + agreement) / 2
    registry = Registry(tmp_path)
    fits = (("consistency", "two-signal", agreement), ("verbalized", "venn-abers", stated))
    for estimator, method, confidence in fits:
        artifact = fit_artifact(
            confidence,
            right,
            name=method,
            family=method,
            key=whole_key(downstream=MODEL, policy=None, estimator=estimator, answer_template=TEMPLATE),
            dataset="d",
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            signals={"stated": stated},
            resamples=5,
        )
        registry.calibrators.publish(artifact)
    two, interval = (each.calibrator() for each in sorted(registry.calibrators.load_all(), key=lambda each: each.name))
    offered = ("cgp", "consistency", "verbalized")
    with make_gateway(methods=offered, registry=tmp_path) as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = client.post("/vqa", json=body(method="consistency")).json()
        assert reply["confidence"] == round(float(two.apply(1.0, {"stated": 0.95})), 4)
        assert reply["calibration"]["interval"] is None
        reply = client.post("/vqa", json=body(method="verbalized")).json()
        ends = interval.interval(0.95)
        assert ends is not None
        assert reply["calibration"]["interval"] == [round(float(end), 4) for end in ends]
        assert ends[0] <= reply["confidence"] <= ends[1]


@pytest.mark.parametrize("methods", [("cgp", "magic"), ()])
def test_methods_that_cannot_be_offered_are_refused_at_start(methods: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="methods"):
        GatewaySettings(methods=methods)


def test_the_first_of_the_offered_methods_answers_who_names_none(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(methods=("verbalized", "cgp")) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/v1/about").json()["default_method"] == "verbalized"
        assert client.post("/vqa", json=body()).json()["guidance_prompt"] is None
        assert client.post("/vqa", json=body(method="cgp")).json()["guidance_prompt"]


def publish_for_one_look(registry: Path) -> None:
    rng = np.random.default_rng(3)
    stated = rng.integers(50, 100, 200) / 100
    Registry(registry).calibrators.publish(
        fit_artifact(
            stated,
            rng.random(200) < stated,
            name="one-look",
            family="platt",
            key=whole_key(downstream=MODEL, policy="policy-1", estimator="cgp+logprob", answer_template=TEMPLATE),
            dataset="d",
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            resamples=5,
        )
    )


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_lost_second_look_leaves_the_answer_without_it(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path, calibrated: bool
) -> None:
    if calibrated:
        publish_for_one_look(tmp_path)
    upstream.text, upstream.tokens = "".join(LOGGED), LOGGED
    with make_gateway(methods=LOOKING, registry=tmp_path) as url, httpx.Client(base_url=url, timeout=20) as client:
        for method in LOOKING:
            upstream.asked.clear()
            upstream.fails_from = 1
            reply = client.post("/vqa", json=body(method=method)).json()
            assert said(reply)["letter"] == "B"
            assert reply["degraded"] == (["second-look"] if calibrated else ["second-look", "calibrator"])
            assert reply["calibration"]["calibrated"] is calibrated
            assert reply["calibration"]["calibrator"] == ("one-look" if calibrated else None)
            if not calibrated:
                assert reply["decision"] == "defer"

        upstream.asked.clear()
        upstream.fails_from = 0
        assert_problem(client.post("/vqa", json=body(method="cgp+picture")), 502, "downstream-failed")


def test_a_look_that_is_answered_is_no_loss(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.text, upstream.tokens = "".join(LOGGED), LOGGED
    with make_gateway(methods=LOOKING) as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = client.post("/vqa", json=body(method="cgp+picture+noise")).json()
    assert reply["degraded"] == ["calibrator"]
    assert len(upstream.asked) == 3


def test_a_second_look_that_hangs_leaves_the_answer_without_it(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.text, upstream.tokens, upstream.hangs_from = "".join(LOGGED), LOGGED, 1
    # The model may take far longer than the answer has.
    settings = {"methods": LOOKING, "deadline_s": 1.5, "downstream_deadline_s": 45.0}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        response = client.post("/vqa", json=body(method="cgp+picture"))
        assert response.status_code == 200
        assert response.json()["degraded"][:1] == ["second-look"]
        assert upstream.hung_up.wait(10)
