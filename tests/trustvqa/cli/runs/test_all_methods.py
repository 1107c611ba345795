"""`trustvqa evaluate --methods all` in one resumable run, with costs and probes, against a real server."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from prompt4trust.estimators import ESTIMATORS
from prompt4trust.evaluation import read_predictions
from prompt4trust.meaning.minilm import has_minilm
from tests.support.openai_app import ScriptedServer
from tests.trustvqa.cli.runs.test_evaluate_command import Argument, data, serving, trustvqa

__all__ = ["data"]
N = 6
ONE_MODEL = [name for name, entry in ESTIMATORS.items() if not entry.needs_second]
HERE = [name for name in ONE_MODEL if name != "meaning+encoder" or has_minilm()]


def test_all_methods_their_cost_and_the_probes(data: Path, tmp_path: Path) -> None:
    server = ScriptedServer()
    command: list[Argument] = [
        "evaluate",
        "--data",
        data,
        "--methods",
        "all",
        "--limit",
        str(N),
        "--out",
        "run",
        "--calibrator",
        "none",
    ]
    probes = ["--probe", "blank-image", "--probe", "right-option-removed"]
    with serving(server) as models:
        out, _ = trustvqa(tmp_path, *command, *models)
        asked = Counter((body["n"], "top_logprobs" in body) for body in server.bodies)
        # Of the sampled ones consistency's 21 serve the avg-confs and entropy-spread; perturbation shares verbalized's.
        assert asked == {
            **{(1, False): N * (1 + 1 + 1 + 9 + 1), (1, True): 8 * N, (21, False): N * 3, (19, False): 2 * N},
            (10, False): N,  # a vote that is decided at its second look
        }
        assert len({body["seed"] for body in server.bodies if body["n"] > 1}) == 2 * N

        again = len(server.bodies)
        out_again, _ = trustvqa(tmp_path, *command, *models, *probes, "--no-recheck")
        assert len(server.bodies) > again

    methods = json.loads((tmp_path / "run" / "report.json").read_text())["methods"]
    assert [method["name"] for method in methods] == HERE
    calls = {method["name"]: method["calls"] for method in methods}
    assert calls == {
        **dict.fromkeys(("verbalized", "fixed-prompt", "top-k", "logprob"), 1),
        **dict.fromkeys(("consistency", "avg-conf", "avg-conf-all", "meaning"), 21),
        **dict.fromkeys(set(HERE) & {"meaning+encoder"}, 21),
        **{"entropy": 40, "entropy-spread": 40, "perturbation": 10, "cgp": 2, "cgp+vote": 11, "cgp+consistency": 22},
        # Without log-probabilities there is nothing to compare with a second reply.
        **dict.fromkeys(("cgp+logprob", "cgp+picture", "cgp+picture+noise"), 2),
        **dict.fromkeys(("cgp+self-check", "cgp+typicality", "cgp+relative", "cgp+open"), 2),
    }
    for what in ("model calls an answer", "tokens an answer", "seconds an answer"):
        tables = math.ceil(len(HERE) / 4)  # of up to four methods
        assert sum(line.startswith(what) for line in out.splitlines()) == tables
    assert "replies without a verdict: 6 x no_logprobs" in out
    assert "calls_per_answer" in (tmp_path / "run" / "report.csv").read_text()
    assert "tokens an answer" in (tmp_path / "run" / "report.html").read_text()
    rows = read_predictions(tmp_path / "run")
    assert {row.confidence for row in rows if row.estimator in ("consistency", "entropy", "perturbation")} == {1.0}
    assert all(row.signals["agreement"] == 1 for row in rows if row.estimator == "cgp+consistency")

    # The scripted model is blind: its confidence does not move, and its "A" is right even where that says "none".
    for probe in ("blank-image", "right-option-removed"):
        assert f"probe {probe}" in out_again
        found = json.loads((tmp_path / "run" / f"probe-{probe}" / "probe.json").read_text())
        figures = {each["estimator"]: each for each in found["methods"]}
        assert list(figures) == HERE
        assert figures["verbalized"]["moved"]["value"] == 0
        assert figures["verbalized"]["accuracy"][0] == figures["verbalized"]["accuracy"][1]
        assert figures["verbalized"]["n"] == N
        assert figures["logprob"]["paired"] == 0
        assert (tmp_path / "run" / f"probe-{probe}" / "report.html").exists()
    assert any("None of the above" in prompt for prompt in server.prompts)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--probe", "upside-down"], "no probe 'upside-down'; there are blank-image, right-option-removed"),
        (["--probe", "blank-image", "--run", "run"], "leave one of them out"),
    ],
)
def test_probes_that_cannot_be_made_are_explained(
    data: Path,
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    _, err = trustvqa(tmp_path, "evaluate", "--data", data, *arguments, status=1)
    assert said in err
