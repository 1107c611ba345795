"""A second downstream model's opinion: it moves the confidence by evidence of that very pair, and may be lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydantic import ValidationError

from prompt4trust.calibration import fit_artifact
from prompt4trust.estimators.cgp_second_model import SIGNAL, CgpSecondModel
from services.common.registry.directory import Registry
from services.gateway.settings import GatewaySettings
from tests.services.gateway.checks import assert_problem, body, said
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import whole_key
from tests.support.servers import running

METHOD = CgpSecondModel.name
SECOND = "model-2"
FIRST_SAYS = ("The answer is", " B", " with confidence 95.")
ANOTHER = ("The answer is", " C", " with confidence 95.")


@pytest.fixture(scope="module")
def second_server() -> Iterator[tuple[Upstream, str]]:
    second = Upstream()
    with running(second.app()) as url:
        yield second, url


@pytest.fixture
def second(second_server: tuple[Upstream, str]) -> Iterator[Upstream]:
    second, _ = second_server
    second.reset()
    says(second, FIRST_SAYS)
    yield second
    second.release.set()


@pytest.fixture
def asked_of(second_server: tuple[Upstream, str]) -> dict[str, object]:
    """Settings of a gateway that asks both."""
    return {
        "methods": (METHOD,),
        "second_downstream_url": f"{second_server[1]}/v1",
        "second_downstream_model": SECOND,
    }


def says(model: Upstream, tokens: tuple[str, ...]) -> None:
    model.text, model.tokens = "".join(tokens), tokens


def publish(registry: Path, estimator: str = METHOD, beside: str | None = SECOND) -> None:
    """Publish a calibrator of answers that are right where the second model agrees, and else every fourth time."""
    rng = np.random.default_rng(3)
    agrees = rng.integers(0, 2, 400).astype(float)
    wording = TEMPLATE if beside is None else f"{TEMPLATE}, second opinion of {beside}"
    Registry(registry).calibrators.publish(
        fit_artifact(
            np.full(400, 0.95),
            rng.random(400) < np.where(agrees == 1, 0.97, 0.25),
            name=f"{estimator}-{beside}".replace("+", "-"),
            family="several-signal" if beside else "platt",
            key=whole_key(downstream=MODEL, policy="policy-1", estimator=estimator, answer_template=wording),
            dataset="d",
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            signals={SIGNAL: agrees} if beside else {},
            resamples=5,
        )
    )


def test_an_answer_that_the_second_model_shares_is_given_and_another_is_left_to_a_person(
    make_gateway: MakeGateway, upstream: Upstream, second: Upstream, asked_of: dict[str, object], tmp_path: Path
) -> None:
    publish(tmp_path)
    says(upstream, FIRST_SAYS)
    with (
        make_gateway(registry=tmp_path, **asked_of) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        shared = client.post("/vqa", json=body()).json()
        says(second, ANOTHER)
        contradicted = client.post("/vqa", json=body()).json()
        assert client.get("/v1/about").json()["models"] == {"downstream": MODEL, "second_downstream": SECOND}
        ready = client.get("/health/ready").json()["dependencies"]["second_downstream"]
    for reply in (shared, contradicted):
        assert said(reply)["letter"] == "B"  # the first model's, whatever the second says
        assert reply["models"] == {"downstream": MODEL, "policy": "policy-1", "second_downstream": SECOND}
        assert reply["calibration"]["calibrated"]
        assert reply["degraded"] == []
        assert reply["usage"]["calls"] == 3
    assert (shared["decision"], contradicted["decision"]) == ("answer", "defer")
    assert contradicted["confidence"] < 0.5 < 0.9 < shared["confidence"]
    # It saw the same picture and question, and nobody's guidance.
    [first_saw, second_saw] = (asked[0]["messages"][-1]["content"] for asked in (upstream.asked, second.asked))
    assert second_saw[0] == first_saw[0]
    assert upstream.guidance in str(first_saw)
    assert upstream.guidance not in str(second_saw)
    assert second.asked[0]["model"] == SECOND
    assert (ready["ok"], ready["required"]) == (True, False)
    assert "does not list the model model-2" in ready["detail"]


@pytest.mark.parametrize("fault", ["down", "no log-probabilities"])
def test_a_lost_opinion_leaves_the_answer_by_the_evidence_of_one_model(
    make_gateway: MakeGateway,
    upstream: Upstream,
    second: Upstream,
    asked_of: dict[str, object],
    tmp_path: Path,
    fault: str,
) -> None:
    publish(tmp_path)
    publish(tmp_path, "cgp+logprob", None)
    says(upstream, FIRST_SAYS)
    if fault == "down":
        second.downstream = 500
    else:
        second.tokens = ()
    with (
        make_gateway(registry=tmp_path, downstream_attempts=1, **asked_of) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        reply = client.post("/vqa", json=body()).json()
    assert said(reply)["letter"] == "B"
    assert reply["degraded"] == ["second-look"]
    assert reply["calibration"]["calibrator"] == "cgp-logprob-None"
    assert "second_downstream" not in reply["models"]


def test_evidence_of_another_second_model_counts_for_nothing(
    make_gateway: MakeGateway, upstream: Upstream, second: Upstream, asked_of: dict[str, object], tmp_path: Path
) -> None:
    publish(tmp_path, beside="model-3")
    says(upstream, FIRST_SAYS)
    with (
        make_gateway(registry=tmp_path, **asked_of) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        reply = client.post("/vqa", json=body()).json()
    assert (reply["calibration"]["calibrated"], reply["decision"]) == (False, "defer")


def test_a_first_model_without_log_probabilities_answers_alone(
    make_gateway: MakeGateway, upstream: Upstream, second: Upstream, asked_of: dict[str, object]
) -> None:
    upstream.text = "".join(FIRST_SAYS)
    with make_gateway(**asked_of) as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = client.post("/vqa", json=body()).json()
    assert reply["degraded"] == ["logprobs"]
    assert reply["calibration"]["calibrator"] == "platt-cgp"
    assert "second_downstream" not in reply["models"]
    assert second.asked == []


def test_a_second_model_that_may_not_see_pictures_is_a_refusal_that_says_so(
    make_gateway: MakeGateway, upstream: Upstream, asked_of: dict[str, object]
) -> None:
    says(upstream, FIRST_SAYS)
    far = {**asked_of, "second_downstream_url": "https://models.example/v1"}
    with make_gateway(**far) as url, httpx.Client(base_url=url, timeout=20) as client:
        problem = client.post("/vqa", json=body())
    assert_problem(problem, 503, "image-egress-off")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"methods": (METHOD,)}, "set second_downstream_url"),
        ({"second_downstream_url": "http://second:8082/v1"}, "go together"),
        ({"second_downstream_model": SECOND}, "go together"),
    ],
)
def test_half_a_second_model_is_refused_at_the_start(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GatewaySettings.model_validate(settings)


def test_pictures_with_text_are_taken_only_where_both_models_may_see_them() -> None:
    def takes(second: str, **named: object) -> bool:
        both = {"second_downstream_url": second, "second_downstream_model": SECOND, **named}
        return GatewaySettings.model_validate(both).image_limits.takes_burned_in

    assert takes("http://second:8082/v1")
    assert not takes("https://models.example/v1")
    assert takes("https://models.example/v1", burned_in_hosts=["models.example"])
