"""Answers that a usual picture speaks against: they defer, and the reason names no option."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx

from prompt4trust.picture_files import PREPARATION
from prompt4trust.shift import PictureAndWords, fit_reference
from services.common.registry.directory import Registry
from tests.prompt4trust.shift.questions import described
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.answering.test_shift import ASKED, ask
from tests.services.gateway.conftest import MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream


def test_an_answer_that_the_picture_speaks_against_carries_no_promise(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    """Of discs "Round" was right and of stripes "Oval", which is what the model says of both: both look usual."""
    evidence = Registry(tmp_path / "registry")
    evidence.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.97))
    evidence.guards.publish(make_guard())
    known = [each.answering("Round") for each in described(300)]
    known += [each.answering("Oval") for each in described(150, seed=1, kind="stripes")]
    evidence.references.publish(
        fit_reference(
            known,
            PictureAndWords(),
            name="answered",
            dataset="phantom-vqa",
            questions="sha256:" + "0" * 64,
            picture_preparation=PREPARATION,
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        )
    )
    with (
        make_gateway(registry=evidence.root, methods=("cgp", "verbalized")) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        two = {"options": ["Round", "Oval"], "max_risk": 0.1}
        fitting, misread = ask(client, "stripes", **two), ask(client, "disc", **two)
        # An option that nothing is known of, and a question with other words, are none of what was learned.
        others = [ask(client, "disc", max_risk=0.1), ask(client, "disc", question="Which outline is not seen?", **two)]
    assert (fitting["decision"], fitting["answer"]["text"]) == ("answer", "Oval")
    assert fitting["atypicality"]["beyond"] is misread["atypicality"]["beyond"] is False
    assert (misread["decision"], misread["answer"]) == ("defer", None)
    basis = misread["decision_basis"]
    assert (basis["code"], basis["guarantee"]) == ("answer-contradicted", False)
    assert "looks like those for which another answer than the model's is right" in basis["reason"]
    assert not any(option in basis["reason"] for option in ASKED["options"])
    assert misread["calibration"]["calibrated"] is False
    for other in others:
        assert other["decision_basis"]["code"] != "answer-contradicted", other["decision_basis"]
