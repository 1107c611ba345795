"""One reply rests on one state of the registry, whatever becomes of that while the question is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.meaning import DEFAULT_JUDGE, open_wording
from prompt4trust.models import Completion, Cost, Decoding, Generation, Guidance, Sampling
from prompt4trust.picture_files import PREPARATION
from prompt4trust.pictures import PictureLimits
from prompt4trust.prompts import load_answer_template
from prompt4trust.selection import GuardArtifact
from services.common.pictures.pool import PicturePool, WorkerLimits
from services.common.registry.directory import Registry
from services.gateway.admission.adaptive_limit import FixedLimit
from services.gateway.admission.gate import Gate
from services.gateway.answering import pipeline as stages
from services.gateway.answering.decision import DecisionDefaults
from services.gateway.answering.familiarity import Familiarity, FamiliarityJudge, Looks
from services.gateway.answering.guidance.guidance_ahead import GuidanceAhead
from services.gateway.answering.models import Models
from services.gateway.answering.pipeline import Pipeline
from services.gateway.intake.intake import Intake
from services.gateway.intake.later import Later
from services.gateway.intake.picture_task import prepare_and_describe
from services.gateway.intake.query import Query
from services.gateway.intake.uploads import Uploads
from services.gateway.schemas import VqaReply
from services.gateway.shelves.calibrators import CalibratorShelf
from services.gateway.shelves.evidence import Evidence, Shelves
from services.gateway.shelves.guards import GuardShelf
from services.gateway.shelves.references import ReferenceShelf
from tests.services.gateway.answering.test_selection import ask, evidence, guarded, make_guard, said
from tests.services.gateway.answering.test_shift import PAIR, a_query, made_from, make_reference
from tests.services.gateway.conftest import MODEL, TEMPLATE, make_calibrator
from tests.services.gateway.upstream import Upstream

__all__ = ["evidence", "guarded"]

STAGES = ("ask", "evidence", "judge", "withheld_promise", "calibrate", "decide")


class Downstream:
    async def complete(self, *asked: Any, n: int = 1, top_logprobs: int | None = None) -> Generation:
        return Generation((Completion("The answer is B with confidence 95.", "stop"),), Cost())


class Policy:
    async def guide(self, *asked: Any, seed: int | None = None) -> Guidance:
        return Guidance("Weigh the border.", "policy-1", Cost())


def dated(artifact: Any, name: str, later: timedelta) -> Any:
    return artifact.model_copy(update={"name": name, "dataset": name, "created": artifact.created + later})


@cache
def made(generation: int, name: str, later: timedelta) -> tuple[CalibratorArtifact, GuardArtifact]:
    fitted = make_calibrator("cgp", "policy-1", right=0.99 - 0.01 * generation)
    calibrator: CalibratorArtifact = dated(fitted, name, later)
    guard: GuardArtifact = dated(make_guard(calibrator=calibrator), name, later)
    return calibrator, guard


class Publisher:
    """Publishes evidence, each time other evidence: calibrator, guard and reference of one generation."""

    def __init__(self, root: Path) -> None:
        self.registry = Registry(root)
        self.generation = 0
        self.reference = make_reference()

    def publish(self) -> None:
        self.generation += 1
        name, later = f"generation-{self.generation}", timedelta(days=self.generation)
        # Each generation corrects otherwise, so that its guard is of its calibrator alone.
        calibrator, guard = made(self.generation, name, later)
        self.registry.calibrators.publish(calibrator)
        self.registry.guards.publish(guard)
        self.registry.references.publish(dated(self.reference, name, later))


def make_pipeline(registry: Registry) -> Pipeline:
    pictures = PicturePool(prepare_and_describe, WorkerLimits())  # not started: these queries have their pictures
    return Pipeline(
        intake=Intake(("cgp",), PictureLimits(), 10**6, 10**6, 5.0, 5.0, Uploads(1), Uploads(1), pictures),
        models=Models(Downstream(), MODEL, Policy(), load_answer_template(TEMPLATE), Sampling(), PREPARATION),
        shelves=Shelves(
            CalibratorShelf(registry, 0), GuardShelf(registry, 0, 0.05), ReferenceShelf(registry, 0, 1), lambda _: None
        ),
        judge=FamiliarityJudge(1, PREPARATION, anyio.CapacityLimiter(1)),
        defaults=DecisionDefaults(0.5, 0.1, 0.9),
        alarm_withholds=True,
        gate=Gate(FixedLimit(1)),
        deadline_s=20,
    )


def generations(reply: VqaReply) -> set[str | None]:
    """The generations of everything that the reply says its promises rest on."""
    fitted, checked = reply.calibration.fitted_on, reply.decision_basis.evidence
    assert fitted is not None
    assert checked is not None
    assert reply.atypicality is not None
    said = {reply.calibration.calibrator, fitted.dataset, checked.guard, checked.dataset, reply.atypicality.reference}
    return set(said)


async def answer(pipeline: Pipeline, query: Query) -> VqaReply:
    await pipeline.shelves.refresh()
    with Later() as later:
        ahead = GuidanceAhead(pipeline.models.policy, later, pipeline.clock)
        return (await pipeline.answer_query(query, ahead)).reply(recorded=False)


def meddle(monkeypatch: pytest.MonkeyPatch, stage: str, act: Callable[[], None]) -> None:
    """Have something happen right behind a stage."""
    owner: Any = {"ask": Models, "evidence": Shelves, "judge": FamiliarityJudge}.get(stage, stages)
    real = getattr(owner, stage)

    async def then_act_async(*given: Any, **named: Any) -> Any:
        found = await real(*given, **named)
        act()
        return found

    def then_act(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        act()
        return found

    monkeypatch.setattr(owner, stage, then_act_async if stage in ("ask", "judge") else then_act)


@pytest.mark.parametrize("stage", STAGES)
async def test_a_reply_never_mixes_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish()
    pipeline = make_pipeline(publisher.registry)
    with ThreadPoolExecutor(1) as elsewhere:

        def publish_and_read() -> None:
            # As it happens: another request reads the registry in a thread, at any moment.
            publisher.publish()
            elsewhere.submit(anyio.run, partial(pipeline.shelves.refresh, at_once=True)).result(20)

        meddle(monkeypatch, stage, publish_and_read)
        reply = await answer(pipeline, a_query())
    assert pipeline.shelves.calibrators.names == ["generation-1", "generation-2"]
    assert reply.decision == "answer"
    assert reply.decision_basis.guarantee is True
    assert generations(reply) == {"generation-2" if stage == "ask" else "generation-1"}


async def test_a_guard_of_another_calibrator_guarantees_nothing(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish()
    pipeline = make_pipeline(publisher.registry)
    await pipeline.shelves.refresh()
    first = pipeline.shelves.evidence(PAIR)
    publisher.publish()
    await pipeline.shelves.refresh()
    second = pipeline.shelves.evidence(PAIR)
    assert first.fitting_guard is first.guard is not None
    assert second.fitting_guard is second.guard is not None
    for calibrator in (None, second.calibrator):
        mixed = replace(first, calibrator=calibrator)
        assert mixed.guard is not None
        assert mixed.fitting_guard is None


async def test_evidence_of_multiple_choice_promises_nothing_of_open_questions(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish()
    pipeline = make_pipeline(publisher.registry)
    await pipeline.shelves.refresh()
    wording = open_wording(PAIR.answer_template, DEFAULT_JUDGE)
    evidence = pipeline.shelves.evidence(PAIR.model_copy(update={"answer_template": wording}))
    assert (evidence.calibrator, evidence.guard, evidence.misfit, evidence.guard_misfit) == (None, None, None, None)


async def test_a_look_ahead_is_taken_for_the_very_reference_and_only_once_it_is_there(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.references.publish(make_reference())
    shelf, again = ReferenceShelf(registry, 0, 0.99), ReferenceShelf(registry, 0, 0.99)
    judge = FamiliarityJudge(0.99, PREPARATION, anyio.CapacityLimiter(1))

    async def judged(kind: str, of: ReferenceShelf, looking: asyncio.Future[Looks] | None = None) -> Familiarity:
        await of.refresh()
        return await judge.judge(a_query(kind), Evidence(PAIR, made_from("phantom-vqa"), None, of.content), looking)

    def found(looks: Looks) -> asyncio.Future[Looks]:
        future: asyncio.Future[Looks] = asyncio.get_running_loop().create_future()
        future.set_result(looks)
        return future

    usual, strange = await judged("disc", shelf), await judged("stripes", shelf)
    assert usual != strange
    looks = await judge.look(a_query("stripes"), shelf.content)
    assert await judged("stripes", shelf, found(looks)) == strange
    assert await judged("disc", shelf, found(looks)) == strange  # so it is taken
    assert await judged("disc", again, found(looks)) == usual  # and not for another of the same name
    begun: asyncio.Future[Looks] = asyncio.get_running_loop().create_future()
    assert await judged("disc", shelf, begun) == usual
    begun.set_exception(ValueError("a trait is missing"))
    assert await judged("disc", shelf, begun) == usual


def test_open_questions_have_evidence_of_their_own(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    evidence.guards.publish(make_guard("verbalized", None))
    wording = open_wording(TEMPLATE, DEFAULT_JUDGE)
    evidence.guards.publish(make_guard("verbalized", None, wording=wording, name="guard-open"))
    asked: dict[str, Any] = {"max_risk": 0.2, "method": "verbalized"}
    upstream.text = "The answer is pleural effusion with confidence 95."
    reply = ask(guarded, **asked, options=[])
    basis = reply["decision_basis"]
    assert (reply["decision"], basis["guarantee"], basis["evidence"]["guard"]) == ("answer", True, "guard-open")
    assert reply["answer"] == {"letter": None, "text": "pleural effusion"}
    upstream.text = "The answer is pleural effusion with confidence 60."
    reply = ask(guarded, **asked, options=[])
    assert (reply["decision"], reply["answer"]) == ("defer", None)
    upstream.text = said(95)
    assert ask(guarded, **asked)["decision_basis"]["evidence"]["guard"] == "guard-verbalized"


def test_an_open_answer_is_corrected_by_a_calibrator_of_open_questions(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    evidence.calibrators.publish(make_calibrator("verbalized", None))
    upstream.text = "The answer is pleural effusion with confidence 95."
    reply = ask(guarded, method="verbalized", options=[])
    assert reply["calibration"]["calibrated"] is False
    assert "no calibrator was fitted on open questions" in reply["calibration"]["reason"]
    assert reply["degraded"] == []
    of_choices = make_calibrator("verbalized", None)
    key = of_choices.key.model_copy(update={"answer_template": open_wording(TEMPLATE, DEFAULT_JUDGE)})
    warmer = key.model_copy(update={"decoding": Decoding.of(Sampling(temperature=0.7))})
    evidence.calibrators.publish(of_choices.model_copy(update={"key": warmer, "name": "warmer"}))
    reply = ask(guarded, method="verbalized", options=[])
    assert reply["calibration"]["reason"].startswith("no calibrator fits this answer: warmer was made from answers")
    assert reply["degraded"] == ["calibrator"]
    evidence.calibrators.publish(of_choices.model_copy(update={"key": key, "name": "of-open-questions"}))
    reply = ask(guarded, method="verbalized", options=[])
    assert (reply["calibration"]["calibrated"], reply["calibration"]["calibrator"]) == (True, "of-open-questions")
