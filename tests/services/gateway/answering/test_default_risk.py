"""The rule that decides where a request names no accepted risk: the gateway's default, which is 0.1."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from services.common.registry.directory import Registry
from services.gateway.settings import GatewaySettings
from tests.services.gateway.answering.test_selection import make_guard, said
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream

DEFAULT = GatewaySettings.model_fields["max_risk"].default


def test_a_guard_that_fits_gives_the_guarantee(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    registry.guards.publish(make_guard())
    with (
        make_gateway(registry=registry.root, max_risk=DEFAULT) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        assert client.get("/v1/about").json()["max_risk"] == 0.1
        upstream.text = said(95)
        given = client.post("/vqa", json=body()).json()
        assert given["decision"] == "answer"
        basis = given["decision_basis"]
        assert (basis["rule"], basis["source"], basis["max_risk"]) == ("risk-control", "default", 0.1)
        assert basis["guarantee"] is True
        upstream.text = said(80)
        assert client.post("/vqa", json=body()).json()["decision"] == "defer"


@pytest.mark.parametrize(("right", "decision"), [(0.97, "answer"), (0.7, "defer")])
def test_without_one_a_calibrated_confidence_of_nine_tenths_does_and_nothing_is_promised(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path, right: float, decision: str
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=right))
    with (
        make_gateway(registry=registry.root, max_risk=DEFAULT) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        reply = client.post("/vqa", json=body()).json()
    assert reply["decision"] == decision
    basis = reply["decision_basis"]
    assert (basis["rule"], basis["threshold"], basis["guarantee"]) == ("confidence-threshold", 0.9, False)


def test_an_empty_setting_goes_back_to_the_bare_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTVQA_GATEWAY_MAX_RISK", "")
    assert GatewaySettings().max_risk is None


def test_a_threshold_that_is_set_counts_unless_a_risk_is_set_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("gateway:\n  confidence_threshold: 0.95\n")
    assert GatewaySettings.from_file(file).max_risk is None
    assert GatewaySettings.from_file(file).for_one_worker().max_risk is None
    assert GatewaySettings().max_risk == DEFAULT
    monkeypatch.setenv("TRUSTVQA_GATEWAY_CONFIDENCE_THRESHOLD", "0.95")
    assert (GatewaySettings().confidence_threshold, GatewaySettings().max_risk) == (0.95, None)
    monkeypatch.setenv("TRUSTVQA_GATEWAY_MAX_RISK", "0.2")
    assert GatewaySettings().max_risk == 0.2
    assert GatewaySettings.from_file(file).max_risk == 0.2


def test_a_confidence_is_never_written_as_certainty(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.99))
    with make_gateway(registry=registry.root) as url, httpx.Client(base_url=url, timeout=20) as client:
        upstream.text = said(99)
        reply = client.post("/vqa", json=body()).json()
    assert 0.995 < reply["confidence"] < 1
    assert f"{reply['confidence']:.4g}" in reply["decision_basis"]["reason"]
    assert "1.00" not in reply["decision_basis"]["reason"]
