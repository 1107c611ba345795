"""Whole runs with a curriculum: its order outlives every interruption, and the record says what it was."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter

import pytest

from services.trainer.errors import RunError
from services.trainer.grpo.run import execute
from tests.services.trainer.grpo.conftest import BATCH, GENERATIONS, VALIDATION, Begin, Told, metrics
from tests.support.models import overconfident
from tests.support.openai_app import Reply, ScriptedServer

pytestmark = pytest.mark.xdist_group("grpo")  # they share the tiny policy

SHORT = {"max_steps": 4, "learning_rate": 1e-2, "per_device_train_batch_size": BATCH}
CURRICULUM = {"start_share": 0.25, "steps": 3}
SEEN = 4 * BATCH // GENERATIONS  # of the ten questions there are


def test_easy_questions_come_first_and_a_resumed_run_goes_on_in_the_same_order(begin: Begin) -> None:
    server = ScriptedServer()
    folder = begin(server, update=SHORT, curriculum=CURRICULUM)
    told = Told(stop_after=1)
    assert execute(folder, observer=told, stop=told.stop).step == 2
    measured = json.loads((folder / "difficulty.json").read_text())
    assert len(measured["difficulty"]) == SEEN
    # Stated .95 throughout: right or wrong is all that differs.
    assert {round(value, 6) for value in measured["difficulty"].values()} == {0.0025, 0.9025}
    said = f"difficulty of {SEEN} questions before training, confidence_error: mean 0."
    assert any(note.startswith(said) for note in told.notes)

    # By what the model says now, the order would be another one.
    server.script = lambda prompt: overconfident(prompt.replace("Number", "Numeral"))
    result = execute(folder)
    assert (result.resumed_from, result.step) == (2, 4)
    assert json.loads((folder / "difficulty.json").read_text()) == measured
    unguided = [prompt for prompt in server.prompts if "Guidance" not in prompt and "Number 10" not in prompt]
    assert len(unguided) == SEEN

    taught = [number(prompt) for prompt in server.prompts if "Guidance" in prompt and "Number 10" not in prompt]
    assert Counter(taught) == dict.fromkeys(set(taught), GENERATIONS)  # each question of the run in one batch alone
    hard = {number(prompt): "answer is B" in overconfident(prompt) for prompt in unguided}
    assert 0 < sum(hard.values()) < SEEN
    steps = [sum(hard[each] for each in taught[at : at + BATCH]) for at in range(0, len(taught), BATCH)]
    assert steps == sorted(steps)
    rows = metrics(folder)
    expected = [0.05**2 + (0.95**2 - 0.05**2) * wrong / BATCH for wrong in steps]
    assert [row["difficulty"] for row in rows] == pytest.approx(expected)

    assert result.published is not None
    provenance = json.loads((result.published / "provenance.json").read_text())
    assert provenance["config"]["curriculum"]["steps"] == 3
    assert provenance["difficulty"] == {
        "n": SEEN,
        "unmeasured": 0,
        "mean": pytest.approx(sum(measured["difficulty"].values()) / SEEN, abs=1e-6),
        "sha256": hashlib.sha256((folder / "difficulty.json").read_bytes()).hexdigest(),
    }
    card = " ".join((result.published / "card.md").read_text().split())
    assert "easy questions first by confidence error before training, from a share of 0.25 to all at step 3" in card


def test_a_stop_is_seen_between_few_requests_and_what_was_measured_stays(begin: Begin) -> None:
    told, server = Told(), ScriptedServer()

    def stops_the_run(prompt: str) -> Reply:
        told.stop.set()
        return overconfident(prompt)

    server.script = stops_the_run
    folder = begin(server, update=SHORT, curriculum=CURRICULUM, answer={"max_in_flight": 1})
    assert execute(folder, observer=told, stop=told.stop).stopped
    assert len(server.prompts) == 4 < SEEN
    assert len(json.loads((folder / "difficulty.json").read_text())["difficulty"]) == 4


def test_one_question_that_is_lost_in_a_small_part_ends_no_run(begin: Begin) -> None:
    told, server = Told(), ScriptedServer()

    def loses_the_first(prompt: str) -> Reply:
        if len(server.prompts) == SEEN:
            told.stop.set()
        return 503 if len(server.prompts) == 1 else overconfident(prompt)

    server.script = loses_the_first
    # One of the four of a part, and of the eight that there are.
    folder = begin(server, update=SHORT, curriculum=CURRICULUM, answer={"max_in_flight": 1, "max_lost_share": 0.2})
    assert execute(folder, observer=told, stop=told.stop).stopped
    kept = list(json.loads((folder / "difficulty.json").read_text())["difficulty"].values())
    assert (len(kept), kept.count(None)) == (SEEN, 1)


def test_difficulties_that_are_gone_end_a_run_that_has_begun(begin: Begin) -> None:
    folder = begin(ScriptedServer(), update=SHORT, curriculum=CURRICULUM)
    told = Told(stop_after=1)
    execute(folder, observer=told, stop=told.stop)
    file = folder / "difficulty.json"
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=f"lacks the difficulty of {SEEN} question.*begin a new one"):
        execute(folder)
    file.write_text(whole)
    assert execute(folder).step == 4


def test_measuring_goes_on_when_the_service_is_back(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.trainer.grpo.learning.difficulty._AT_ONCE", 4)
    server = ScriptedServer()

    def dies_after_four(prompt: str) -> Reply:
        return overconfident(prompt) if len(server.prompts) <= 4 else 503

    server.script = dies_after_four
    folder = begin(server, update=SHORT, curriculum=CURRICULUM, answer={"max_lost_share": 0.4})
    with pytest.raises(RunError, match=r"the difficulty of 4 of 8 questions could not be measured .*resume the run"):
        execute(folder)
    kept = json.loads((folder / "difficulty.json").read_text())["difficulty"]
    assert len(kept) == 4

    server.script = overconfident
    server.prompts.clear()
    told = Told()
    told.stop.set()  # stopped before the next part: nothing more is asked
    assert execute(folder, observer=told, stop=told.stop).stopped
    assert not server.prompts
    assert execute(folder).step == 4
    unguided = [prompt for prompt in server.prompts if "Guidance" not in prompt and "Number 10" not in prompt]
    assert len(unguided) == SEEN - 4
    assert json.loads((folder / "difficulty.json").read_text())["difficulty"].items() >= kept.items()
    assert len(server.prompts) >= SEEN - 4 + 4 * BATCH + 3 * VALIDATION


def number(prompt: str) -> str:
    found = re.search(r"Question: (.*)", prompt)
    assert found is not None
    return found[1]
