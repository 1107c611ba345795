"""Bundles are FHIR of both releases, hold the reply's values, and nothing that it must not tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fhir.resources.bundle import Bundle as BundleR5
from fhir.resources.R4B.bundle import Bundle as BundleR4B

from services.gateway.results.fhir.bundle import fhir_bundle
from services.gateway.results.fhir.codes import CONFIDENCE
from services.gateway.results.fhir.devices import Release
from services.gateway.results.fhir.example import EXAMPLE
from services.gateway.results.result import result_of
from tests.services.gateway.results.answers import COUNT, answers, results
from tests.services.gateway.results.fhir.transparency import faults_of

MODELS: dict[Release, Any] = {"R4B": BundleR4B, "R5": BundleR5}


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == kind]


@pytest.mark.parametrize("release", ["R4B", "R5"])
def test_bundles_are_valid_and_say_what_the_reply_says(release: Release) -> None:
    deferrals = 0
    for answered, result in results():
        reply, written = answered.reply(recorded=True), fhir_bundle(result, release)
        MODELS[release].model_validate_json(written)
        bundle = json.loads(written)
        assert faults_of(bundle, is_r4=release == "R4B") == []
        [observation] = resources(bundle, "Observation")
        assert observation["id"] == reply.id
        assert observation["code"]["text"] == answered.query.ask.question
        said = observation.get("extension", [])
        decimals = [each["valueDecimal"] for each in said if "valueDecimal" in each]
        ranges = [each["valueRange"] for each in said if "valueRange" in each]
        assert {each["url"] for each in said} <= {CONFIDENCE}
        if reply.decision == "defer":
            deferrals += 1
            assert not [name for name in observation if name.startswith("value")]
            assert observation["dataAbsentReason"]["coding"][0]["code"] == "asked-unknown"
            assert said == []
        else:
            assert reply.answer is not None
            assert observation["valueCodeableConcept"] == {"text": reply.answer.text}
            assert "dataAbsentReason" not in observation
        is_told = reply.decision == "answer" and reply.calibration.calibrated
        assert decimals == ([reply.confidence] if is_told else [])
        interval = reply.calibration.interval if is_told else None
        assert [(each["low"]["value"], each["high"]["value"]) for each in ranges] == ([interval] if interval else [])
    assert 0.25 < deferrals / COUNT < 0.75


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda of: of["Observation"]["meta"].clear(), "label of Observation"),
        (lambda of: of["Observation"]["extension"][0].update(valueDecimal=62), "confidence is no probability"),
        (
            lambda of: of["Observation"]["extension"][0].update(valueString="sure"),
            "confidence: other values",
        ),
        (lambda of: of["Device"]["type"]["coding"].clear(), "device: type"),
        (lambda of: of["Provenance"].pop("reason"), "provenance: reason"),
        (lambda of: of["Provenance"]["agent"][0]["role"][0].update(text="AI"), "provenance: role"),
        (lambda of: of["Provenance"]["agent"][0].pop("type"), "provenance: type"),
    ],
)
def test_the_check_of_hl7_s_draft_finds_departures(change: Callable[[dict[str, Any]], None], fault: str) -> None:
    result = next(result for _, result in results() if result.confidence is not None)
    bundle = json.loads(fhir_bundle(result, "R4B"))
    change({each["resource"]["resourceType"]: each["resource"] for each in bundle["entry"]})
    assert faults_of(bundle, is_r4=True) == [fault]


@pytest.mark.parametrize("release", ["R4B", "R5"])
def test_devices_have_versions_and_everything_is_labelled(release: Release) -> None:
    answered = next(
        each
        for each in answers(200)
        if (told := result_of(each)).confidence is not None and told.models.policy is not None
    )
    result = result_of(answered)
    bundle = json.loads(fhir_bundle(result, release))
    devices = resources(bundle, "Device")
    versions = [each["version"][0]["value"] for each in devices]
    assert versions == [result.software, result.models.downstream, result.models.policy, result.calibrator]
    [provenance], [observation] = resources(bundle, "Provenance"), resources(bundle, "Observation")
    for each in (bundle, provenance, observation):
        assert [label["code"] for label in each["meta"]["security"]] == ["AIAST"]
    urls = {each["fullUrl"] for each in bundle["entry"]}
    assert {agent["who"]["reference"] for agent in provenance["agent"]} | {observation["device"]["reference"]} <= urls
    assert provenance["target"][0]["reference"] == f"urn:uuid:{result.id}"
    assert result.source is not None
    assert provenance["entity"][0]["what"]["identifier"]["value"] == f"urn:oid:{result.source.sop_instance_uid}"
    assert "subject" not in observation


def test_the_same_result_is_the_same_bytes() -> None:
    first, second = (fhir_bundle(result_of(next(answers(1))), "R5") for _ in range(2))
    assert first == second


def test_the_example_of_the_interface_is_a_bundle_of_its_release() -> None:
    assert BundleR5.model_validate(EXAMPLE).model_dump(exclude_none=True)["type"] == "collection"
