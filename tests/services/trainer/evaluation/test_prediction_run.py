"""Runs against servers with habits: a run asks for what its settings say, or says what the server refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prompt4trust.datasets import Dataset, load_dataset
from services.trainer.evaluation.prediction_run import PredictionPlan, predict
from services.trainer.model_settings import ModelSettings
from tests.support.habits import HabitsServer

PLAN = PredictionPlan(("verbalized",), concurrency=2, deadline_s=10.0, policy_version=None, recheck=False)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    table = tmp_path / "questions.csv"
    table.write_text("question,A,B,answer\nWhich side?,Left,Right,B\nWhich shape?,Round,Oval,A\n")
    columns = {"question": "question", "options": "A+B", "answer": "answer"}
    return load_dataset(table, columns=columns)


@contextmanager
def unwatched(_: Path) -> Iterator[object]:
    yield lambda progress: None


@pytest.mark.parametrize(
    ("habits", "template", "failure"),
    [
        (["refuses seed", "refuses max_tokens", "has no index"], "answer-compact@1", None),
        (["refuses temperature"], "answer-compact@1", "refuses this temperature"),
        (["refuses a system message"], "answer-standard@1", "refuses a system message"),
        (["refuses response_format"], "answer-json@1", "refuses this response_format"),
    ],
)
async def test_evidence_is_of_what_was_asked_for_or_there_is_none(
    serving: tuple[HabitsServer, str],
    data: Dataset,
    tmp_path: Path,
    habits: list[str],
    template: str,
    failure: str | None,
) -> None:
    server, url = serving
    server.behave(*habits)
    settings = ModelSettings(
        downstream_url=f"{url}/v1", downstream_model="m", answer_template=template, temperature=0.5, sampling_seed=7
    )
    _, manifest, rows = await predict(data, PLAN, settings, tmp_path / "run", unwatched)  # type: ignore[arg-type]
    assert manifest.template_id == template
    assert [row.answer for row in rows] == ([None] * 2 if failure else ["B"] * 2)
    said = [None if row.failure is None else row.failure.detail for row in rows]
    assert all(each is None if failure is None else failure in (each or "") for each in said)


async def test_a_parser_is_part_of_the_run_s_wording(
    serving: tuple[HabitsServer, str], data: Dataset, tmp_path: Path
) -> None:
    server, url = serving
    server.behave(text="B|80")
    template = "answer-compact@1+tests.prompt4trust.verdict.parsers:versioned"
    settings = ModelSettings(downstream_url=f"{url}/v1", downstream_model="m", answer_template=template)
    _, manifest, rows = await predict(data, PLAN, settings, tmp_path / "run", unwatched)  # type: ignore[arg-type]
    assert manifest.calibration_key("verbalized").answer_template == f"{template}@2"
    assert [(row.answer, row.confidence) for row in rows] == [("B", 0.8)] * 2
