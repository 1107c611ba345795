"""The page of `calibrate`: the candidates, the effect and the diagrams are those of the artifact."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from prompt4trust.evaluation import Prediction, choose_family, fit_calibrator
from tests.support.calibration_keys import whole_key
from tests.support.html import check_self_contained, parse
from trustvqa.reports.calibrators_page import render_calibrators_page

EVIL = "<script>alert(1)</script>"


def test_the_page_shows_what_the_artifact_holds() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(200):
        stated = float(rng.choice([0.8, 0.95]))
        answer = "A" if rng.random() < stated - 0.3 else "B"
        rows.append(Prediction(id=f"q{index}", estimator="cgp", truth="A", answer=answer, confidence=stated))
    choice = choose_family(rows, dataset=EVIL, families=["identity", "platt", "two-signal"], resamples=10)
    artifact = fit_calibrator(
        rows, name="platt-x", family=choice.chosen, dataset=EVIL, choice=choice, resamples=10,
        key=whole_key(downstream="d", policy=EVIL, estimator="cgp", answer_template="answer-compact@1"),
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    page = render_calibrators_page([artifact, artifact.model_copy(update={"reliability_before": (), "choice": None})])
    tree = parse(page)
    check_self_contained(page, tree)
    assert f"answers of {EVIL}" in tree.text
    candidates, effect, _ = tree.all("table")
    rows_by_name = {row.all("th")[0].text: row for row in candidates.all("tbody")[0].all("tr")}
    assert list(rows_by_name) == ["identity", "platt, chosen"]
    loss = choice.candidates[1].metrics["nll"]
    assert rows_by_name["platt, chosen"].all("td")[0].text == (
        f"{loss['value']:.3f} {loss['low']:.3f} to {loss['high']:.3f}"
    )
    assert "two-signal was left out:" in tree.text
    [error] = [row for row in effect.all("tr") if row.all("th")[0].text == "ECE"]
    found = [each["ece"]["value"] for each in (artifact.metrics_before, artifact.metrics_after, artifact.metrics_ideal)]
    assert [cell.text.split(" ")[0] for cell in error.all("td")] == [f"{value:.3f}" for value in found]
    titles = [each.attrs["aria-label"] for each in tree.all("svg")]
    assert titles == [f"Reliability diagram of cgp {what}" for what in ("as stated", "corrected", "corrected")]
