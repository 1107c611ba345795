"""Whatever way a deferral leaves the gateway by, what the model said stands in fields that are called a guess alone."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.registry.directory import Registry
from services.gateway.schemas import VqaReply
from tests.services.gateway.batches.streams import line, send
from tests.services.gateway.cds_hooks.hooks import BASE, call
from tests.services.gateway.chat.chats import chat_body, messages
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MakeGateway, make_calibrator, picture
from tests.services.gateway.results.answers import answers
from tests.services.gateway.upstream import Upstream
from trustvqa import Client, VqaResult

SAID = "zebra"
"""Text of the option that the model chooses, and of its open answer: no other text holds it."""
OPTIONS = {"A": "Round", "B": SAID, "C": "Spiculated"}
OF_THE_QUESTION = frozenset({"options", "letters", "option_set", "overrideReasons"})
"""Members that list all options, or some of several."""

BY_OPTION = "consistency"
"""A method that gives a number for each option."""

Way = Callable[[httpx.Client, dict[str, Any]], Any]


def asked(http: httpx.Client, given: dict[str, Any]) -> dict[str, Any]:
    reply: dict[str, Any] = http.post("/vqa", json=body(**given)).raise_for_status().json()
    assert reply["decision"] == "defer"
    return reply


def told_twice(http: httpx.Client, given: dict[str, Any]) -> Any:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    return [http.post("/vqa", json=body(**given), headers=key).raise_for_status().json() for _ in range(2)]


def events(http: httpx.Client, given: dict[str, Any]) -> Any:
    reply = http.post("/vqa", json=body(**given), headers={"Accept": "text/event-stream"}).raise_for_status()
    told = [json.loads(each.removeprefix("data: ")) for each in reply.text.splitlines() if each.startswith("data: ")]
    assert told[-1]["decision"] == "defer"
    return told


def batch(http: httpx.Client, given: dict[str, Any]) -> Any:
    key = str(uuid.uuid4())
    first, again = (send(http, [line("a", **given)], key)[0]["a"] for _ in range(2))
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["reply"]["guess"] == again["reply"]["guess"] is not None
    return [first, again]


def record(http: httpx.Client, given: dict[str, Any]) -> Any:
    return http.get(f"/vqa/{asked(http, given)['id']}").raise_for_status().json()


def exported(http: httpx.Client, given: dict[str, Any]) -> Any:
    said = {"who": "dr. x", "right": False}
    found = asked(http, given)
    http.post(f"/vqa/{found['id']}/feedback", json=said).raise_for_status()
    export, reviews = (http.get(path).raise_for_status().json() for path in ("/v1/feedback", "/v1/reviews"))
    of_it = [each for each in export["answers"] if each["id"] == found["id"]]
    of_it += [each for each in reviews["reviews"] if each["answer_id"] == found["id"]]
    assert len(of_it) == 2
    return of_it


def fhir(http: httpx.Client, given: dict[str, Any]) -> Any:
    found = http.post("/vqa", json=body(**given), headers={"Accept": "application/fhir+json"}).raise_for_status().json()
    observation = found["entry"][0]["resource"]
    assert observation["dataAbsentReason"]["coding"][0]["code"] == "asked-unknown"
    return observation if not given["options"] else {"valueCodeableConcept": observation.get("valueCodeableConcept")}


def chat(http: httpx.Client, given: dict[str, Any]) -> Any:
    text = "\n".join(["Which shape?", *(f"{letter}: {text}" for letter, text in given["options"].items())])
    more = {"max_risk": given["max_risk"]}
    whole = http.post("/v1/chat/completions", json=chat_body(messages=messages(text), **more)).raise_for_status().json()
    streamed = http.post("/v1/chat/completions", json=chat_body(messages=messages(text), stream=True, **more))
    pieces = [each.removeprefix("data: ") for each in streamed.raise_for_status().text.splitlines() if "{" in each]
    form = {"response_format": {"type": "json_object"}}
    as_json = http.post("/v1/chat/completions", json=chat_body(messages=messages(text), **form, **more))
    values = json.loads(as_json.raise_for_status().json()["choices"][0]["message"]["content"])
    assert (values["decision"], values["answer"], values["letter"]) == ("defer", None, None)
    return [whole, [json.loads(each) for each in pieces], values]


def card(http: httpx.Client, given: dict[str, Any]) -> Any:
    options = list(given["options"].values()) or ...
    return call(http, options=options, maxRisk=given["max_risk"])


def client(http: httpx.Client, given: dict[str, Any]) -> Any:
    reply = asked(http, given)
    result = VqaResult.from_reply(reply)
    assert result.guess is not None
    assert result.guess.text == SAID
    with Client(str(http.base_url)) as own:
        assert own.ask(picture(), "Which shape?", given["options"]).answer is None
    return [asdict(result), {"shown": f"{result} {result!r}"}]


WAYS: list[Way] = [asked, told_twice, events, batch, record, exported, fhir, chat, card, client]


def told_outside_guesses(found: Any, trail: tuple[str, ...] = ()) -> Iterator[str]:
    """Where what the model chose can be read, but in fields that are called a guess or list options.

    A field that is named after an option, such as `option:B`, tells it, too: the largest of them is the guess.
    """
    if isinstance(found, dict):
        for name, value in found.items():
            if not name.startswith("guess") and name not in OF_THE_QUESTION:
                if re.fullmatch(r"(.*\W)?[A-Z]", name):
                    yield f"{'.'.join((*trail, name))}: {value}"
                yield from told_outside_guesses(value, (*trail, name))
    elif isinstance(found, list | tuple):
        for each in found:
            yield from told_outside_guesses(each, trail)
    elif isinstance(found, str) and (SAID in found or found == "B" or "is B" in found):
        yield f"{'.'.join(trail)}: {found}"


@pytest.fixture(scope="module")
def kept_url(make_gateway: MakeGateway) -> Iterator[str]:
    """A gateway that keeps all texts, has cards, and offers a method whose answers carry a number for each option."""
    with make_gateway(record_texts=True, cds_hooks_url=BASE, methods=("cgp", "verbalized", BY_OPTION)) as url:
        yield url


@pytest.mark.parametrize("options", [{}, OPTIONS], ids=["open", "options"])
@pytest.mark.parametrize("way", WAYS)
def test_a_guess_is_told_as_a_guess_alone(way: Way, options: dict[str, str], kept_url: str, upstream: Upstream) -> None:
    upstream.text = f"The answer is {'B' if options else SAID} with confidence 80."
    given = {"options": options, "max_risk": 0.0001}
    with httpx.Client(base_url=kept_url, timeout=20) as http:
        assert list(told_outside_guesses(way(http, given))) == []


def test_a_guess_is_told(kept_url: str, upstream: Upstream) -> None:
    upstream.text = "The answer is B with confidence 80."
    with httpx.Client(base_url=kept_url, timeout=20) as http:
        reply = asked(http, {"options": OPTIONS, "max_risk": 0.0001})
        kept = http.get(f"/vqa/{reply['id']}").json()
        http.post(f"/vqa/{reply['id']}/feedback", json={"who": "dr. y", "correct_option": "B"}).raise_for_status()
        (row,) = [each for each in http.get("/v1/feedback").json()["answers"] if each["id"] == reply["id"]]
    assert reply["guess"] == {"letter": "B", "text": SAID}
    assert reply["guess_model_text"] == kept["texts"]["guess_explanation"] == upstream.text
    assert (kept["answer"], kept["guess"], row["answer"], row["guess"]) == (None, "B", None, "B")
    assert (kept["guess_signals"], row["guess_signals"]) == ({}, {})
    assert row["right"] is True  # of the guess: reviews of deferrals are what evaluation and refits live on


@pytest.mark.parametrize("way", [asked, told_twice, events, batch, record, exported])
def test_numbers_by_option_are_told_as_a_guess_alone(way: Way, kept_url: str, upstream: Upstream) -> None:
    upstream.text = "The answer is B with confidence 80."
    given = {"options": OPTIONS, "max_risk": 0.0001, "method": BY_OPTION}
    with httpx.Client(base_url=kept_url, timeout=20) as http:
        assert list(told_outside_guesses(way(http, given))) == []


def test_numbers_by_option_are_kept(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    upstream.text = "The answer is B with confidence 80."
    Registry(tmp_path).calibrators.publish(make_calibrator(BY_OPTION, None, right=0.97))
    shares = {"option:A": 0.0, "option:B": 1.0, "option:C": 0.0}
    with (
        make_gateway(methods=(BY_OPTION,), registry=tmp_path, confidence_threshold=0.5) as url,
        httpx.Client(base_url=url, timeout=20) as http,
    ):
        for given, named, bare in (
            ({"max_risk": 0.0001}, "guess_signals", "signals"),
            ({}, "signals", "guess_signals"),
        ):
            reply = http.post("/vqa", json=body(options=OPTIONS, **given)).json()
            http.post(f"/vqa/{reply['id']}/feedback", json={"who": "dr. z", "right": True}).raise_for_status()
            (row,) = [each for each in http.get("/v1/feedback").json()["answers"] if each["id"] == reply["id"]]
            for told in (http.get(f"/vqa/{reply['id']}").json(), row):
                assert told["decision"] == ("defer" if given else "answer")
                assert shares.items() <= told[named].items()
                assert not shares.keys() & told[bare].keys()
                assert told["signals"]["agreement"] == 1.0


def test_no_deferral_that_shows_an_answer_can_be_made() -> None:
    deferred = next(each for each in answers(50) if each.decided.decision == "defer" and each.chosen is not None)
    reply = deferred.reply(recorded=True).model_dump()
    for name, value in (("answer", reply["guess"]), ("model_text", "It is B."), ("explanation", "It is B.")):
        with pytest.raises(ValueError, match="may stand in its guess alone"):
            VqaReply.model_validate(reply | {name: value})
