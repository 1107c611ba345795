"""The client against gateways over real HTTP: what it sends, what it makes of replies, and when it asks again."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

import trustvqa
import trustvqa.client
from tests.support.servers import free_port
from tests.trustvqa.client.gateways import ANSWER, DEFERRAL, FakeGateway, problem
from trustvqa.client import (
    AsyncClient,
    BusyGatewayError,
    Client,
    ClientError,
    ConflictError,
    DeadlineError,
    FailedGatewayError,
    GatewayUnreachableError,
    InvalidQuestionError,
    NotAGatewayError,
    ProblemError,
    RefusedKeyError,
    UnknownRecordError,
    VqaQuestion,
    VqaResult,
    errors,
)

PICTURE = b"\x89PNG pixels"
_QUESTIONS = [VqaQuestion(PICTURE, "Which?")] * 3


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.url, api_key="tvqa_x", deadline_s=20) as made:
        yield made


def test_everything_that_is_said_is_sent_and_nothing_else(client: Client, gateway: FakeGateway) -> None:
    groups = {"modality": "CT"}
    client.ask(PICTURE, "Which?", ["Round", "Oval"], method="cgp", max_risk=0.0, coverage=0.9, groups=groups, try_s=7.2)
    client.ask(PICTURE, "What is it?")
    client.ask(PICTURE, "Which?", {"A": "Round", "B": "Oval"}, frame=2, window="BONE")
    client.ask(PICTURE, "Which?", window=(-600, 1500))
    first, second, third, fourth = gateway.requests
    assert first["form"] == {
        "question": ["Which?"],
        "options": ["Round", "Oval"],
        "method": ["cgp"],
        "max_risk": ["0.0"],
        "coverage": ["0.9"],
        "groups": ['{"modality": "CT"}'],
    }
    assert (first["image"], first["filename"]) == (PICTURE, "image")
    assert first["headers"]["authorization"] == "Bearer tvqa_x"
    assert first["headers"]["prefer"] == "wait=8"
    assert second["form"] == {"question": ["What is it?"]}
    assert json.loads(third["form"]["options"][0]) == {"A": "Round", "B": "Oval"}
    assert (third["form"]["frame"], third["form"]["window"]) == (["2"], ["BONE"])
    assert json.loads(fourth["form"]["window"][0]) == {"center": -600, "width": 1500}
    assert len(set(gateway.keys)) == 4


def test_an_answer_is_an_answer_and_a_deferral_shows_none(client: Client, gateway: FakeGateway) -> None:
    answered = client.ask(PICTURE, "Which?", ["Round", "Oval"])
    assert (answered.decision, answered.is_deferred) == ("answer", False)
    assert answered.answer is not None
    assert str(answered) == "B. Oval (71 %, calibrated)"
    assert answered.calibration.fitted_on == {"n": 2000, "dataset": "phantom-vqa"}
    assert answered.explanation == "The answer is B with confidence [number left out]."
    assert answered.model_text == "The answer is B with confidence 95."
    assert answered.statement == "B (Oval). Of 100 answers like this one about 71 were right. No guarantee."
    assert answered.raw == ANSWER
    gateway.replies = [(200, DEFERRAL, {})]
    deferred = client.ask(PICTURE, "Which?", ["Round", "Oval"])
    assert (deferred.answer, deferred.explanation, deferred.is_deferred) == (None, None, True)
    assert deferred.guess is not None
    assert (deferred.guess.letter, deferred.model_text) == ("B", None)
    assert deferred.guess_model_text == "The answer is B with confidence 95."
    assert (answered.guess, answered.guess_model_text) == (None, None)
    assert deferred.statement == "There is no reliable answer to this question. A person should judge it."
    for shown in (str(deferred), repr(deferred), f"{deferred}"):
        assert "Oval" not in shown
        assert "answer is B" not in shown


@pytest.mark.parametrize(
    "said",
    [
        {"answer": {"letter": "B", "text": "Oval"}, "explanation": "It is Oval."},
        {"answer": {"letter": "B", "text": "Oval"}, "guess_explanation": "It is Oval.", "model_text": "It is Oval."},
    ],
)
def test_what_gateways_of_before_called_the_answer_of_a_deferral_is_a_guess(said: dict[str, Any]) -> None:
    own = ("answer", "guess", "explanation", "guess_explanation", "model_text", "guess_model_text")
    result = VqaResult.from_reply({name: value for name, value in DEFERRAL.items() if name not in own} | said)
    assert result.guess is not None
    assert (result.answer, result.guess.text, result.guess_explanation) == (None, "Oval", "It is Oval.")
    assert {name for name, value in result.raw.items() if "Oval" in str(value)} <= {
        "guess",
        "guess_explanation",
        "guess_model_text",
    }


def test_a_set_of_one_option_is_no_part_of_a_deferral() -> None:
    alone = {"option_set": {"letters": ["B"], "coverage": 0.9, "reason": "B is right for 90 % of them."}}
    deferred = VqaResult.from_reply(DEFERRAL | alone)
    assert deferred.option_set is None
    assert deferred.option_set_reason is not None
    assert "90 %" not in repr(deferred)
    assert deferred.raw["option_set"] is None
    for reply, letters in ((ANSWER | alone, ("B",)), (DEFERRAL, ("B", "C"))):
        left = VqaResult.from_reply(reply).option_set
        assert left is not None
        assert left.letters == letters


@pytest.mark.parametrize("options", ["Yes", b"Yes", "AB", {"Yes", "No"}])
def test_one_text_is_no_list_of_options(client: Client, gateway: FakeGateway, options: Any) -> None:
    with pytest.raises(TypeError, match="list of texts"):
        client.ask(PICTURE, "Which?", options)
    assert gateway.requests == []


def test_bytes_that_are_no_text_are_not_sent(client: Client, gateway: FakeGateway) -> None:
    with pytest.raises(ClientError, match="no text"):
        client.ask(PICTURE, "Gr\udcf6\udcdfe?")
    assert gateway.requests == []
    told = {each.id: each for each in client.batch([VqaQuestion(PICTURE, "\udcf6", id="a"), _QUESTIONS[0]])}
    assert "no text" in str(told["a"].error)
    assert told["1"].error is None


def test_uncalibrated_confidence_is_said_to_be() -> None:
    reply = ANSWER | {"calibration": {"calibrated": False, "reason": "none fits"}}
    assert str(VqaResult.from_reply(reply)) == "B. Oval (71 %, not calibrated)"


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "malformed-json", InvalidQuestionError),
        (401, "key-required", RefusedKeyError),
        (403, "key-lacks-scope", RefusedKeyError),
        (404, "not-found", UnknownRecordError),
        (409, "already-reviewed", ConflictError),
        (413, "image-too-large", InvalidQuestionError),
        (415, "unsupported-image", InvalidQuestionError),
        (422, "invalid-request", InvalidQuestionError),
        (500, "internal-error", FailedGatewayError),
        (418, "teapot", ProblemError),
    ],
)
def test_a_refusal_is_an_error_with_a_name_and_is_not_tried_again(
    client: Client, gateway: FakeGateway, status: int, kind: str, error: type[ProblemError]
) -> None:
    faults = [{"field": "question", "message": "is blank"}]
    gateway.replies = [(status, problem(kind, status, errors=faults, scope="ask"), {})]
    with pytest.raises(error) as raised:
        client.ask(PICTURE, "Which?")
    assert type(raised.value) is error
    found = raised.value
    assert (found.status, found.kind, str(found), found.request_id) == (status, kind, f"{kind}: change it", "r-1")
    assert [(each.field, each.message) for each in found.errors] == [("question", "is blank")]
    assert found.scope == "ask"
    assert len(gateway.requests) == 1


def test_a_busy_gateway_is_asked_again_under_one_key(client: Client, gateway: FakeGateway) -> None:
    said: list[str] = []
    gateway.replies = [
        (503, problem("busy", 503), {"Retry-After": "0"}),
        (502, problem("downstream-failed", 502), {}),
        (429, problem("refused-too-often", 429), {"Retry-After": "0"}),
    ]
    assert client.ask(PICTURE, "Which?", on_retry=said.append).decision == "answer"
    assert len(gateway.requests) == 4
    assert len(set(gateway.keys)) == 1
    assert said == [f"it replied with status {status}" for status in (503, 502, 429)]
    given = "0123456789abcdef"
    client.ask(PICTURE, "Which?", idempotency_key=given)
    assert gateway.keys[-1] == f'"{given}"'


def test_it_does_not_wait_for_longer_than_it_may(gateway: FakeGateway) -> None:
    gateway.replies = [(503, problem("busy", 503), {"Retry-After": "60"})] * 2
    with Client(gateway.url, deadline_s=20) as client:
        with pytest.raises(BusyGatewayError) as raised:
            client.ask(PICTURE, "Which?")
        assert raised.value.retry_after == 60.0
    with Client(gateway.url, deadline_s=20, patience_s=0) as client, pytest.raises(BusyGatewayError):
        client.ask(PICTURE, "Which?")
    assert len(gateway.requests) == 2


async def test_a_gateway_that_never_replies_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        async with AsyncClient(f"http://127.0.0.1:{silent.getsockname()[1]}", deadline_s=0.3) as client:
            with pytest.raises(DeadlineError):
                await client.ask(PICTURE, "Which?")
    assert time.monotonic() - began < 5


def test_one_that_dribbles_is_given_up_too(client: Client, gateway: FakeGateway) -> None:
    from starlette.responses import StreamingResponse

    async def dribble() -> Any:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    gateway.replies = [StreamingResponse(dribble(), media_type="application/json")]
    with pytest.raises(DeadlineError):
        client.ask(PICTURE, "Which?", deadline_s=0.4)


def test_a_gateway_that_is_away_is_named_once_the_patience_is_over() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url, patience_s=0.3) as client, pytest.raises(GatewayUnreachableError) as raised:
        client.ask(PICTURE, "Which?")
    assert str(raised.value).startswith(f"{url} cannot be reached (")
    secret = url.replace("//", "//user:secret@")
    with Client(secret, patience_s=0) as client, pytest.raises(GatewayUnreachableError, match=url) as raised:
        client.ask(PICTURE, "Which?")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("options", "sent"), [([], "[]"), (["a"], '["a"]'), (["a", "b"], ["a", "b"])])
def test_one_option_is_sent_as_a_list_of_one(options: list[str], sent: object) -> None:
    """A field that a form has once is no list: the gateway would speak of forms and not of the number of options."""
    assert VqaQuestion(PICTURE, "Which?", options).form()["options"] == sent


def test_a_program_s_output_is_its_own(
    client: Client, gateway: FakeGateway, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Tries are told to the log "trustvqa.client", which is silent unless a program listens to it."""
    gateway.replies = [(503, problem("busy", 503), {"Retry-After": "0"})] * 2
    with caplog.at_level("INFO", logger="trustvqa.client"):
        client.ask(PICTURE, "Which?")
    assert [each.getMessage().partition(" in ")[0] for each in caplog.records if each.name == "trustvqa.client"] == [
        "busy: change it: asking again"
    ] * 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "reply", [b"<html>", b"[1]", b'{"id": "1"}', b'"x"', b'{"id": 1, "decision": "perhaps"}', b"[" * 100_000]
)
def test_what_no_gateway_says_is_not_taken_for_a_result(client: Client, gateway: FakeGateway, reply: bytes) -> None:
    gateway.replies = [Response(reply, media_type="application/json")]
    with pytest.raises(NotAGatewayError):
        client.ask(PICTURE, "Which?")


def test_feedback_is_not_sent_twice_where_it_may_have_arrived(client: Client, gateway: FakeGateway) -> None:
    gateway.replies = [(503, problem("records-unavailable", 503), {"Retry-After": "0"}), (201, {"who": "x"}, {})]
    assert client.give_feedback("1", who="x", correct_option="B") == {"who": "x"}
    assert json.loads(gateway.requests[0]["body"]) == {"who": "x", "correct_option": "B"}
    assert len(gateway.requests) == 2
    gateway.replies = [(502, problem("x", 502), {})]
    with pytest.raises(FailedGatewayError):
        client.give_feedback("1", who="x", right=False)
    assert json.loads(gateway.requests[2]["body"]) == {"who": "x", "right": False}
    assert len(gateway.requests) == 3


def test_what_the_gateway_offers_can_be_asked(client: Client, gateway: FakeGateway) -> None:
    for call, path in (
        (client.about, "/v1/about"),
        (client.calibration, "/calibration.json"),
        (client.calibrators, "/v1/calibrators"),
        (lambda: client.record("7"), "/vqa/7"),
    ):
        gateway.replies = [(200, {"x": path}, {})]
        assert call() == {"x": path}
        assert (gateway.requests[-1]["method"], gateway.requests[-1]["path"]) == ("GET", path)


def test_address_and_key_come_from_the_environment(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("tvqa_y\n")
    monkeypatch.setenv("TRUSTVQA_URL", gateway.url + "/")
    monkeypatch.delenv("TRUSTVQA_API_KEY", raising=False)
    monkeypatch.setenv("TRUSTVQA_API_KEY_FILE", str(file))
    with Client() as client:
        assert client.url == gateway.url
        assert "tvqa_y" not in repr(client)
        client.ask(PICTURE, "Which?")
    assert gateway.requests[0]["headers"]["authorization"] == "Bearer tvqa_y"
    file.write_text("")
    with pytest.raises(ClientError, match="which is empty"):
        Client()


@pytest.mark.parametrize("url", ["", "gateway:8080", "ftp://x", "http://", "http://a b:80", "http://a\nb"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="is no address"):
        Client(url)


@pytest.mark.parametrize("work", [Client.about, lambda client: list(client.batch(_QUESTIONS))])
def test_who_waits_is_told_that_the_client_is_closed(work: Callable[[Client], Any]) -> None:
    errors_of_waiting: list[BaseException] = []

    def wait(client: Client) -> None:
        try:
            work(client)
        except BaseException as error:
            errors_of_waiting.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}", api_key="tvqa_x")
        waiting = threading.Thread(target=wait, args=(client,), daemon=True)
        waiting.start()
        with listening.accept()[0] as connection:
            assert connection.recv(1)  # it has asked, and nobody will reply
            client.close()
            waiting.join(20)
    assert not waiting.is_alive()
    (error,) = errors_of_waiting
    assert isinstance(error, RuntimeError)
    assert str(error) == "the client is closed"


def test_a_closed_client_says_so_and_may_be_closed_again(gateway: FakeGateway) -> None:
    client = Client(gateway.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.ask(PICTURE, "Which?")


def test_both_clients_take_the_same() -> None:
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_") and name != "close":
            ours, theirs = inspect.signature(method), inspect.signature(getattr(AsyncClient, name))
            assert list(ours.parameters) == list(theirs.parameters), name


def test_exported_names_exist_and_every_error_is_in_the_tree() -> None:
    for name in trustvqa.client.__all__:
        assert getattr(trustvqa.client, name).__name__ == name
    for name in trustvqa.__all__:
        assert getattr(trustvqa, name) is getattr(trustvqa.client, name)
    with pytest.raises(AttributeError):
        trustvqa.Nothing  # noqa: B018
    found = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)}
    assert found
    for each in found:
        assert issubclass(each, ClientError)
        assert f" {each.__name__} " in f" {errors.__doc__} ".replace("\n", " ")


def test_to_import_the_package_costs_nothing() -> None:
    probe = "import sys, trustvqa; print({'httpx', 'pydantic', 'numpy', 'stamina'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_program_that_does_not_close_its_client_ends(gateway: FakeGateway) -> None:
    program = f"import trustvqa; c = trustvqa.Client({gateway.url!r}); print(c.ask({PICTURE!r}, 'Which?'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "B. Oval (71 %, calibrated)"
