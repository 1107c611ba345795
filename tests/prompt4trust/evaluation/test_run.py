"""The prediction run: concurrency, failures, resuming, and refusing to mix configurations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from PIL import Image

from prompt4trust.datasets import Dataset
from prompt4trust.estimators import get_estimator
from prompt4trust.estimators.base import Answer, Estimator
from prompt4trust.evaluation import (
    ManifestError,
    Prediction,
    Progress,
    RunAbandonedError,
    RunManifest,
    evaluate,
    read_predictions,
)
from prompt4trust.models import Decoding, Generation, Sampling, TransportError
from prompt4trust.picture_files import PREPARATION, data_url
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question
from prompt4trust.shift import PictureAndWords, QuestionTypicality, fit_reference
from prompt4trust.verdict import Verdict
from tests.prompt4trust.shift.questions import described
from tests.support.calibration_keys import decodings, whole_key
from tests.support.models import ScriptedDownstream, ScriptedPolicy, overconfident

TEMPLATE = load_template("answer-compact@1")
OPTIONS = {"A": "x", "B": "y"}
QUESTIONS = [Question(f"q{i}", f"Number {i}?", OPTIONS, "A") for i in range(12)]


def estimators(downstream: ScriptedDownstream, policy: ScriptedPolicy | None = None) -> list[Estimator]:
    return [
        get_estimator(name, downstream, policy or ScriptedPolicy(), TEMPLATE, Sampling())
        for name in ("verbalized", "cgp")
    ]


def manifest(questions: Sequence[Question] = QUESTIONS, **changes: object) -> RunManifest:
    described = RunManifest.describe(
        Dataset("numbers", tuple(questions)),
        ("verbalized", "cgp"),
        downstream="scripted",
        policy="policy-1",
        template=TEMPLATE,
        sampling=Sampling(),
        created=datetime(2026, 1, 2, tzinfo=UTC),
        decoding=decodings("verbalized", "cgp"),
    )
    return described.model_copy(update=changes)


def test_a_run_names_the_key_of_each_estimator_s_confidence() -> None:
    run = RunManifest.model_validate_json(manifest().model_dump_json())
    named = {"downstream": "scripted", "answer_template": TEMPLATE.id}
    assert run.calibration_key("cgp") == whole_key(estimator="cgp", policy="policy-1", **named)
    assert run.calibration_key("verbalized") == whole_key(estimator="verbalized", policy=None, **named)
    # The guesses are asked for by a wording of their own, and votes may end early.
    assert run.calibration_key("top-k").answer_template == "guesses-standard@1"
    stopping = run.model_copy(update={"decoding": decodings("cgp+vote", "cgp+consistency")})
    keys = [stopping.calibration_key(name) for name in ("cgp+vote", "cgp+consistency")]
    assert keys[0].decoding is not None
    assert keys[0].decoding.line.endswith("21 samples, stopped at an error of 0.02, counted by vote-and-stated-1")
    assert not {"stop_error", "counted"} & set(keys[1].model_dump()["decoding"])
    assert [each.decoding for each in keys] == [
        type(each).model_validate_json(each.model_dump_json()).decoding for each in keys
    ]
    stop, counted = keys[0].differences(keys[1])
    assert (stop, counted) == ("stop_error 0.02 there, none here", "counted vote-and-stated-1 there, none here")
    stored = json.loads(run.model_dump_json())
    del stored["decoding"], stored["picture_preparation"]
    old = RunManifest.model_validate(stored)
    assert not old.calibration_key("cgp").is_whole
    assert [line.partition(":")[0] for line in run.differences(old)] == ["decoding", "picture_preparation"]


async def test_every_question_goes_to_every_estimator(tmp_path: Path) -> None:
    downstream = ScriptedDownstream(overconfident)
    seen: list[Progress] = []
    rows = await evaluate(QUESTIONS, estimators(downstream), tmp_path, manifest(), concurrency=5, observe=seen.append)
    assert [row.key for row in rows] == [(q.id, name) for q in QUESTIONS for name in ("verbalized", "cgp")]
    assert len(downstream.asked) == 24
    assert {row.key: row for row in read_predictions(tmp_path)} == {row.key: row for row in rows}
    assert (seen[0], seen[-1]) == (Progress(24, 0, 0, 0), Progress(24, 24, 0, 0))
    cgp = rows[1]
    assert cgp.guidance is not None
    assert cgp.guidance.version == "policy-1"
    assert cgp.cost.calls == 2


class Short:
    """Gives the answer of another method, since it lost a look."""

    name, needs_policy, decoding = "cgp+picture", True, Decoding.of(Sampling())

    async def answer(self, *_: object) -> Answer:
        lost = TransportError("downstream", "it is away", status=503)
        return Answer(Verdict("A", 0.9), "A, 90", "cgp+logprob", lost=lost)


async def test_an_answer_without_its_second_look_is_a_failure(tmp_path: Path) -> None:
    [row] = await evaluate(QUESTIONS[:1], [Short()], tmp_path, manifest(QUESTIONS[:1]))
    assert (row.estimator, row.answer) == ("cgp+picture", None)
    assert row.failure is not None
    assert (row.failure.service, row.failure.status) == ("downstream", 503)


async def test_second_looks_that_are_always_lost_end_the_run_early(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with pytest.raises(RunAbandonedError, match=r"last 5 requests all failed, .*: downstream: it is away"):
        await evaluate(QUESTIONS, [Short()], tmp_path, manifest(), concurrency=1, give_up_after=5, observe=seen.append)
    assert seen[-1].failed == 5


async def test_concurrency_is_used_and_bounded(tmp_path: Path) -> None:
    class Gate(ScriptedDownstream):
        """Lets requests go only when as many are in flight as there may be."""

        now = most = 0
        full = anyio.Event()

        async def complete(self, *args: object, **kwargs: object) -> Generation:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == 4:
                self.full.set()
            await self.full.wait()
            self.now -= 1
            return await super().complete(*args, **kwargs)  # type: ignore[arg-type]

    downstream = Gate(overconfident)
    with anyio.fail_after(10):
        await evaluate(QUESTIONS, estimators(downstream), tmp_path, manifest(), concurrency=4)
    assert downstream.most == 4


async def test_a_finished_run_asks_nothing_again(tmp_path: Path) -> None:
    first = await evaluate(QUESTIONS, estimators(ScriptedDownstream(overconfident)), tmp_path, manifest())
    again = ScriptedDownstream(overconfident)
    later = manifest(created=datetime(2027, 1, 1, tzinfo=UTC), notes={"downstream address": "elsewhere"})
    assert await evaluate(QUESTIONS, estimators(again), tmp_path, later) == first
    assert again.asked == []


async def test_a_model_that_changed_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    first = ScriptedDownstream(overconfident)
    await evaluate(QUESTIONS[:5], estimators(first), tmp_path, manifest(), recheck=True)
    assert len(first.asked) == 10
    changed = ScriptedDownstream(lambda prompt: overconfident(prompt).replace("95", "90"))
    with pytest.raises(RunAbandonedError, match="verbalized no longer replies to question q0 as it did"):
        await evaluate(QUESTIONS, estimators(changed), tmp_path, manifest(), recheck=True)
    assert len(changed.asked) == 1
    same = ScriptedDownstream(overconfident)
    assert len(await evaluate(QUESTIONS, estimators(same), tmp_path, manifest(), recheck=True)) == 24
    assert len(same.asked) == 14 + 2


async def test_a_failure_is_kept_apart_and_asked_again(tmp_path: Path) -> None:
    def flaky(prompt: str) -> str | Exception:
        return TransportError("downstream", "503", status=503) if "Number 3?" in prompt else overconfident(prompt)

    seen: list[Progress] = []
    rows = await evaluate(QUESTIONS, estimators(ScriptedDownstream(flaky)), tmp_path, manifest(), observe=seen.append)
    assert [row.id for row in rows if row.failure] == ["q3", "q3"]
    assert seen[-1] == Progress(24, 22, 2, 0)
    healthy = ScriptedDownstream(overconfident)
    rows = await evaluate(QUESTIONS, estimators(healthy), tmp_path, manifest())
    assert not any(row.failure for row in rows)
    assert len(healthy.asked) == 2


async def test_a_server_that_is_away_ends_the_run_early(tmp_path: Path) -> None:
    dead = ScriptedDownstream(lambda _: TransportError("downstream", "refused"))
    many = [replace(QUESTIONS[0], id=f"q{i}") for i in range(500)]
    with pytest.raises(RunAbandonedError, match="last 20 requests all failed, the last one with: downstream: refused"):
        await evaluate(many, estimators(dead), tmp_path, manifest(many), concurrency=8, give_up_after=20)
    assert len(dead.asked) < 40


async def test_a_bug_ends_the_run_as_itself_and_keeps_what_was_done(tmp_path: Path) -> None:
    def broken(prompt: str) -> str | Exception:
        return ZeroDivisionError("bug") if "Number 7?" in prompt else overconfident(prompt)

    with pytest.raises(ZeroDivisionError, match="bug"):
        await evaluate(QUESTIONS, estimators(ScriptedDownstream(broken)), tmp_path, manifest(), concurrency=1)
    assert len(read_predictions(tmp_path)) == 14


async def test_a_cancelled_run_keeps_what_was_done_and_goes_on(tmp_path: Path) -> None:
    class Stuck(ScriptedDownstream):
        async def complete(self, *args: object, **kwargs: object) -> Generation:
            if len(self.asked) == 9:
                scope.cancel()
                await anyio.sleep_forever()
            return await super().complete(*args, **kwargs)  # type: ignore[arg-type]

    with anyio.CancelScope() as scope:
        await evaluate(QUESTIONS, estimators(Stuck(overconfident)), tmp_path, manifest(), concurrency=3)
    assert len(read_predictions(tmp_path)) == 9
    rest = ScriptedDownstream(overconfident)
    assert len(await evaluate(QUESTIONS, estimators(rest), tmp_path, manifest())) == 24
    assert len(rest.asked) == 15


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"downstream": "other"}, "downstream: scripted there, other now"),
        ({"policy": "policy-2"}, "policy: policy-1 there, policy-2 now"),
        ({"data_hash": "0"}, "data_hash: .* there, 0 now"),
        ({"estimators": ("verbalized",)}, "estimators: "),
        ({"template": "answer-compact@2 (x)"}, "template: answer-compact@1 .* there"),
        ({"sampling": {"temperature": 1.0}}, "sampling: "),
        ({"software": "trustvqa 99"}, "software: "),
    ],
)
async def test_another_configuration_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    await evaluate(QUESTIONS, estimators(ScriptedDownstream(overconfident)), tmp_path, manifest())
    asked = ScriptedDownstream(overconfident)
    with pytest.raises(ManifestError, match=f"(?s)another configuration.*{said}"):
        await evaluate(QUESTIONS, estimators(asked), tmp_path, manifest().model_copy(update=change))
    assert asked.asked == []


async def test_predictions_of_unknown_origin_are_not_added_to(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_bytes(Prediction(id="q0", estimator="cgp", answer="A", confidence=1).line())
    with pytest.raises(ManifestError, match=r"no run\.json"):
        await evaluate(QUESTIONS, estimators(ScriptedDownstream(overconfident)), tmp_path, manifest())
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ManifestError, match="not a run's manifest"):
        await evaluate(QUESTIONS, estimators(ScriptedDownstream(overconfident)), tmp_path, manifest())


async def test_a_policy_that_changes_under_way_is_noticed(tmp_path: Path) -> None:
    policy = ScriptedPolicy("policy-2")
    with pytest.raises(RunAbandonedError, match="policy changed from policy-1 to policy-2"):
        await evaluate(QUESTIONS, estimators(ScriptedDownstream(overconfident), policy), tmp_path, manifest())


async def test_ids_given_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unique"):
        await evaluate([QUESTIONS[0]] * 2, estimators(ScriptedDownstream(overconfident)), tmp_path, manifest())


async def test_pictures_are_read_once_a_question_and_sent_as_they_are(tmp_path: Path) -> None:
    Image.new("L", (40, 40), 7).save(tmp_path / "a.png")
    questions = [replace(QUESTIONS[0], image=tmp_path / "a.png"), replace(QUESTIONS[1], image=tmp_path / "gone.png")]
    downstream = ScriptedDownstream(overconfident)
    rows = await evaluate(questions, estimators(downstream), tmp_path / "run", manifest(questions))
    urls = Counter(message[-1]["content"][0]["image_url"]["url"] for message in downstream.asked)
    assert urls == {data_url(tmp_path / "a.png"): 2}
    failures = [row.failure for row in rows if row.id == "q1"]
    assert [failure.service for failure in failures if failure] == ["image", "image"]


async def test_how_near_questions_are_is_recorded_beside_their_answers(tmp_path: Path) -> None:
    reference = fit_reference(
        described(300, pictures=False),
        PictureAndWords(),
        name="words",
        dataset="others",
        questions="sha256:" + "0" * 64,
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    )
    near = QuestionTypicality(reference)
    run = manifest(typicality=near.signal)
    models = estimators(ScriptedDownstream(overconfident))
    with pytest.raises(ValueError, match="typicality"):
        await evaluate(QUESTIONS, models, tmp_path, manifest(), typicality=near)
    rows = await evaluate(QUESTIONS, models, tmp_path, run, typicality=near)
    for row in rows:
        question = next(each for each in QUESTIONS if each.id == row.id)
        assert row.signals[near.signal] == near.signals(question)[near.signal]
    with pytest.raises(ManifestError, match="typicality"):  # the rows of a run are of one kind
        await evaluate(QUESTIONS, models, tmp_path, manifest())
