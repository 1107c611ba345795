"""Deferral with a guarantee and option sets, over real HTTP, from evidence in the registry."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.selection import CheckedAnswer, GuardArtifact, fit_guard
from services.common.registry.directory import Registry
from services.gateway.shelves.guards import GuardShelf
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway, make_calibrator, picture
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import whole_key

CHECKED = {0.95: 0.95, 0.8: 0.75, 0.6: 0.5}
"""Stated confidence -> share of right answers in the evidence, a third of the questions each."""


def said(confidence: int) -> str:
    return f"The answer is B with confidence {confidence}."


def make_guard(
    estimator: str = "cgp",
    policy: str | None = "policy-1",
    *,
    n: int = 1500,
    calibrator: CalibratorArtifact | None = None,
    options: bool = False,
    wording: str = TEMPLATE,
    **changes: Any,
) -> GuardArtifact:
    """Evidence of answers whose stated confidence says a good deal; with options, of groups easy and hard."""
    answers = []
    for index in range(n):
        stated, share = list(CHECKED.items())[index % 3]
        group = ("easy", "hard")[index % 2]
        # Of a hundred questions at a confidence a fixed number is right, so that nothing here is up to chance.
        right = (index // 6 * 37) % 100 < 100 * share
        # The right option of an easy question has a high probability; that of a hard one often none at all.
        sure = 0.9 if group == "easy" or index % 5 else 0.0
        confidence = stated if calibrator is None else round(float(calibrator.calibrator().apply(stated)), 4)
        probabilities = {"A": sure, "B": 1 - sure} if options else {}
        answers.append(CheckedAnswer(f"q{index}", confidence, right, "A", probabilities, {"family": group}))
    arguments: dict[str, Any] = {"name": f"guard-{estimator.replace('+', '-')}", "ties": "together", **changes}
    return fit_guard(
        answers,
        key=whole_key(downstream=MODEL, policy=policy, estimator=estimator, answer_template=wording),
        dataset="phantom-vqa",
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        calibrator=calibrator,
        **arguments,
    )


@pytest.fixture
def evidence(tmp_path: Path) -> Registry:
    """A registry of this test's own, with a calibrator."""
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    return registry


@pytest.fixture
def guarded(make_gateway: MakeGateway, upstream: Upstream, evidence: Registry) -> Iterator[httpx.Client]:
    """A gateway on that registry."""
    methods = ("cgp", "verbalized", "consistency")
    with make_gateway(registry=evidence.root, methods=methods) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def ask(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/vqa", json=body(**changes))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_guarantee_decides_and_says_what_it_rests_on(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    guard = make_guard()
    evidence.guards.publish(guard)
    reply = ask(guarded, max_risk=0.1)
    basis = reply["decision_basis"]
    limit = guard.risk_rule(0.05).at(0.1)
    assert limit is not None
    assert reply["decision"] == "answer"
    assert basis.pop("reason") == (
        f"The stated confidence 0.95 reaches 0.95, from which on at most 10 % of the answers are wrong, with 95 % "
        f"certainty ({limit.accepted} such answers were checked, {limit.errors} of them wrong; about "
        f"{100 * limit.accepted / guard.rows:.3g} % of questions get one)."
    )
    assert basis == {
        "rule": "risk-control",
        "threshold": 0.95,
        "scale": "stated",
        "source": "max_risk",
        "max_risk": 0.1,
        "delta": 0.05,
        "guarantee": True,
        "code": "confident-enough",
        "evidence": {
            "guard": "guard-cgp",
            "unit": "question",
            "n": 1350,
            "accepted": limit.accepted,
            "errors": limit.errors,
            "error_bound": round(limit.bound, 4),
            "expected_coverage": round(limit.accepted / 1350, 4),
            "share_at_threshold": 1.0,
            "least_risk": round(guard.risk_rule(0.05).least_risk, 4),
            "dataset": "phantom-vqa",
            "date": "2026-01-02",
        },
        "groups": {},
    }
    assert limit.bound <= 0.1
    assert reply["calibration"]["calibrated"] is True

    upstream.text = said(80)
    reply = ask(guarded, max_risk=0.1)
    assert (reply["decision"], reply["decision_basis"]["code"]) == ("defer", "not-confident-enough")
    assert "the stated confidence 0.8 is below 0.95" in reply["decision_basis"]["reason"]
    reply = ask(guarded, max_risk=0.25)
    assert (reply["decision"], reply["decision_basis"]["threshold"]) == ("answer", 0.8)
    upstream.text = said(3)
    reply = ask(guarded, max_risk=1)
    assert (reply["decision"], reply["decision_basis"]["threshold"]) == ("answer", 0.0)


def test_evidence_says_where_no_two_questions_were_about_one_picture(guarded: httpx.Client, evidence: Registry) -> None:
    evidence.guards.publish(make_guard().model_copy(update={"unit": "picture", "left_out": 3}))
    basis = ask(guarded, max_risk=0.1)["decision_basis"]
    assert basis["evidence"]["unit"] == "picture"
    assert f"({basis['evidence']['accepted']} such answers about as many pictures were checked" in basis["reason"]


def test_where_nothing_can_be_promised_everything_defers_and_the_reply_says_so(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    evidence.guards.publish(make_guard())
    upstream.text = said(100)
    for max_risk in (0, 0.01):
        reply = ask(guarded, max_risk=max_risk)
        basis = reply["decision_basis"]
        assert (reply["decision"], basis["code"], basis["threshold"]) == ("defer", "risk-not-achievable", None)
        assert basis["guarantee"] is True
        assert basis["evidence"]["expected_coverage"] == 0
        assert "every question at this risk" in basis["reason"]
        assert f"{100 * basis['evidence']['least_risk']:.2g}" in basis["reason"]


def test_a_reply_without_a_verdict_defers_whatever_risk_is_accepted(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    evidence.guards.publish(make_guard())
    upstream.text = "I cannot tell."
    reply = ask(guarded, max_risk=1)
    assert (reply["decision"], reply["decision_basis"]["code"]) == ("defer", "no-verdict")
    assert reply["decision_basis"]["guarantee"] is True


def test_without_evidence_for_the_models_a_threshold_decides_and_promises_nothing(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    evidence.guards.publish(make_guard("verbalized", None))
    basis = ask(guarded, max_risk=0.6)["decision_basis"]
    assert (basis["rule"], basis["guarantee"], basis["evidence"]) == ("confidence-threshold", False, None)
    assert ask(guarded, max_risk=0.6, method="verbalized")["decision_basis"]["guarantee"] is True
    # An open question is not what the evidence is about.
    basis = ask(guarded, max_risk=0.6, method="verbalized", options=[])["decision_basis"]
    assert (basis["guarantee"], basis["code"]) == (False, "not-calibrated")
    # Without the policy the answer is another method's: so is the evidence.
    upstream.policy = 500
    basis = ask(guarded, max_risk=0.6)["decision_basis"]
    assert (basis["guarantee"], basis["evidence"]["guard"]) == (True, "guard-verbalized")


def test_without_a_named_risk_the_default_decides(
    make_gateway: MakeGateway, guarded: httpx.Client, evidence: Registry
) -> None:
    evidence.guards.publish(make_guard())
    basis = ask(guarded)["decision_basis"]
    assert (basis["rule"], basis["threshold"], basis["source"]) == ("confidence-threshold", 0.5, "default")
    with (
        make_gateway(registry=evidence.root, max_risk=0.1, risk_delta=0.2) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        basis = ask(client)["decision_basis"]
        assert (basis["rule"], basis["source"], basis["max_risk"]) == ("risk-control", "default", 0.1)
        assert (basis["delta"], basis["guarantee"]) == (0.2, True)
        assert "with 80 % certainty" in basis["reason"]
        about = client.get("/v1/about").json()
        assert (about["max_risk"], about["risk_delta"], about["coverage"]) == (0.1, 0.2, 0.9)


def test_evidence_is_taken_up_while_it_runs_and_a_spoilt_file_is_not(guarded: httpx.Client, evidence: Registry) -> None:
    assert ask(guarded, max_risk=0.1)["decision_basis"]["guarantee"] is False
    path = evidence.guards.publish(make_guard())
    assert ask(guarded, max_risk=0.1)["decision_basis"]["guarantee"] is True
    assert guarded.get("/version").json()["guards"] == ["guard-cgp"]
    (path.parent / "spoilt.json").write_text("{")
    assert ask(guarded, max_risk=0.1)["decision_basis"]["guarantee"] is True
    newer = make_guard(name="newer").model_copy(update={"created": datetime(2026, 1, 2, tzinfo=UTC) + timedelta(1)})
    evidence.guards.publish(newer)
    assert ask(guarded, max_risk=0.1)["decision_basis"]["evidence"]["guard"] == "newer"
    for file in path.parent.iterdir():
        file.unlink()
    assert ask(guarded, max_risk=0.1)["decision_basis"]["guarantee"] is False


def test_evidence_that_is_shipped_reaches_an_empty_registry(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    shipped = Registry(tmp_path / "shipped")
    shipped.guards.publish(make_guard())
    with make_gateway(registry=tmp_path / "empty", shipped=shipped.root) as url:
        assert httpx.get(f"{url}/version").json()["guards"] == ["guard-cgp"]
        with httpx.Client(base_url=url, timeout=20) as client:
            assert ask(client, max_risk=0.1)["decision_basis"]["guarantee"] is True


def test_thresholds_of_a_calibrated_confidence_are_for_that_calibrator_alone(
    guarded: httpx.Client, evidence: Registry
) -> None:
    fitted = make_calibrator("cgp", "policy-1")
    evidence.guards.publish(make_guard(calibrator=fitted))
    reply = ask(guarded, max_risk=0.1)
    assert reply["decision_basis"]["scale"] == "calibrated"
    assert reply["decision_basis"]["threshold"] == reply["confidence"]
    assert reply["decision"] == "answer"
    # Refitted under its old name it is another calibrator.
    evidence.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.8))
    assert ask(guarded, max_risk=0.1)["decision_basis"]["guarantee"] is False


def test_equally_confident_answers_are_told_apart_the_same_way_every_time(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    guard = make_guard(ties="split")
    evidence.guards.publish(guard)
    upstream.text = said(80)
    limit = guard.risk_rule(0.05).at(0.14)
    assert limit is not None
    assert limit.confidence == 0.8
    assert 0.2 < limit.share_at_limit < 0.8
    n = 80
    decisions = [ask(guarded, max_risk=0.14, question=f"Which shape has number {i}?")["decision"] for i in range(n)]
    expected = limit.share_at_limit * n
    assert abs(decisions.count("answer") - expected) < 4 * (expected * (1 - limit.share_at_limit)) ** 0.5
    place = decisions.index("defer")
    again = ask(guarded, max_risk=0.14, question=f"Which shape has number {place}?")
    assert again["decision"] == "defer"
    assert "is on the border" in again["decision_basis"]["reason"]
    assert again["decision_basis"]["evidence"]["share_at_threshold"] == round(limit.share_at_limit, 4)


def test_an_option_set_holds_what_the_evidence_says(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    none = ask(guarded)
    assert (none["option_set"], none["option_set_reason"]) == (
        None,
        "the method cgp gave no probability for each of the options",
    )
    none = ask(guarded, method="consistency")
    assert none["option_set"] is None
    assert "no option sets were fitted" in none["option_set_reason"]

    evidence.guards.publish(make_guard("consistency", None, options=True))
    reply = ask(guarded, method="consistency", coverage=0.85, max_risk=0.1)  # of a deferral one option is not told
    assert reply["option_set"] == {
        "letters": ["B"],
        "coverage": 0.85,
        "guarantee": True,
        "groups": {},
        "n": 1500,
        "reason": "The right option is among these for 85 % of questions like the 1500 checked ones, on average over "
        "all kinds of questions.",
    }
    assert reply["option_set_reason"] is None
    # One in ten right options had no share of the samples at all.
    reply = ask(guarded, method="consistency", coverage=0.95)
    assert reply["option_set"]["letters"] == ["A", "B", "C"]
    assert reply["option_set"]["reason"].startswith("All options remain")
    assert ask(guarded, method="consistency", options=[])["option_set_reason"] == "an open question has no options"


def test_an_option_set_is_that_of_the_questions_group(
    guarded: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    evidence.guards.publish(make_guard("consistency", None, options=True, group="family"))
    easy = ask(guarded, method="consistency", groups={"family": "easy", "modality": "CT"}, max_risk=0.1)["option_set"]
    assert (easy["letters"], easy["groups"], easy["n"]) == (["B"], {"family": "easy"}, 750)
    assert easy["reason"].endswith("the 750 checked ones in its group.")
    hard = ask(guarded, method="consistency", groups={"family": "hard"})["option_set"]
    assert (hard["letters"], hard["groups"]) == (["A", "B", "C"], {"family": "hard"})
    folded = ask(guarded, method="consistency", groups={"Family": " EASY"}, max_risk=0.1)["option_set"]
    assert folded == easy
    for unknown in ({"family": "new"}, {}):
        told = ask(guarded, method="consistency", coverage=0.85, groups=unknown, max_risk=0.1)["option_set"]
        assert told["groups"] == {}
    form = {"question": "Which shape?", "options": '["Round", "Oval", "Spiculated"]', "method": "consistency"}
    files = {"image": ("scan.png", picture(), "image/png")}
    by_form = guarded.post(
        "/vqa",
        data={**form, "groups": json.dumps({"family": "easy"}), "coverage": "0.9", "max_risk": "0.1"},
        files=files,
    )
    assert by_form.json()["option_set"] == easy


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"coverage": 0}, "coverage"),
        ({"coverage": 1}, "coverage"),
        ({"coverage": "most"}, "coverage"),
        ({"max_risk": -0.1}, "max_risk"),
        ({"groups": ["CT"]}, "groups"),
        ({"groups": "CT"}, "groups"),
        ({"groups": {"modality": ""}}, "groups"),
        ({"groups": {"modality": 3}}, "groups.modality"),
        ({"groups": {"x" * 101: "y"}}, "groups"),
        ({"groups": {str(index): "x" for index in range(17)}}, "groups"),
    ],
)
def test_what_cannot_be_meant_is_a_422_that_names_the_field(
    guarded: httpx.Client, upstream: Upstream, changes: dict[str, Any], field: str
) -> None:
    problem = assert_problem(guarded.post("/vqa", json=body(**changes)), 422, "invalid-request")
    assert [fault["field"] for fault in problem["errors"]] == [field]
    assert upstream.asked == []


@pytest.mark.parametrize("groups", ["CT", "{", '["CT"]', '{"a": "1", "a": "2"}'])
def test_groups_of_a_form_are_a_json_object(guarded: httpx.Client, groups: str) -> None:
    data = {"question": "Which shape?", "groups": groups}
    response = guarded.post("/vqa", data=data, files={"image": ("scan.png", picture(), "image/png")})
    assert_problem(response, 422, "invalid-request")


async def test_a_slow_registry_holds_up_no_other_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()
    registry = Registry(tmp_path)
    guard = make_guard()
    registry.guards.publish(guard)
    load_all = registry.guards.load_all

    def slowly() -> list[GuardArtifact]:
        reading.set()
        assert go_on.wait(20)
        return load_all()

    monkeypatch.setattr(registry.guards, "load_all", slowly)
    shelf = GuardShelf(registry, 0, 0.05)
    found = []

    async def find() -> None:
        await shelf.refresh()
        found.append(shelf.known(guard.key, None))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(find)
            await anyio.to_thread.run_sync(reading.wait)
            assert found == []  # this runs on the event loop while the files are being read
            go_on.set()
    assert found[0] is not None
    assert found[0].artifact == guard
