"""The model card says what registry and settings hold, and calls unknown what nobody recorded."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from services.common.registry.directory import Registry
from services.gateway.model_card.card import make_card
from services.gateway.settings import GatewaySettings
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream
from tests.support.browser import accessibility_faults

SECTIONS = ["identity", "use", "data", "performance", "limits", "oversight", "licences"]


@pytest.fixture
def own_registry(tmp_path: Path) -> Registry:
    """A registry whose live pair has a calibrator, a policy with provenance, and a stranger beside it."""
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1"))
    registry.calibrators.publish(make_calibrator("cgp", "policy-9", name="of-another-policy"))
    policy = registry.root / "policies" / "policy-1"
    policy.mkdir(parents=True)
    (policy / "config.json").write_text("{}")
    told = {"data": {"train": {"name": "phantoms <b>train</b>", "n": 3600}}}
    (policy / "provenance.json").write_text(json.dumps(told))
    figures = {"ece": {"value": 0.035, "low": 0.025, "high": 0.065}}
    (policy / "metrics.json").write_text(json.dumps({"split": "validation", "after": {"n": 1000, "metrics": figures}}))
    registry.activate_policy("policy-1")
    registry.activate_calibrator("platt-cgp", who="Dr. Admin")
    return registry


def items(card: dict[str, Any], section: str) -> dict[str, str | None]:
    found = next(each for each in card["sections"] if each["id"] == section)
    return {each["name"]: each["value"] for each in found["items"]}


def test_the_card_is_of_the_live_pair_with_figures_as_the_files_have_them(
    make_gateway: MakeGateway, upstream: Upstream, own_registry: Registry
) -> None:
    with make_gateway(registry=own_registry.root, intended_use="Second look at phantoms") as url:
        response = httpx.get(f"{url}/v1/model-card", timeout=20)
        assert response.headers["content-type"] == "application/json"
        card = response.json()
    assert (card["downstream"], card["policy"], card["answer_template"]) == (MODEL, "policy-1", TEMPLATE)
    assert [each["id"] for each in card["sections"]] == SECTIONS
    artifact = own_registry.calibrators.load("platt-cgp")
    figures = next(each for each in card["sections"] if each["id"] == "performance")["figures"]
    ece = [each for each in figures if each["name"] == "ece"]
    assert {(each["subject"], each["value"], each["low"], each["high"], each["n"]) for each in ece} == {
        ("platt-cgp", *(artifact.metrics_before["ece"][name] for name in ("value", "low", "high")), artifact.n),
        ("platt-cgp", *(artifact.metrics_after["ece"][name] for name in ("value", "low", "high")), artifact.n),
        ("policy-1", 0.035, 0.025, 0.065, 1000),
    }
    assert "of-another-policy" not in json.dumps(card)
    assert items(card, "identity")["Calibrator for cgp"] == "platt-cgp, made 2026-01-02"
    assert "by Dr. Admin" in str(items(card, "identity")["What is live was last changed"])
    assert items(card, "use")["Intended use, users and patients"] == "Second look at phantoms"
    assert items(card, "data")["Policy's train data"] == "phantoms <b>train</b>, n = 3600"


def test_what_nobody_recorded_is_unknown_and_an_empty_registry_promises_nothing(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    with make_gateway(registry=tmp_path / "empty", records_url="") as url:
        card = httpx.get(f"{url}/v1/model-card", timeout=20).json()
    assert card["policy"] is None
    for section, name in (
        ("use", "Intended use, users and patients"),
        ("identity", "Calibrators of this pair"),
        ("performance", "Measured performance"),
        ("data", "Data that the downstream model was trained on"),
        ("limits", "Validation in a clinic"),
        ("oversight", "Log of events"),
        ("licences", "Downstream model"),
    ):
        assert items(card, section)[name] is None
    assert not any(each["figures"] for each in card["sections"])


def test_a_spoilt_registry_is_said(make_gateway: MakeGateway, upstream: Upstream, own_registry: Registry) -> None:
    (own_registry.root / "active.json").write_text("{")
    with make_gateway(registry=own_registry.root) as url:
        card = httpx.get(f"{url}/v1/model-card", timeout=20).json()
    assert "cannot be read" in str(items(card, "limits")["Registry"])
    assert card["policy"] is None


def test_people_get_a_page_that_anybody_can_read(
    make_gateway: MakeGateway, upstream: Upstream, own_registry: Registry, browser: Browser
) -> None:
    with make_gateway(registry=own_registry.root) as url:
        asked = httpx.get(f"{url}/v1/model-card", headers={"Accept": "text/html"}, timeout=20)
        assert asked.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in asked.headers["content-security-policy"]
        assert "<b>train</b>" not in asked.text
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{url}/model-card")
            assert page.get_by_role("heading", name="Model card").is_visible()
            assert "unknown" in page.inner_text("main")
            assert accessibility_faults(page) == []
            context.close()


ASKED_FOR = [
    # FDA, transparency for machine learning-enabled medical devices: guiding principles (June 2024)
    ("FDA: medical purpose and function", "use", "Intended use, users and patients"),
    ("FDA: benefits", "use", "Benefit that was shown"),
    ("FDA: integration into the workflow", "use", "Place in the workflow"),
    ("FDA: inputs and outputs", "use", "Input"),
    ("FDA: logic", "use", "How an answer comes about"),
    ("FDA: performance", "performance", "Measured performance"),
    ("FDA: risks", "limits", "Known risks"),
    ("FDA: bias", "limits", "What was done against bias"),
    ("FDA: data, and gaps in them", "data", "Ages, sexes, origins and devices in these data"),
    ("FDA: oversight by people", "oversight", "Human oversight"),
    ("FDA: maintenance and monitoring", "oversight", "Monitoring"),
    ("FDA: security", "limits", "Who may ask"),
    # ONC HTI-1, 45 CFR 170.315(b)(11)(iv)(B): source attributes of predictive interventions
    ("(1)(i) name and contact of the developer", "identity", "Who answers for this service, and how to reach them"),
    ("(1)(ii) funding", "licences", "Funding and conflicts of interest"),
    ("(1)(iii) value that is produced", "use", "Output"),
    ("(1)(iv) kind of output", "use", "Kind of output"),
    ("(2)(i) to (iii) use, patients, users", "use", "Intended use, users and patients"),
    ("(2)(iv) role in decisions", "use", "Role in decisions"),
    ("(3)(i) cautioned uses", "use", "Out of scope"),
    ("(3)(ii) known risks and limits", "limits", "Known risks"),
    ("(4)(i) who was included and excluded", "data", "Whom these data include and exclude"),
    ("(4)(ii) attributes as input", "data", "Race, sex, age and other attributes as input"),
    ("(4)(iii) representativeness", "data", "Ages, sexes, origins and devices in these data"),
    ("(4)(iv) nearness to where it runs", "data", "How near these data are to where the service runs"),
    ("(5) fairness", "limits", "What was done against bias"),
    ("(6) validation elsewhere", "limits", "Who validated it elsewhere, on whose data"),
    ("(7)(i) validity in test data", "performance", "Measured performance"),
    ("(7)(ii) fairness in test data", "limits", "Performance by age, sex, origin or device"),
    ("(7)(iii), (iv) validity and fairness elsewhere", "limits", "Validation in a clinic"),
    ("(7)(v) effect on outcomes", "limits", "Effect on patients' outcomes"),
    ("(8)(i), (ii) validity where it runs", "oversight", "Monitoring"),
    ("(8)(iii), (iv) fairness where it runs", "oversight", "Differences between groups"),
    ("(9)(i) updates", "oversight", "How often it is updated"),
    ("(9)(ii) when risks are corrected", "oversight", "While an alarm stands"),
    # EU AI Act (Regulation 2024/1689), Art. 12 and 13(3)
    ("Art. 12, 13(3)(f) logs", "oversight", "Log of events"),
    ("Art. 13(3)(a) provider", "identity", "Who answers for this service, and how to reach them"),
    ("Art. 13(3)(b)(i) purpose", "use", "Intended use, users and patients"),
    ("Art. 13(3)(b)(ii) accuracy", "performance", "Measured performance"),
    ("Art. 13(3)(b)(ii) robustness, security", "limits", "Who may ask"),
    ("Art. 13(3)(b)(iii) circumstances of risk", "limits", "Where promises end"),
    ("Art. 13(3)(b)(iv), (vii) reading the output", "use", "How a confidence is read"),
    ("Art. 13(3)(b)(v) groups of persons", "limits", "Performance by age, sex, origin or device"),
    ("Art. 13(3)(b)(vi) input data", "use", "Pictures that are taken"),
    ("Art. 13(3)(c) changes", "oversight", "Updates"),
    ("Art. 13(3)(d) oversight", "oversight", "Human oversight"),
    ("Art. 13(3)(e) resources and lifetime", "oversight", "Computing resources and expected lifetime"),
]
"""Headings that regulators ask for, in short, and where the card says it, or that it is unknown."""


def test_card_and_page_have_an_entry_for_all_that_regulators_ask_for(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    with make_gateway(registry=tmp_path / "empty") as url:
        card = httpx.get(f"{url}/v1/model-card", timeout=20).json()
        page = html.unescape(httpx.get(f"{url}/model-card", timeout=20).text)
    said = {(each["id"], item["name"]) for each in card["sections"] for item in each["items"]}
    assert [asked for asked, section, name in ASKED_FOR if (section, name) not in said] == []
    assert [name for _, _, name in ASKED_FOR if name not in page] == []


@pytest.mark.parametrize(
    ("bands", "end"), [([], "are not"), (["60-74"], "are not, but for sex and age, of which groups are made")]
)
def test_the_card_says_whether_sex_and_age_are_read(tmp_path: Path, bands: list[str], end: str) -> None:
    card = make_card(GatewaySettings(registry=tmp_path, dicom_age_bands=bands), datetime(2026, 12, 1, tzinfo=UTC))
    said = items(card.model_dump(mode="json"), "data")["Race, sex, age and other attributes as input"]
    assert said is not None
    assert said.endswith(end)
