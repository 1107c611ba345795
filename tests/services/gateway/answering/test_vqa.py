"""Replies of /vqa when all goes well, over real HTTP."""

from __future__ import annotations

import base64
import json
import uuid
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from prompt4trust.shares import of_hundred
from services.common.registry.directory import Registry
from tests.services.gateway.checks import body, said
from tests.services.gateway.conftest import OPTIONS, MakeGateway, make_calibrator, picture
from tests.services.gateway.upstream import VERDICT, Upstream


def ask(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/vqa", json=body(**changes))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_the_reply_has_the_documented_form(client: httpx.Client, upstream: Upstream, registry: Registry) -> None:
    upstream.more = {"usage": {"prompt_tokens": 300, "completion_tokens": 20}}
    reply = ask(client)
    artifact = make_calibrator("cgp", "policy-1")
    expected = round(float(artifact.calibrator().apply(0.95)), 4)
    uuid.UUID(reply.pop("id"))
    timing = reply.pop("timing_ms")
    assert timing["total"] >= timing["policy"] + timing["downstream"] > 0
    basis = reply.pop("decision_basis")
    assert (basis["rule"], basis["threshold"], basis["source"]) == ("confidence-threshold", 0.5, "default")
    assert basis["guarantee"] is False
    assert reply == {
        "answer": {"letter": "B", "text": "Oval"},
        "confidence": expected,
        "calibration": {
            "calibrated": True,
            "calibrator": "platt-cgp",
            "stated_confidence": 0.95,
            "interval": None,
            "fitted_on": {
                "n": 200,
                "dataset": "phantom-vqa",
                "ece": round(artifact.metrics_after["ece"]["value"] or 0, 4),
                "date": "2026-01-02",
            },
            "reason": None,
            "alarm": None,
            "groups": {},
        },
        "decision": "answer",
        "options": {"A": "Round", "B": "Oval", "C": "Spiculated"},
        "option_set": None,
        "option_set_reason": "the method cgp gave no probability for each of the options",
        "atypicality": None,
        "atypicality_reason": "the registry has no reference of the questions that platt-cgp was made from",
        "guidance_prompt": "Weigh the border.",
        "statement": f"B (Oval). Of 100 answers like this one {of_hundred(expected)} right. No guarantee.",
        "explanation": VERDICT.replace("95", "[number left out]"),
        "guess": None,
        "guess_explanation": None,
        "model_text": VERDICT,
        "guess_model_text": None,
        "picture": {
            "source": {"format": "PNG", "width": 40, "height": 30},
            "width": 40,
            "height": 30,
            "window": None,
            "scale": 1.0,
            "dicom": None,
        },
        "models": {"policy": "policy-1", "downstream": "model-1"},
        "degraded": [],
        "usage": {"calls": 2, "prompt_tokens": 300, "completion_tokens": 20},
        "recorded": True,
    }


def test_the_models_get_what_they_should_and_nothing_else(client: httpx.Client, upstream: Upstream) -> None:
    ask(client)
    assert upstream.guided == [{"question": "Which shape?", "options": {"A": "Round", "B": "Oval", "C": "Spiculated"}}]
    (asked,) = upstream.asked
    assert asked["model"] == "model-1"
    image, text = asked["messages"][-1]["content"]
    assert "Weigh the border." in text["text"]
    assert "Which shape?" in text["text"]
    sent = base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    with Image.open(BytesIO(sent)) as received, Image.open(BytesIO(picture())) as original:
        assert received.format == "PNG"
        assert np.array_equal(np.asarray(received), np.asarray(original))


def test_the_request_id_goes_all_the_way(client: httpx.Client, upstream: Upstream) -> None:
    response = client.post("/vqa", json=body(), headers={"X-Request-Id": "case-17"})
    assert response.headers["x-request-id"] == "case-17"
    assert upstream.headers[-1]["x-request-id"] == "case-17"


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"options": OPTIONS}, id="repeated"),
        pytest.param({"options": json.dumps(OPTIONS)}, id="json list"),
        pytest.param({"options": json.dumps({"A": "Round", "b": "Oval", "C": "Spiculated"})}, id="json object"),
        pytest.param({"options": OPTIONS, "method": "", "max_risk": ""}, id="empty optional fields"),
    ],
)
def test_a_form_says_the_same_as_json(client: httpx.Client, upstream: Upstream, form: dict[str, Any]) -> None:
    files = {"image": ("scan.png", picture(), "image/png")}
    response = client.post("/vqa", data={"question": "Which shape?", **form}, files=files)
    assert response.status_code == 200, response.text
    by_form, by_json = response.json(), ask(client)
    for changing in ("id", "timing_ms"):
        del by_form[changing], by_json[changing]
    assert by_form == by_json
    assert upstream.asked[0] == upstream.asked[1]


@pytest.mark.parametrize(
    "image",
    [
        base64.b64encode(picture()).decode(),
        base64.urlsafe_b64encode(picture(size=(64, 64), mode="RGB")).decode(),
        base64.encodebytes(picture()).decode(),
        base64.b64encode(picture()).decode().rstrip("="),
        "data:image/png;base64," + base64.b64encode(picture()).decode(),
        "data:image/jpeg;base64," + base64.b64encode(picture(form="JPEG")).decode(),
    ],
    ids=["standard", "url-safe", "line breaks", "no padding", "data url", "jpeg data url"],
)
def test_base64_is_read_as_people_write_it(client: httpx.Client, image: str) -> None:
    assert ask(client, image=image)["answer"]["letter"] == "B"


def test_letters_of_the_client_are_kept(client: httpx.Client, upstream: Upstream) -> None:
    upstream.text = "The answer is Q with confidence 90."
    reply = ask(client, options={"K": "Oval", "Q": "Round"})
    assert said(reply) == {"letter": "Q", "text": "Round"}


def test_verbalized_asks_no_policy_and_takes_its_own_calibrator(client: httpx.Client, upstream: Upstream) -> None:
    reply = ask(client, method="verbalized")
    assert upstream.guided == []
    assert reply["guidance_prompt"] is None
    assert reply["models"]["policy"] is None
    assert reply["calibration"]["calibrator"] == "platt-verbalized"
    assert reply["degraded"] == []


@pytest.mark.parametrize(("max_risk", "decision"), [(0.6, "answer"), (0.3, "defer"), (1, "answer"), (0, "defer")])
def test_the_accepted_risk_moves_the_threshold(client: httpx.Client, max_risk: float, decision: str) -> None:
    reply = ask(client, max_risk=max_risk)
    assert reply["decision"] == decision
    assert reply["decision_basis"]["threshold"] == pytest.approx(1 - max_risk)
    assert reply["decision_basis"]["source"] == "max_risk"
    assert (reply["confidence"] >= 1 - max_risk) == (decision == "answer")


def test_an_open_question_is_answered_and_never_called_calibrated(client: httpx.Client, upstream: Upstream) -> None:
    upstream.text = "The answer is a small effusion with confidence 80."
    none: tuple[Any, ...] = ([], {}, ...)
    for options in none:
        reply = ask(client, options=options)
        assert (reply["answer"], reply["guess"]) == (None, {"letter": None, "text": "a small effusion"})
        assert reply["confidence"] == reply["calibration"]["stated_confidence"] == 0.8
        assert reply["calibration"]["calibrated"] is False
        assert (reply["decision"], reply["decision_basis"]["code"]) == ("defer", "not-calibrated")


@pytest.mark.parametrize("text", ["I cannot tell from this picture.", "", "The answer is Z with confidence 50."])
def test_prose_without_a_verdict_is_passed_on_and_deferred(client: httpx.Client, upstream: Upstream, text: str) -> None:
    upstream.text = text
    reply = ask(client)
    assert (reply["answer"], reply["guess"], reply["confidence"], reply["decision"]) == (None, None, None, "defer")
    assert reply["decision_basis"]["code"] == "no-verdict"
    assert reply["calibration"]["calibrated"] is False
    assert (reply["explanation"], reply["model_text"]) == (None, None)
    assert (reply["guess_explanation"], reply["guess_model_text"]) == (text.replace("50", "[number left out]"), text)
    assert reply["statement"] == "There is no reliable answer to this question. A person should judge it."


def test_a_null_content_is_an_empty_reply(client: httpx.Client, upstream: Upstream) -> None:
    upstream.downstream = "null"
    assert ask(client)["decision_basis"]["code"] == "no-verdict"


@pytest.mark.parametrize("failure", [500, 503, 404, "not-json"])
def test_without_the_policy_it_answers_by_the_calibrator_for_that(
    client: httpx.Client, upstream: Upstream, failure: str | int
) -> None:
    upstream.policy = failure
    reply = ask(client)
    assert reply["degraded"] == ["policy"]
    assert reply["guidance_prompt"] is None
    assert reply["models"]["policy"] is None
    assert reply["calibration"]["calibrator"] == "platt-verbalized"
    assert reply["confidence"] == round(
        float(make_calibrator("verbalized", None, right=0.7).calibrator().apply(0.95)), 4
    )
    assert "Guidance" not in upstream.asked[-1]["messages"][-1]["content"][1]["text"]


def test_a_policy_that_never_answers_or_is_not_there_costs_its_deadline_at_most(
    make_gateway: MakeGateway, upstream: Upstream, nowhere: str
) -> None:
    upstream.policy = "hang"
    with make_gateway(policy_deadline_s=0.3) as url:
        reply = httpx.post(f"{url}/vqa", json=body(), timeout=20).json()
        assert reply["degraded"] == ["policy"]
        assert reply["timing_ms"]["policy"] >= 290
    with make_gateway(policy_url=nowhere) as url:
        assert httpx.post(f"{url}/vqa", json=body(), timeout=20).json()["degraded"] == ["policy"]
        ready = httpx.get(f"{url}/health/ready").json()
        assert ready["status"] == "ready"
        assert ready["dependencies"]["policy"]["ok"] is False


def test_readiness_tells_of_a_model_that_its_server_does_not_list(
    make_gateway: MakeGateway, upstream_server: tuple[Upstream, str]
) -> None:
    for model, told in (("model-1", "status 200"), ("gpt-5", "status 200, but it does not list the model gpt-5")):
        with make_gateway(downstream_model=model) as url:
            assert httpx.get(f"{url}/health/ready").json()["dependencies"]["downstream"]["detail"] == told
    # What a server that refuses says beside it is no list.
    with make_gateway(downstream_url=f"{upstream_server[1]}/locked/v1") as url:
        assert httpx.get(f"{url}/health/ready").json()["dependencies"]["downstream"]["detail"] == "status 401"


def test_a_policy_version_without_a_calibrator_is_not_passed_off_as_calibrated(
    client: httpx.Client, upstream: Upstream
) -> None:
    upstream.version = "policy-2"
    reply = ask(client)
    assert reply["calibration"]["calibrated"] is False
    assert reply["calibration"]["calibrator"] is None
    assert reply["confidence"] == reply["calibration"]["stated_confidence"] == 0.95
    assert reply["degraded"] == ["calibrator"]
    assert reply["decision"] == "defer"


def test_a_calibrator_that_is_published_while_it_runs_is_taken_up(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Any
) -> None:
    registry = Registry(tmp_path / "registry")
    with make_gateway(registry=registry.root) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert ask(client)["calibration"]["calibrated"] is False
        registry.calibrators.publish(make_calibrator("cgp", "policy-1", name="first"))
        assert ask(client)["calibration"]["calibrator"] == "first"
        version = client.get("/version").json()
        assert version["calibrators"] == ["first"]
        assert list(version["live_calibrators"].values()) == ["first"]
        (registry.root / "calibrators" / "spoilt.json").write_text("{")
        assert ask(client)["calibration"]["calibrator"] == "first"
        (registry.root / "calibrators" / "first.json").unlink()
        assert ask(client)["calibration"]["calibrated"] is False


def test_calibrators_that_are_shipped_reach_an_empty_registry(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Any
) -> None:
    shipped = Registry(tmp_path / "shipped")
    shipped.calibrators.publish(make_calibrator("cgp", "policy-1", name="from-the-start"))
    registry = tmp_path / "registry"
    for _ in range(2):  # the second start finds it there
        with (
            make_gateway(registry=registry, shipped=shipped.root) as url,
            httpx.Client(base_url=url, timeout=20) as client,
        ):
            assert ask(client)["calibration"]["calibrator"] == "from-the-start"


def test_what_clients_may_want_to_know_is_told(client: httpx.Client) -> None:
    about = client.get("/v1/about").json()
    assert about["limits"]["options_most"] == 26
    assert set(about["methods"]) >= {"cgp", "verbalized"}
    assert "not for clinical use" in about["notice"]
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/vqa"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert {"200", "400", "408", "413", "415", "422", "502", "503", "504"} <= set(operation["responses"])
    metrics = client.get("/metrics").text
    assert "gateway_waiting" in metrics


def test_the_page_runs_nothing_from_elsewhere(client: httpx.Client) -> None:
    for path in ("/", "/static/page/main.js", "/static/page.css"):
        response = client.get(path)
        assert response.status_code == 200
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "http" not in response.text.replace("http://www.w3.org", "")
    assert client.get("/static/../settings.py").status_code == 404
    assert client.get("/static/%2e%2e/settings.py").status_code == 404
    for sample in client.get("/static/samples/samples.json").json():
        image = client.get(f"/static/samples/{sample['image']}").content
        assert len(image) < 50_000
        assert ask(client, image=base64.b64encode(image).decode())["answer"]
