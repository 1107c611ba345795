"""Options in the question's own lines, and options that bear letters: one question, whichever way it comes."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.services.gateway.checks import assert_problem, body, said
from tests.services.gateway.conftest import picture
from tests.services.gateway.upstream import Upstream
from trustvqa.client.errors import UNCLEAR_OPTIONS

LINES = "Which shape?\nA) Round\nB) Oval"


def words_of(asked: dict[str, Any]) -> str:
    """All text that the model was asked with."""
    return json.dumps([message["content"] for message in asked["messages"]])


def ask(client: httpx.Client, way: str, fields: dict[str, Any]) -> httpx.Response:
    """Ask by JSON, by a form, in a batch or in a chat."""
    if way == "json":
        return client.post("/vqa", json=body(**{"options": ..., **fields}))
    if way == "form":
        given = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in fields.items()}
        return client.post("/vqa", data=given, files={"image": ("a.png", picture())})
    if way == "batch":
        line = json.dumps({"id": "a", **body(**{"options": ..., **fields})})
        return client.post("/vqa/batch", content=line, headers={"Content-Type": "application/x-ndjson"})
    url = f"data:image/png;base64,{body()['image']}"
    content = [{"type": "text", "text": fields["question"]}, {"type": "image_url", "image_url": {"url": url}}]
    request = {"model": "calibrated-vqa", "messages": [{"role": "user", "content": content}]}
    return client.post("/v1/chat/completions", json=request | {k: v for k, v in fields.items() if k == "options"})


@pytest.mark.parametrize("way", ["json", "form", "batch", "chat"])
@pytest.mark.parametrize(
    "fields",
    [
        {"question": LINES},
        {"question": "Which shape?", "options": ["A) Round", "B) Oval"]},
        {"question": "Which shape?", "options": ["(a) Round", "(b) Oval"]},
        {"question": "Which shape?", "options": {"A": "A: Round", "B": "B: Oval"}},
    ],
    ids=["lines", "letters", "small-letters", "object"],
)
def test_the_same_question_is_asked_whichever_way_its_options_come(
    client: httpx.Client, upstream: Upstream, way: str, fields: dict[str, Any]
) -> None:
    assert ask(client, "json", {"question": "Which shape?", "options": ["Round", "Oval"]}).status_code == 200
    response = ask(client, way, fields)
    assert response.status_code == 200, response.text
    plain, other = upstream.asked
    assert words_of(other) == words_of(plain)


def test_the_answer_names_the_option_without_its_letter(client: httpx.Client) -> None:
    assert said(ask(client, "json", {"question": LINES}).json()) == {"letter": "B", "text": "Oval"}


@pytest.mark.parametrize("way", ["json", "form"])
def test_the_reply_says_what_its_letters_mean(client: httpx.Client, way: str) -> None:
    options = {"A": "Round", "B": "Oval"}
    assert ask(client, way, {"question": LINES}).json()["options"] == options
    assert ask(client, way, {"question": "Which?", "options": ["A: Round", "B: Oval"]}).json()["options"] == options
    assert ask(client, way, {"question": "Which?"}).json()["options"] == {}


@pytest.mark.parametrize("way", ["json", "form"])
def test_options_that_are_named_leave_the_text_as_it_is(client: httpx.Client, upstream: Upstream, way: str) -> None:
    for options in (["Round", "Oval"], "[]" if way == "form" else []):
        assert ask(client, way, {"question": LINES, "options": options}).status_code == 200
    for asked in upstream.asked:
        assert json.dumps(LINES)[1:-1] in json.loads(json.dumps(words_of(asked)))


@pytest.mark.parametrize("way", ["json", "form"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Which? A) Round B) Oval", "one line"),
        ("Which?\n1. Round\n2. Oval", "numbered"),
        ("Which?\nA: x\nC: y", "order"),
    ],
)
def test_lines_that_could_be_read_in_two_ways_are_refused(
    client: httpx.Client, upstream: Upstream, way: str, text: str, reason: str
) -> None:
    found = assert_problem(ask(client, way, {"question": text}), 422, UNCLEAR_OPTIONS)
    assert [each["field"] for each in found["errors"]] == ["question"]
    assert found["errors"][0]["message"] in found["detail"]
    assert reason in found["errors"][0]["message"]
    assert "send them as options" in found["errors"][0]["message"]
    assert upstream.asked == []
    assert ask(client, way, {"question": text, "options": "[]" if way == "form" else []}).status_code == 200


def test_a_line_of_a_batch_is_refused_by_the_same_name(client: httpx.Client, upstream: Upstream) -> None:
    line = json.loads(ask(client, "batch", {"question": "Which? A) Round B) Oval"}).text.splitlines()[0])
    assert (line["status"], line["problem"]["type"]) == (422, f"urn:trustvqa:problem:{UNCLEAR_OPTIONS}")
    assert upstream.asked == []


@pytest.mark.parametrize("text", ["Left, Right", "Left\nRight", "Left;Right", "Left"])
def test_a_form_with_all_options_in_one_field_is_told_what_to_send(client: httpx.Client, text: str) -> None:
    found = assert_problem(ask(client, "form", {"question": "Which?", "options": text}), 422, "invalid-request")
    assert found["errors"][0]["field"] == "options"
    assert "repeat the field" in found["errors"][0]["message"]


def test_an_empty_field_of_options_says_nothing(client: httpx.Client) -> None:
    response = ask(client, "form", {"question": LINES, "options": ""})
    assert said(response.json()) == {"letter": "B", "text": "Oval"}


@pytest.mark.parametrize(
    ("content_type", "parts", "said"),
    [
        ("multipart/form-data", [], "names no boundary"),
        ("multipart/form-data; boundary=y", [], "not parted by the boundary"),
        ("multipart/form-data; boundary=x", [b'name="image"; filename="b.png"'], "more than one image"),
        ("multipart/form-data; boundary=x", [b'name="options"'] * 60, "too many parts"),
        ("multipart/form-data; boundary=x", [b""], "has no name"),
    ],
    ids=["no-boundary", "other-boundary", "two-images", "many-parts", "no-name"],
)
def test_a_form_that_cannot_be_read_says_why(
    client: httpx.Client, content_type: str, parts: list[bytes], said: str
) -> None:
    heads = [b'name="image"; filename="a.png"', *parts]
    raw = b"".join(b"--x\r\nContent-Disposition: form-data; " + head + b"\r\n\r\nvalue\r\n" for head in heads)
    response = client.post("/vqa", content=raw + b"--x--\r\n", headers={"Content-Type": content_type})
    assert said in assert_problem(response, 400, "malformed-form")["detail"]


def test_a_blob_of_json_is_a_field_as_browsers_send_it(client: httpx.Client, upstream: Upstream) -> None:
    files = [
        ("image", ("blob", picture(), "image/png")),
        ("options", ("blob", b'["Round", "Oval"]', "application/json")),
        ("question", ('a "name"; of sorts', b"Which?", "text/plain")),
    ]
    assert said(client.post("/vqa", files=files).json()) == {"letter": "B", "text": "Oval"}
    assert "Which?" in words_of(upstream.asked[-1])
