"""Answers where the downstream model's server has its own habits: right, said to be without something, never dearer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from prompt4trust.models import Sampling
from services.common.registry.directory import Registry
from tests.services.gateway.checks import body, said
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway, make_calibrator
from tests.support.habits import HabitsServer

Asking = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture
def asking(make_gateway: MakeGateway, serving: tuple[HabitsServer, str]) -> Asking:
    """A gateway in front of the server, its wording with a system message."""
    server, url = serving

    @contextmanager
    def open_client(*habits: str, text: str | None = None, **settings: Any) -> Iterator[httpx.Client]:
        server.behave(*habits, **({} if text is None else {"text": text}))
        models = {"policy_url": url, "downstream_url": f"{url}/v1"}
        with make_gateway(**{**models, **settings}) as gateway, httpx.Client(base_url=gateway, timeout=20) as client:
            yield client

    return open_client


def ask(client: httpx.Client, method: str = "cgp+logprob") -> dict[str, Any]:
    reply = client.post("/vqa", json=body(method=method))
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


SAMPLED: dict[str, Any] = {"temperature": 0.5, "top_k": 20}


@pytest.mark.parametrize(
    ("habits", "degraded", "calibrator", "first"),
    [
        (["logprobs are {}"], ["logprobs"], "platt-cgp", 1),
        (["logprobs are []", "counts in nulls"], ["logprobs"], "platt-cgp", 1),
        (["logprobs are null", "has no index"], ["logprobs"], "platt-cgp", 1),
        (["logprobs in the old shape", "usage is null"], ["calibrator"], None, 1),
        (["refuses logprobs"], ["logprobs"], "platt-cgp", 2),
        (["refuses max_tokens", "logprobs are {}"], ["logprobs"], "platt-cgp", 2),
        (["refuses top_k", "logprobs are {}"], ["logprobs", "decoding", "calibrator"], None, 2),
        (["refuses temperature", "refuses logprobs"], ["logprobs", "decoding", "calibrator"], None, 3),
    ],
)
def test_every_habit_is_answered(
    asking: Asking,
    serving: tuple[HabitsServer, str],
    tmp_path: Path,
    habits: list[str],
    degraded: list[str],
    calibrator: str | None,
    first: int,
) -> None:
    server, _ = serving
    Registry(tmp_path).calibrators.publish(make_calibrator("cgp", "policy-1", sampling=Sampling(**SAMPLED)))
    with asking(*habits, **SAMPLED, registry=tmp_path) as client:
        for asked in (first, first + 1):
            reply = ask(client)
            assert (said(reply)["letter"], reply["calibration"]["stated_confidence"]) == ("B", 0.95)
            assert (reply["degraded"], reply["calibration"].get("calibrator")) == (degraded, calibrator)
            assert reply["calibration"]["calibrated"] is (calibrator is not None)
            assert len(server.asked) == asked


def test_the_answer_without_log_probabilities_is_that_of_the_method_without(
    asking: Asking, serving: tuple[HabitsServer, str]
) -> None:
    with asking("refuses logprobs") as client:
        without, reply = ask(client, "cgp"), ask(client)
        for same in ("answer", "confidence", "calibration", "decision", "guidance_prompt"):
            assert reply[same] == without[same]
        metrics = client.get("/metrics").text
        assert re.search(r'^gateway_downstream_refusals_total\{part="logprobs"\} 1.0$', metrics, re.MULTILINE)
        assert 'gateway_degraded_total{without="logprobs"} 1.0' in metrics


def test_a_changed_question_has_a_calibration_key_of_its_own(asking: Asking, tmp_path: Any) -> None:
    registry = Registry(tmp_path)
    ordinary = make_calibrator("cgp", "policy-1", sampling=Sampling(temperature=0.5))
    registry.calibrators.publish(ordinary)
    changed = f"{TEMPLATE}, without decoding"
    with asking("refuses temperature", registry=tmp_path, registry_check_s=0.0, temperature=0.5) as client:
        reply = ask(client, "cgp")
        assert (reply["degraded"], reply["decision"]) == (["decoding", "calibrator"], "defer")
        assert reply["calibration"]["calibrated"] is False
        # Evidence of answers like this one, such as `--from-feedback` makes, holds for them.
        key = ordinary.key.model_copy(update={"answer_template": changed})
        registry.calibrators.publish(ordinary.model_copy(update={"key": key, "name": "of-the-changed"}))
        reply = ask(client, "cgp")
        assert (reply["degraded"], reply["calibration"]["calibrator"]) == (["decoding"], "of-the-changed")
        assert reply["models"]["downstream"] == MODEL


def test_a_system_message_that_is_refused_goes_with_the_question_and_is_missed(
    asking: Asking, serving: tuple[HabitsServer, str]
) -> None:
    with asking("refuses a system message", answer_template="answer-standard@1") as client:
        assert ask(client, "verbalized")["degraded"] == ["system-message", "calibrator"]
    *_, asked = serving[0].asked
    assert [message["role"] for message in asked["messages"]] == ["user"]
    assert asked["messages"][0]["content"][1]["text"].startswith("You read medical images")


@pytest.mark.parametrize("habit", ["refuses in a field of its own", "refuses for another reason"])
def test_what_is_no_answer_is_none(asking: Asking, habit: str) -> None:
    with asking(habit) as client:
        reply = client.post("/vqa", json=body(method="cgp"))
        if habit == "refuses for another reason":
            assert (reply.status_code, reply.json()["type"]) == (502, "urn:trustvqa:problem:downstream-failed")
        else:
            assert (said(reply.json()), reply.json()["decision"]) == (None, "defer")


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_a_text_that_was_ended_early_is_read_as_one(asking: Asking, reason: str) -> None:
    with asking(f"ends by {reason}", text="The answer is B with confidence 9") as client:
        reply = ask(client, "cgp")
        assert (said(reply), reply["confidence"], reply["decision"]) == (None, None, "defer")


OBJECT = '{"answer": "B", "confidence": 95, "explanation": "It is longer than wide."}'


@pytest.mark.parametrize(
    ("habits", "degraded", "forms"),
    [
        ([], [], ["json_schema"]),
        (["refuses json_schema"], ["response-format"], ["json_schema", "json_object"]),
        (["refuses response_format"], ["response-format"], ["json_schema", "json_object", None]),
    ],
)
def test_a_template_that_asks_for_json_has_it_in_the_form_that_the_server_takes(
    asking: Asking, serving: tuple[HabitsServer, str], habits: list[str], degraded: list[str], forms: list[str | None]
) -> None:
    with asking(*habits, text=OBJECT, answer_template="answer-json@1") as client:
        for _ in range(2):
            reply = ask(client, "verbalized")
            assert (said(reply)["letter"], reply["confidence"]) == ("B", 0.95)
            assert reply["degraded"] == [*degraded, "calibrator"]
    sent = [(body.get("response_format") or {"type": None})["type"] for body in serving[0].asked]
    assert sent == [*forms, forms[-1]]


PARSER = "tests.prompt4trust.verdict.parsers:versioned"


def test_a_parser_of_one_s_own_reads_replies_and_has_its_own_evidence(asking: Asking) -> None:
    with asking(text="B|95", answer_template=f"{TEMPLATE}+{PARSER}") as client:
        assert client.get("/version").json()["answer_template"] == f"{TEMPLATE}+{PARSER}@2"
        reply = ask(client, "cgp")
        assert (said(reply)["letter"], reply["confidence"]) == ("B", 0.95)
        assert (reply["degraded"], reply["decision"]) == (["calibrator"], "defer")


def test_a_parser_that_raises_makes_no_answer(asking: Asking) -> None:
    with asking(text="The answer is B with confidence 95.", answer_template=f"{TEMPLATE}+{PARSER}") as client:
        reply = ask(client, "cgp")
        assert (said(reply), reply["decision"]) == (None, "defer")
        assert "parser" in reply["decision_basis"]["reason"]
