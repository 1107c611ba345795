"""A rescaled calibrator at the gateway: other numbers are shown, and the very same answers are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from prompt4trust.calibration import CalibratorArtifact, Rescaling, RescalingData
from services.common.registry.directory import Registry
from tests.services.gateway.answering.test_selection import ask, make_guard, said
from tests.services.gateway.conftest import MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream

pytestmark = pytest.mark.usefixtures("upstream")
CONFIDENCES = (99, 95, 90, 85, 80, 70, 60)


def rescaled(calibrator: CalibratorArtifact, slope: float, intercept: float) -> CalibratorArtifact:
    data = RescalingData(dataset="all", data_hash="sha256:" + "0" * 64, n=1700, judged=True)
    figures: dict[str, dict[str, float | None]] = {"ece": {"value": 0.0123, "low": 0.0, "high": 0.1}}
    line = Rescaling(
        slope=slope, intercept=intercept, clip=0.0005, data=(data,), calibrated=calibrator.created, judged=1500,
        folds=5, metrics_before=figures, metrics_after=figures, change=figures,
    )  # fmt: skip
    return calibrator.model_copy(update={"rescaling": line, "format": 5})


def replies(client: httpx.Client, upstream: Upstream) -> list[dict[str, Any]]:
    found = []
    for confidence in CONFIDENCES:
        upstream.text = said(confidence)
        found += [ask(client, max_risk=risk) for risk in (0.1, 0.3)]
    return found


@pytest.mark.parametrize(("slope", "intercept"), [(1.6, 0.9), (0.2, -2.0)])
def test_decisions_stay_and_numbers_and_thresholds_move_alike(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path, slope: float, intercept: float
) -> None:
    before = make_calibrator("cgp", "policy-1")
    after = rescaled(before, slope, intercept)
    seen = []
    for number, calibrator in enumerate((before, after)):
        registry = Registry(tmp_path / f"registry-{number}")
        registry.calibrators.publish(calibrator)
        registry.guards.publish(make_guard(calibrator=before, ties="split"))  # tested before there was a rescaling
        with (
            make_gateway(registry=registry.root, methods=("cgp",)) as url,
            httpx.Client(base_url=url, timeout=20) as client,
        ):
            seen.append(replies(client, upstream))
    assert {each["decision"] for each in seen[0]} == {"answer", "defer"}
    for one, two in zip(*seen, strict=True):
        assert one["decision"] == two["decision"]
        first, second = one["decision_basis"], two["decision_basis"]
        assert (first["code"], first["evidence"], first["guarantee"]) == (
            second["code"], second["evidence"], second["guarantee"],
        )  # fmt: skip
        assert two["confidence"] == round(float(after.restate(one["confidence"])), 4)
        assert two["confidence"] != one["confidence"]
        if first["threshold"] is not None:
            assert second["threshold"] == round(float(after.restate(first["threshold"])), 4)
            assert f"{second['threshold']:.4g}" in second["reason"]
            if two["decision"] == "answer":
                assert two["confidence"] >= second["threshold"]
        told = two["calibration"]["fitted_on"]
        assert told["rescaled_on"] == {"n": 1700, "dataset": "all"}
        assert (told["n"], told["ece"]) == (before.n, 0.0123)
        assert one["calibration"]["fitted_on"]["rescaled_on"] is None
