"""The form of a reply follows the header Accept, at POST /vqa and later at GET /vqa/{id}."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.bundle import Bundle as BundleR5
from fhir.resources.R4B.bundle import Bundle as BundleR4B
from pydicom import dcmread
from pydicom.data import get_testdata_file

from services.gateway.results.fhir.codes import CONFIDENCE
from services.gateway.web.answers.reply_forms import EVENTS
from services.gateway.web.content_negotiation import JSON, prefers_html, ranked
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import OPTIONS, MakeGateway
from tests.services.gateway.results.sr.reading import values_of
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at

R4B, R5, SR = "application/fhir+json; fhirVersion=4.3", "application/fhir+json; fhirVersion=5.0", "application/dicom"
OFFERED = [JSON, EVENTS, R4B, R5, SR]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, keys_at(path)


@pytest.fixture(scope="module")
def kept_url(make_gateway: MakeGateway) -> Iterator[str]:
    """A gateway that keeps texts."""
    with make_gateway(record_texts=True) as url:
        yield url


@pytest.fixture
def kept(kept_url: str, upstream: Upstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=kept_url, timeout=20) as http:
        yield http


def slice_of_ct() -> bytes:
    return Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()


def ask_dicom(client: httpx.Client, accept: str, **headers: str) -> httpx.Response:
    files = {"image": ("slice.dcm", slice_of_ct(), "application/dicom")}
    data = {"question": "Which shape?", "options": OPTIONS}
    return client.post("/vqa", files=files, data=data, headers={"Accept": accept, **headers})


def observation_in(response: httpx.Response) -> dict[str, Any]:
    return dict(response.json()["entry"][0]["resource"])


@pytest.mark.parametrize(
    ("accept", "first"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json; charset=utf-8", JSON),
        ("APPLICATION/JSON;q=0.3", JSON),
        ("text/event-stream, application/json", EVENTS),
        ("text/event-stream;q=0.5, application/json", JSON),
        ("application/fhir+json", R4B),
        ("application/fhir+json;fhirVersion=5.0", R5),
        ('application/fhir+json; fhirVersion="5.0", application/json;q=0.9', R5),
        ("application/fhir+json;q=0.2, application/json;q=0.1", R4B),
        ("application/fhir+json, */*;q=0.1", R4B),
        ("application/dicom", SR),
        ("application/json, application/dicom;q=0.1", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=0, application/fhir+json;q=0.1", R4B),
        ("application/fhir+json;fhirVersion=4.0", None),
        ("application/fhir+xml", None),
        ("text/html", None),
        ("image/*", None),
        ("application/json;q=0", None),
        ("application/json;q=x", None),
        (",;=", None),
    ],
)
def test_forms_are_ranked_as_the_client_wishes(accept: str, first: str | None) -> None:
    found = ranked(accept, OFFERED)
    assert (found[0] if found else None) == first
    assert len(set(found)) == len(found)


def test_pages_are_for_those_who_name_them() -> None:
    assert prefers_html("text/html,application/xhtml+xml,*/*;q=0.8")
    assert not prefers_html("*/*")
    assert not prefers_html("text/html;q=0.1, application/json")


@pytest.mark.parametrize("accept", ["text/html", "application/fhir+json;fhirVersion=3.0", "application/json;q=0"])
def test_what_nobody_can_write_is_refused_before_the_question_is_read(
    accept: str, client: httpx.Client, upstream: Upstream
) -> None:
    problem = assert_problem(
        client.post("/vqa", content=b"{", headers={"Accept": accept, "Content-Type": "application/json"}),
        406,
        "not-acceptable",
    )
    assert "application/fhir+json; fhirVersion=4.3" in problem["detail"]
    assert upstream.asked == []


@pytest.mark.parametrize(("accept", "model"), [(R4B, BundleR4B), (R5, BundleR5)])
def test_fhir_says_what_json_says(accept: str, model: Any, client: httpx.Client) -> None:
    key = {"Idempotency-Key": f"same-question-{uuid.uuid4()}"}
    reply = client.post("/vqa", json=body(), headers=key).json()
    response = client.post("/vqa", json=body(), headers={**key, "Accept": accept})
    assert response.headers["content-type"] == accept
    assert response.headers["content-location"] == f"/vqa/{reply['id']}"
    assert response.headers["vary"] == "Accept"
    model.model_validate_json(response.content)
    observation = observation_in(response)
    assert observation["id"] == reply["id"]
    assert observation["valueCodeableConcept"]["text"] == reply["answer"]["text"]
    assert observation["extension"] == [{"url": CONFIDENCE, "valueDecimal": reply["confidence"]}]
    assert "subject" not in observation


def test_a_deferral_is_no_answer_in_fhir(client: httpx.Client) -> None:
    observation = observation_in(client.post("/vqa", json=body(max_risk=0.01), headers={"Accept": R5}))
    assert not [name for name in observation if name.startswith("value")]
    assert "extension" not in observation
    assert "Oval" not in observation["note"][0]["text"]


def test_a_picture_that_is_no_dicom_has_no_report_and_no_model_is_asked(
    client: httpx.Client, upstream: Upstream
) -> None:
    assert_problem(client.post("/vqa", json=body(), headers={"Accept": SR}), 406, "no-dicom-source")
    assert upstream.asked == []
    either = client.post("/vqa", json=body(), headers={"Accept": f"{SR}, {JSON};q=0.5"})
    assert either.json()["decision"] == "answer"


def test_a_report_says_what_json_says(kept: httpx.Client) -> None:
    key = {"Idempotency-Key": f"same-question-{uuid.uuid4()}"}
    reply = ask_dicom(kept, JSON, **key).json()
    response = ask_dicom(kept, SR, **key)
    assert response.headers["content-type"] == SR, response.text[:500]
    source, report, values = (
        dcmread(BytesIO(slice_of_ct())),
        dcmread(BytesIO(response.content)),
        values_of(response.content),
    )
    assert values["answer"] == ["Oval", "Oval"]
    assert values["111012"] == [reply["confidence"]]
    assert report.StudyInstanceUID == source.StudyInstanceUID
    assert values["121112"][0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    # Nobody's data: the file's patient is not in the report.
    assert str(source.PatientName).encode() not in response.content
    assert report.PatientID == ""
    # And the same later, of the record.
    later = kept.get(f"/vqa/{reply['id']}", headers={"Accept": SR})
    assert later.content == response.content
    assert later.headers["cache-control"] == "no-store"
    bundle = kept.get(f"/vqa/{reply['id']}", headers={"Accept": R5})
    BundleR5.model_validate_json(bundle.content)
    assert str(source.PatientName) not in bundle.text
    record = kept.get(f"/vqa/{reply['id']}").json()
    assert record["source"]["sop_instance_uid"] == source.SOPInstanceUID
    assert str(source.PatientID) not in str(record)


def test_without_texts_a_record_is_json_alone(client: httpx.Client) -> None:
    answer_id = client.post("/vqa", json=body()).json()["id"]
    assert_problem(client.get(f"/vqa/{answer_id}", headers={"Accept": R4B}), 409, "result-not-kept")
    assert_problem(client.get(f"/vqa/{answer_id}", headers={"Accept": SR}), 406, "no-dicom-source")
    assert_problem(client.get(f"/vqa/{answer_id}", headers={"Accept": EVENTS}), 406, "not-acceptable")
    assert client.get(f"/vqa/{answer_id}", headers={"Accept": f"{SR}, {JSON};q=0.1"}).json()["id"] == answer_id


def test_records_are_for_whoever_asked_and_for_administrators(
    keys: tuple[Path, dict[str, str]], make_gateway: MakeGateway, upstream: Upstream
) -> None:
    path, texts = keys
    with make_gateway(record_texts=True, api_keys=path) as url, httpx.Client(base_url=url, timeout=20) as client:
        mine, admin = bearer(texts["ask"]), bearer(texts["admin"])
        answer_id = client.post("/vqa", json=body(), headers=mine).json()["id"]
        review = {"who": "Dr. Example", "right": True}
        assert client.post(f"/vqa/{answer_id}/feedback", json=review, headers=admin).status_code == 201
        assert client.get(f"/vqa/{answer_id}", headers=admin).json()["feedback"][0]["who"] == "Dr. Example"
        own = client.get(f"/vqa/{answer_id}", headers=mine)
        assert (own.status_code, own.json()["feedback"]) == (200, None)
        assert "Dr. Example" not in own.text
        assert client.get(f"/vqa/{answer_id}", headers={**mine, "Accept": R4B}).status_code == 200
        asked_by_admin = client.post("/vqa", json=body(), headers=admin).json()["id"]
        for accept in (JSON, R4B):
            response = client.get(f"/vqa/{asked_by_admin}", headers={**mine, "Accept": accept})
            assert_problem(response, 404, "unknown-answer")
        assert client.get(f"/vqa/{answer_id}", headers=bearer(texts["feedback"])).status_code == 403


def test_an_erased_answer_has_no_other_form(kept: httpx.Client) -> None:
    answer_id = kept.post("/vqa", json=body()).json()["id"]
    assert kept.get(f"/vqa/{answer_id}", headers={"Accept": R4B}).status_code == 200
    assert kept.delete(f"/vqa/{answer_id}").is_success
    assert_problem(kept.get(f"/vqa/{answer_id}", headers={"Accept": R4B}), 409, "result-not-kept")


def test_without_keys_records_are_for_this_machine_alone(client: httpx.Client) -> None:
    answer_id = client.post("/vqa", json=body()).json()["id"]
    proxied = client.get(f"/vqa/{answer_id}", headers={"X-Forwarded-For": "203.0.113.7"})
    assert_problem(proxied, 403, "administration-closed")
