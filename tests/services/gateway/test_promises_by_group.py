"""Guarantees and corrections by group, over real HTTP: a question of no known group is never answered under one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from prompt4trust.calibration import CalibratorArtifact, GroupOffset, GroupOffsets, StratumOffsets
from prompt4trust.selection import CheckedAnswer, GuardArtifact, fit_guard
from services.common.registry.directory import Registry
from tests.prompt4trust.pictures.dicom.objects import ct, written
from tests.services.gateway.answering.test_selection import make_guard as selection_guard
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import whole_key

SHARES = {"CT": 0.97, "MR": 0.70}
"""Share of right answers by modality; the upstream's answer is stated at 0.95."""


def make_guard(calibrator: CalibratorArtifact | None = None, *, by_group: bool = True, **changes: Any) -> GuardArtifact:
    """Evidence of 400 CT, 400 MR and 20 US, those of MR wrong three times in ten."""
    answers = []
    for place in range(820):
        modality = "US" if place >= 800 else ("CT", "MR")[place % 2]
        right = (place // 2 * 37) % 100 < 100 * SHARES.get(modality, 1)
        groups = {"modality": modality}
        stated = 0.95
        if calibrator is not None:
            stated = round(float(calibrator.correct([0.95], groups=[groups])[0]), 4)
        answers.append(CheckedAnswer(f"q{place}", stated, right, "A", {}, groups))
    settings: dict[str, Any] = {"name": "guard-cgp", "strata": ("modality",) if by_group else (), **changes}
    return fit_guard(
        answers,
        key=whole_key(downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE),
        dataset="held-out",
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        calibrator=calibrator,
        **settings,
    )


def by_group(ct: float, mr: float) -> CalibratorArtifact:
    numbers = {"CT": GroupOffset(offset=ct, n=300), "MR": GroupOffset(offset=mr, n=300)}
    strata = (StratumOffsets(name="modality", spread=0.7, groups=numbers),)
    return make_calibrator("cgp", "policy-1").model_copy(update={"by_group": GroupOffsets(strata=strata, clip=0.01)})


@pytest.fixture
def evidence(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    return registry


@pytest.fixture
def client(make_gateway: MakeGateway, upstream: Upstream, evidence: Registry) -> Iterator[httpx.Client]:
    with (
        make_gateway(registry=evidence.root, dicom_modalities={"MR": "MRI"}) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


def ask(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/vqa", json=body(max_risk=0.1, **changes))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_question_has_the_promise_of_its_own_group(
    client: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    guard = make_guard()
    evidence.guards.publish(guard)
    rules = guard.group_rules(0.05)
    assert rules is not None
    found = rules.of({"modality": "CT"})
    assert found is not None
    assert found.rule is not None
    limit = found.rule.at(0.1)
    assert limit is not None

    reply = ask(client, groups={"Modality": "ct"})
    basis = reply["decision_basis"]
    assert (reply["decision"], basis["guarantee"], basis["groups"]) == ("answer", True, {"modality": "CT"})
    assert (basis["delta"], basis["evidence"]["n"]) == (0.05, 400)
    assert (basis["evidence"]["accepted"], basis["evidence"]["errors"]) == (limit.accepted, limit.errors)
    assert basis["evidence"]["least_risk"] == round(found.rule.least_risk, 4)
    assert "at most 10 % of the answers in its group are wrong, with 95 % certainty" in basis["reason"]
    assert "Guarantee: at most 10 % of such answers in its group are wrong" in reply["statement"]

    reply = ask(client, groups={"modality": "MR"})
    assert (reply["decision"], reply["decision_basis"]["code"]) == ("defer", "risk-not-achievable")
    assert "on 400 checked questions in its group no level" in reply["decision_basis"]["reason"]
    assert reply["answer"] is None


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ({}, "the guarantee is by modality, and the question does not name its modality in `groups`"),
        ({"sex": "F"}, "the guarantee is by modality, and the question does not name its modality in `groups`"),
        ({"modality": "PET"}, "the guarantee is by modality, and no question of its modality was checked"),
        ({"modality": "US"}, "of questions in its group only 20 were checked; a guarantee takes 50 of them"),
    ],
)
def test_what_nothing_was_proved_of_is_left_to_a_person_whatever_risk_is_accepted(
    client: httpx.Client, upstream: Upstream, evidence: Registry, groups: dict[str, str], reason: str
) -> None:
    evidence.guards.publish(make_guard())
    for max_risk in (0.1, 1):
        response = client.post("/vqa", json=body(max_risk=max_risk, groups=groups)).json()
        basis = response["decision_basis"]
        assert (response["decision"], basis["code"], basis["guarantee"]) == ("defer", "group-unproved", False)
        assert basis["reason"] == f"A person should answer: {reason}."
        assert (basis["groups"], basis["evidence"], basis["delta"], response["answer"]) == ({}, None, None, None)
        assert response["explanation"] is None
    upstream.text = "I cannot tell."
    basis = ask(client, groups=groups)["decision_basis"]
    assert (basis["code"], basis["guarantee"]) == ("no-verdict", False)


def test_no_options_are_promised_where_nothing_was_proved_of_the_group(
    upstream: Upstream, evidence: Registry, make_gateway: MakeGateway
) -> None:
    evidence.guards.publish(selection_guard("consistency", None, options=True, ties="split", strata=("family",)))
    with (
        make_gateway(registry=evidence.root, methods=("consistency",)) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        known = ask(client, method="consistency", groups={"family": "easy"})
        assert (known["decision_basis"]["guarantee"], known["option_set"]["n"]) == (True, 1500)
        for text in (upstream.text, "I cannot tell."):
            upstream.text = text
            reply = ask(client, method="consistency", groups={"family": "new"})
            assert (reply["decision"], reply["option_set"]) == ("defer", None)
            assert reply["option_set_reason"] == (
                "no coverage is promised: the guarantee is by family, and no question of its family was checked"
            )


def test_a_dicom_objects_own_modality_is_the_questions_group(
    client: httpx.Client, upstream: Upstream, evidence: Registry, make_gateway: MakeGateway
) -> None:
    evidence.guards.publish(make_guard())
    files = {"image": ("scan.dcm", written(ct()), "application/dicom")}
    data = {"question": "Which shape?", "options": '["Round", "Oval"]', "max_risk": "0.1"}
    # The file says CT, whatever the client says.
    for named in ({}, {"modality": "MR"}, {"MODALITY": "PET", "sex": "F"}):
        response = client.post("/vqa", data={**data, "groups": json.dumps(named)}, files=files)
        assert response.status_code == 200, response.text
        assert response.json()["decision_basis"]["groups"] == {"modality": "CT"}
    # Where the setting names none, only what the client says counts.
    with make_gateway(registry=evidence.root) as url, httpx.Client(base_url=url, timeout=20) as plain:
        assert plain.post("/vqa", data=data, files=files).json()["decision_basis"]["code"] == "group-unproved"


def test_the_calibrator_of_the_group_corrects_and_an_unknown_one_has_the_populations(
    client: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    everybodys = ask(client, groups={"modality": "CT"})
    assert everybodys["calibration"]["groups"] == {}
    fitted = by_group(ct=1.0, mr=-1.0)
    evidence.calibrators.publish(fitted)
    for groups, known in (({"modality": "ct"}, {"modality": "CT"}), ({"modality": "MR"}, {"modality": "MR"})):
        reply = ask(client, groups=groups)
        [expected] = fitted.correct([0.95], groups=[groups])
        assert reply["confidence"] == round(float(expected), 4) != everybodys["confidence"]
        assert (reply["calibration"]["groups"], reply["calibration"]["interval"]) == (known, None)
    for groups in ({}, {"modality": "PET"}, {"sex": "F"}):
        reply = ask(client, groups=groups)
        assert reply["confidence"] == everybodys["confidence"]
        assert (reply["calibration"]["groups"], reply["calibration"]["calibrated"]) == ({}, True)


def test_a_guarantee_on_confidences_by_group_reaches_no_question_without_the_group(
    client: httpx.Client, upstream: Upstream, evidence: Registry
) -> None:
    fitted = by_group(ct=1.0, mr=-1.0)
    evidence.calibrators.publish(fitted)
    evidence.guards.publish(make_guard(fitted, by_group=False))
    basis = ask(client, groups={"modality": "CT"})["decision_basis"]
    assert (basis["guarantee"], basis["groups"]) == (True, {})
    for groups in ({}, {"modality": "PET"}):
        basis = ask(client, groups=groups)["decision_basis"]
        assert (basis["code"], basis["guarantee"]) == ("group-unproved", False)
        assert "confidences that were corrected by modality" in basis["reason"]
    # A stratum by which nothing was corrected keeps nobody out, and is not named.
    alike = StratumOffsets(name="sex", spread=0, groups={"F": GroupOffset(offset=0, n=300)})
    assert fitted.by_group is not None
    strata = (*fitted.by_group.strata, alike)
    both = fitted.model_copy(update={"by_group": GroupOffsets(strata=strata, clip=0.01)})
    evidence.calibrators.publish(both)
    evidence.guards.publish(make_guard(both, by_group=False))
    for groups in ({"modality": "CT"}, {"modality": "CT", "sex": "F"}, {"modality": "CT", "sex": "X"}):
        reply = ask(client, groups=groups)
        assert reply["decision_basis"]["guarantee"] is True
        assert reply["calibration"]["groups"] == {"modality": "CT"}
    # Other numbers of the groups are another calibrator, though the family's are the same.
    evidence.calibrators.publish(by_group(ct=0.5, mr=-1.0))
    assert ask(client, groups={"modality": "CT"})["decision_basis"]["guarantee"] is False
