"""A contrastive model behind the real gateway: answered, calibrated and guarded like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.registry.directory import Registry
from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from tests.services.common.contrastive.tiny import save_clip
from tests.services.gateway.answering.test_selection import ask, make_guard
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MODEL, MakeGateway, make_calibrator
from tests.support.servers import running
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    made = Registry(tmp_path_factory.mktemp("evidence"))
    for estimator in ("verbalized", "logprob"):
        made.calibrators.publish(make_calibrator(estimator, None, right=0.7))
    made.guards.publish(make_guard("verbalized", None))
    return made


@pytest.fixture(scope="module")
def client(
    make_gateway: MakeGateway, proof: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    directory: Path = save_clip(tmp_path_factory.mktemp("comparer"))
    served = DownstreamSettings(model=MODEL, model_path=str(directory), device="cpu")
    with running(downstream_app(served)) as url:
        wait_until(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        chosen: dict[str, Any] = {"methods": ("verbalized", "logprob", "cgp"), "registry": proof.root}
        gateway = make_gateway(downstream_url=f"{url}/v1", **chosen)
        with gateway as address, httpx.Client(base_url=address, timeout=20) as http:
            yield http


@pytest.mark.parametrize("method", ["verbalized", "logprob"])
def test_its_confidence_is_corrected_by_the_calibrator_of_its_key(
    client: httpx.Client, proof: Registry, method: str
) -> None:
    reply = ask(client, method=method)
    calibrator = proof.calibrators.load(f"platt-{method}").calibrator()
    assert reply["calibration"]["calibrated"] is True
    stated = reply["calibration"]["stated_confidence"]
    assert 1 / 3 - 0.01 <= stated < 1
    assert reply["confidence"] == pytest.approx(float(calibrator.apply(stated)), abs=1e-4)
    assert "nearest to the picture" in reply["explanation"] or method == "logprob"


def test_without_a_calibrator_of_its_key_nothing_is_called_calibrated(client: httpx.Client) -> None:
    assert ask(client, method="cgp")["calibration"]["calibrated"] is False


def test_a_guard_decides_by_its_confidence_and_has_it_defer_where_nothing_can_be_promised(client: httpx.Client) -> None:
    careful = ask(client, method="verbalized", max_risk=0.1)
    basis = careful["decision_basis"]
    assert basis["guarantee"] is True
    reached = careful["calibration"]["stated_confidence"] >= basis["threshold"]
    assert careful["decision"] == ("answer" if reached else "defer")
    strict = ask(client, method="verbalized", max_risk=0.01)
    assert (strict["decision"], strict["decision_basis"]["code"]) == ("defer", "risk-not-achievable")
    assert strict["answer"] is None


def test_a_question_that_it_cannot_answer_is_told_and_not_guessed_at(client: httpx.Client) -> None:
    reply = client.post("/vqa", json={"question": "Which side is it?", "options": ["Left", "Right"], "method": "cgp"})
    assert 400 <= reply.status_code < 600
    assert "answer" not in reply.json()


def test_a_question_with_lettered_lines_of_its_own_is_not_answered_by_these(client: httpx.Client) -> None:
    asked = "A reader listed:\nA. Effusion\nB. Fracture\nWhich one applies?"
    reply = client.post("/vqa", json=body(question=asked, method="verbalized", max_risk=0.1))
    assert 400 <= reply.status_code < 600
    assert "answer" not in reply.json()
    assert ask(client, method="verbalized")["calibration"]["calibrated"] is True
