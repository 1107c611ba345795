"""Questions unlike those that promises rest on: nothing is promised of their answers, over real HTTP."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from PIL import Image

from prompt4trust.picture_files import PREPARATION
from prompt4trust.pictures import PictureLimits, PreparedPicture, decode_picture
from prompt4trust.shift import Described, PictureAndWords, ReferenceArtifact, fit_reference
from prompt4trust.shift.levels import Levels
from prompt4trust.shift.stored.stored_levels import LevelsPart
from services.common.registry.directory import Registry
from services.gateway.answering.familiarity import Familiarity, FamiliarityJudge
from services.gateway.answering.promises import withheld_promise
from services.gateway.intake.query import Query
from services.gateway.question_schemas import Ask
from services.gateway.schemas import Atypicality
from services.gateway.shelves.calibrators import FittedCalibrator
from services.gateway.shelves.evidence import Evidence
from services.gateway.shelves.guards import Guard
from services.gateway.shelves.references import ReferenceShelf
from tests.prompt4trust.shift.questions import described, picture
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import whole_key

ASKED = {"question": "Which outline has the lesion?", "options": ["Round", "Oval", "Spiculated"]}
PAIR = whole_key(downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE)


def encoded(kind: str = "disc", seed: int = 5) -> str:
    buffer = BytesIO()
    picture(np.random.default_rng(seed), kind).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@cache
def make_reference() -> ReferenceArtifact:
    """Questions about bright discs, of the data that the calibrators here were fitted on."""
    return fit_reference(
        described(450),
        PictureAndWords(),
        name="discs",
        dataset="phantom-vqa",
        questions="sha256:" + "0" * 64,
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def reference() -> ReferenceArtifact:
    return make_reference()


def levels(scores: Sequence[float]) -> LevelsPart:
    return LevelsPart.of(Levels.of(scores, group=1))


@pytest.fixture
def evidence(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.97))
    registry.calibrators.publish(make_calibrator("verbalized", None))
    return registry


@pytest.fixture
def client(make_gateway: MakeGateway, upstream: Upstream, evidence: Registry) -> Iterator[httpx.Client]:
    with (
        make_gateway(registry=evidence.root, methods=("cgp", "verbalized", "consistency")) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


def ask(client: httpx.Client, kind: str = "disc", **changes: Any) -> dict[str, Any]:
    response = client.post("/vqa", json=body(**{"image": encoded(kind), **ASKED, **changes}))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_of_a_picture_unlike_the_checked_ones_nothing_is_promised(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact
) -> None:
    evidence.guards.publish(make_guard())
    before = ask(client, "stripes", max_risk=0.1)
    assert (before["decision"], before["decision_basis"]["guarantee"], before["atypicality"]) == ("answer", True, None)
    assert before["atypicality_reason"] == (
        "the registry has no reference of the questions that guard-cgp and platt-cgp was made from"
    )

    evidence.references.publish(reference)
    reply = ask(client, "stripes", max_risk=0.1)
    reason = (
        "the picture is unlike those that the confidence was checked on, more so than "
        "every one of the 300 different pictures of phantom-vqa that are kept for comparison"
    )
    assert reply["atypicality"].pop("parts")["picture"] == round(1 - 1 / 301, 4)
    assert reply["atypicality"] == {
        "score": round(1 - 2 / 301, 4), "limit": 0.99, "beyond": True, "reference": "discs", "n": 300, "reason": reason,
    }  # fmt: skip
    assert reply["atypicality_reason"] is None
    assert reply["decision"] == "defer"
    assert reply["decision_basis"] == {
        "rule": "risk-control", "threshold": None, "scale": "stated", "source": "max_risk", "max_risk": 0.1,
        "delta": None, "guarantee": False, "code": "atypical-input", "evidence": None, "groups": {},
        "reason": f"A person should answer: {reason}.",
    }  # fmt: skip
    # The correction was checked on other pictures: its result is not shown as if it held here.
    assert reply["calibration"] == {
        "calibrated": False, "calibrator": None, "stated_confidence": 0.95, "interval": None, "fitted_on": None,
        "reason": reason, "alarm": None, "groups": {},
    }  # fmt: skip
    assert reply["confidence"] == 0.95
    assert (reply["option_set"], reply["option_set_reason"]) == (None, f"no coverage is promised: {reason}")
    assert (reply["answer"], reply["guess"]) == (None, {"letter": "B", "text": "Oval"})
    assert reply["degraded"] == []

    # Nothing of that sticks to the next question, and the same one fares the same.
    after = ask(client, max_risk=0.1)
    assert (after["decision"], after["decision_basis"]["guarantee"]) == ("answer", True)
    assert after["calibration"]["calibrated"] is True
    assert after["confidence"] == before["confidence"]
    again = ask(client, "stripes", max_risk=0.1)
    assert again["atypicality"]["score"] == reply["atypicality"]["score"]
    assert again["decision_basis"] == reply["decision_basis"]


def test_what_is_like_the_checked_questions_is_answered_as_before(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact
) -> None:
    before = ask(client)
    evidence.references.publish(reference)
    after = ask(client)
    assert before["decision"] == "answer"
    found = after["atypicality"]
    assert 0 <= found["score"] < 0.99
    assert found["beyond"] is False
    assert set(found["parts"]) == {"picture", "words"}
    assert found["score"] == pytest.approx(max(0, 1 - 2 * (1 - max(found["parts"].values()))), abs=2.1e-4)
    assert found["reason"].startswith("nothing unusual: as a whole less out of the way than 99 % of the 300 questions")
    for name in ("id", "timing_ms", "atypicality", "atypicality_reason"):
        before.pop(name)
        after.pop(name)
    assert after == before


def test_questions_about_something_else_are_told_by_their_words(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact
) -> None:
    evidence.references.publish(reference)
    reply = ask(client, question="Which drug should be given first?", options=["Aspirin", "Heparin"])
    assert (reply["decision"], reply["decision_basis"]["code"]) == ("defer", "atypical-input")
    assert reply["decision_basis"]["rule"] == "confidence-threshold"
    assert reply["atypicality"]["reason"].startswith("the wording is unlike")
    assert reply["atypicality"]["parts"]["picture"] < 0.99


def test_without_evidence_or_options_there_is_nothing_to_compare_with(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact, upstream: Upstream
) -> None:
    evidence.references.publish(reference)
    nothing = "nothing is known that this answer's confidence was checked on"
    without: tuple[dict[str, Any], ...] = ({"options": []}, {"method": "consistency"})
    for changes in without:
        reply = ask(client, "stripes", **changes)
        assert (reply["atypicality"], reply["atypicality_reason"]) == (None, nothing)
        assert reply["decision_basis"]["code"] == "not-calibrated"
    # Without the policy the answer is another method's, with a calibrator of its own.
    upstream.policy = 500
    assert ask(client, "stripes")["decision_basis"]["code"] == "atypical-input"


def test_a_reply_without_a_verdict_says_so_first_and_promises_nothing_either(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact, upstream: Upstream
) -> None:
    evidence.guards.publish(make_guard())
    evidence.references.publish(reference)
    upstream.text = "I cannot tell."
    reply = ask(client, "stripes", max_risk=0.1)
    assert (reply["decision"], reply["decision_basis"]["code"]) == ("defer", "no-verdict")
    assert reply["decision_basis"]["guarantee"] is False
    assert reply["confidence"] is None
    assert reply["atypicality"]["beyond"] is True


def test_the_limit_is_the_operators_and_figures_are_kept(
    make_gateway: MakeGateway, upstream: Upstream, evidence: Registry, reference: ReferenceArtifact
) -> None:
    evidence.references.publish(reference)
    settings = {"registry": evidence.root, "atypicality_limit": 1.0}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = ask(client, "stripes")
        assert reply["decision"] == "answer"
        assert (reply["atypicality"]["beyond"], reply["atypicality"]["limit"]) == (False, 1.0)
        assert client.get("/v1/about").json()["atypicality_limit"] == 1.0
        assert client.get("/version").json()["references"] == ["discs"]
        metrics = client.get("/metrics").text
    assert 'gateway_atypicality_bucket{le="0.99",reference="discs"} 0.0' in metrics
    assert 'gateway_atypicality_count{reference="discs"} 1.0' in metrics


def test_a_spoilt_reference_is_none_and_the_reference_is_that_of_the_evidence(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact
) -> None:
    path = evidence.references.publish(reference)
    path.write_text(path.read_text().replace('"covariance": "', '"covariance": "AAAA'))
    assert ask(client, "stripes")["atypicality"] is None
    # Of data with another name: not what the calibrator was fitted on.
    evidence.references.publish(reference.model_copy(update={"dataset": "another"}))
    assert ask(client, "stripes")["decision"] == "answer"
    # Of the very answers that it was fitted on, whatever the name; then it comes before one of the same name.
    fitted = make_calibrator("cgp", "policy-1", right=0.97)
    exact = reference.model_copy(update={"name": "exact", "dataset": "another", "answers": [fitted.data_hash]})
    evidence.references.publish(exact)
    evidence.references.publish(reference.model_copy(update={"created": datetime(2026, 5, 1, tzinfo=UTC)}))
    assert ask(client, "stripes")["atypicality"]["reference"] == "exact"
    assert ask(client, "stripes", method="verbalized")["atypicality"]["reference"] == "discs"


def a_query(kind: str = "disc") -> Query:
    """The question of these tests about a picture, as intake makes it."""
    ask = Ask.model_validate({**ASKED, "method": "cgp"}, context={"methods": ("cgp",)})
    decoded = decode_picture(base64.b64decode(encoded(kind)), PictureLimits())
    descriptor = PictureAndWords()
    described_as = {descriptor.id: descriptor.describe(decoded.reduced, ask.question, ask.options)}
    return Query(ask, PreparedPicture.of(decoded), There(described_as), "id", False, None, 0.0)


class There(Awaitable[Mapping[str, Described]]):
    """A description that is there already."""

    def __init__(self, described: Mapping[str, Described]) -> None:
        self._described = described

    def __await__(self) -> Generator[None, None, Mapping[str, Described]]:
        yield from ()
        return self._described


def made_from(dataset: str, name: str = "platt", *, digit: str = "5") -> FittedCalibrator:
    """A calibrator made from answers that no reference is of, on data of a name."""
    changes = {"name": name, "dataset": dataset, "data_hash": "sha256:" + digit * 64}
    artifact = make_calibrator("cgp", "policy-1").model_copy(update=changes)
    return FittedCalibrator(artifact, artifact.calibrator())


async def test_the_newest_of_a_name_counts_and_the_worst_of_several(
    tmp_path: Path, reference: ReferenceArtifact
) -> None:
    registry = Registry(tmp_path)
    newer = {"dataset": "one", "name": "a-newer-one", "created": datetime(2026, 3, 1, tzinfo=UTC)}
    for changes in ({"dataset": "one"}, newer, {"dataset": "two", "name": "other"}):
        registry.references.publish(reference.model_copy(update=changes))
    shelf = ReferenceShelf(registry, 0, 0.99)
    await shelf.refresh()
    judge, query = FamiliarityJudge(0.99, PREPARATION, anyio.CapacityLimiter(1)), a_query("stripes")
    on_one = Evidence(PAIR, made_from("one"), None, shelf.content)
    found = (await judge.judge(query, on_one)).atypicality
    assert found is not None
    assert found.reference == "a-newer-one"
    guard = make_guard(name="guard").model_copy(update={"dataset": "two", "data_hash": "sha256:" + "6" * 64})
    on_both = replace(on_one, guard=Guard(guard, guard.risk_rule(0.05), None, None))
    found = (await judge.judge(query, on_both)).atypicality
    assert found is not None
    assert found.reference == "other"  # as unlike as the first: the last by name, always the same one
    on_three = Evidence(PAIR, made_from("three", "guard"), None, shelf.content)
    assert await judge.judge(query, on_three) == Familiarity(
        None, "the registry has no reference of the questions that guard was made from"
    )


def test_nothing_is_promised_while_the_reference_cannot_be_read(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact
) -> None:
    """A question that is unlike all others must not be answered because a disk has lost what tells it from them."""
    file = evidence.references.publish(reference)
    assert ask(client, "stripes")["decision_basis"]["code"] == "atypical-input"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    for kind in ("stripes", "disc"):
        reply = ask(client, kind)
        assert (reply["decision"], reply["decision_basis"]["code"]) == ("defer", "atypicality-unknown")
        assert reply["calibration"]["calibrated"] is False
        assert reply["calibration"]["reason"] == "the registry's reference inputs in discs.json cannot be read"
        assert (reply["atypicality"], reply["option_set"]) == (None, None)
    file.write_bytes(whole)
    assert ask(client)["calibration"]["calibrated"] is True


async def test_a_reference_too_small_for_the_limit_never_says_that_nothing_is_unusual(
    tmp_path: Path, reference: ReferenceArtifact
) -> None:
    """Forty pictures: nothing can be more atypical than 1 - 2 / 41 by them, whatever is shown."""
    picture_part = reference.parts["picture"].model_copy(update={"levels": levels(range(40))})
    registry = Registry(tmp_path)
    registry.references.publish(reference.model_copy(update={"parts": {**reference.parts, "picture": picture_part}}))
    shelf = ReferenceShelf(registry, 0, 0.99)
    await shelf.refresh()
    evidence = Evidence(PAIR, made_from("phantom-vqa"), None, shelf.content)

    async def judged(limit: float, query: Query) -> Familiarity:
        return await FamiliarityJudge(limit, PREPARATION, anyio.CapacityLimiter(1)).judge(query, evidence)

    for kind in ("disc", "stripes"):
        found = await judged(0.99, a_query(kind))
        unknown = "the reference inputs discs are too few to tell what is beyond 0.99: at most 0.9512"
        assert replace(found, signals={}) == Familiarity(None, unknown, is_lost=True)
        assert list(found.signals) == [small.signal for small in evidence.references]
        withheld = withheld_promise(evidence, found, alarm_withholds=True)
        assert withheld is not None
        assert withheld.code == "atypicality-unknown"
    # What its words tell all the same counts, and a limit that it reaches is judged by; at 1 nothing is withheld.
    strange = {"picture-and-words@2": PictureAndWords().describe(None, "Who won the match yesterday?", {})}
    seen = (await a_query().described)["picture-and-words@2"]
    odd = {name: replace(each, traits={**seen.traits, **each.traits}) for name, each in strange.items()}
    told = (await judged(0.99, replace(a_query(), described=There(odd)))).atypicality
    assert told is not None
    assert told.beyond
    for limit in (0.95, 1.0):
        usual = (await judged(limit, a_query())).atypicality
        assert usual is not None
        assert not usual.beyond
        assert "of the 300 questions of phantom-vqa, about 40 different pictures, that are kept" in usual.reason


async def test_a_reference_that_comes_while_a_question_is_asked_lets_none_through(
    tmp_path: Path, reference: ReferenceArtifact
) -> None:
    """It was not described, so nobody knows how unlike it is."""
    registry = Registry(tmp_path)
    registry.references.publish(reference)
    shelf = ReferenceShelf(registry, 0, 0.99)
    await shelf.refresh()
    evidence = Evidence(PAIR, made_from("phantom-vqa"), None, shelf.content)
    judge, query = FamiliarityJudge(0.99, PREPARATION, anyio.CapacityLimiter(1)), a_query("stripes")
    familiarity = await judge.judge(replace(query, described=There({})), evidence)
    assert familiarity == Familiarity(None, "the reference inputs discs came while it was asked", is_lost=True)
    withheld = withheld_promise(evidence, familiarity, alarm_withholds=True)
    assert withheld is not None
    assert withheld.code == "atypicality-unknown"
    assert (await judge.judge(query, evidence)).atypicality is not None


def test_a_standing_alarm_withholds_as_well() -> None:
    unlike = Familiarity(None, "not known")
    reason = "answers since 1 May were right less often than their confidence says"
    withheld = withheld_promise(Evidence(PAIR, alarm=reason), unlike, alarm_withholds=True)
    assert withheld is not None
    assert (withheld.code, withheld.reason) == ("calibration-alarm", reason)
    assert withheld_promise(Evidence(PAIR), unlike, alarm_withholds=True) is None
    assert withheld_promise(Evidence(PAIR, alarm=reason), unlike, alarm_withholds=False) is None
    beyond = Atypicality(score=1.0, limit=0.99, beyond=True, reference="r", n=9, parts={}, reason="it is unlike")
    withheld = withheld_promise(Evidence(PAIR, alarm=reason), Familiarity(beyond), alarm_withholds=True)
    assert withheld is not None
    assert (withheld.code, withheld.reason) == ("atypical-input", "it is unlike")


async def test_the_reason_counts_the_questions_that_are_as_unlike(tmp_path: Path, reference: ReferenceArtifact) -> None:
    # Scores of the held-out questions such that exactly two of them are as far away as any picture can be.
    scores = [0.0] * 298 + [1e6] * 2
    picture_part = reference.parts["picture"].model_copy(update={"levels": levels(scores)})
    registry = Registry(tmp_path)
    registry.references.publish(reference.model_copy(update={"parts": {**reference.parts, "picture": picture_part}}))
    shelf = ReferenceShelf(registry, 0, 0.97)
    await shelf.refresh()
    evidence = Evidence(PAIR, made_from("phantom-vqa"), None, shelf.content)
    found = (await FamiliarityJudge(0.97, PREPARATION, anyio.CapacityLimiter(1)).judge(a_query(), evidence)).atypicality
    assert found is not None
    assert found.parts["picture"] == round(1 - 3 / 301, 4)
    assert "on, as are at most 2 of the 300 different pictures of phantom-vqa" in found.reason


def test_a_colour_picture_of_any_size_is_described(
    client: httpx.Client, evidence: Registry, reference: ReferenceArtifact
) -> None:
    evidence.references.publish(reference)
    for size in ((8, 9), (1500, 40)):
        buffer = BytesIO()
        Image.new("RGB", size, (250, 90, 10)).save(buffer, "JPEG")
        reply = ask(client, image=base64.b64encode(buffer.getvalue()).decode())
        assert reply["atypicality"]["beyond"] is True
