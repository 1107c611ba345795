"""Pictures with text in their pixels leave for no hosted model that is not named: by none of the ways to one.

The hosted model is a real server at an address of this machine that is not its usual one. What it was sent is looked
at, besides what was said.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from prompt4trust.datasets import Dataset, load_dataset
from prompt4trust.prompts import load_template
from prompt4trust.rewards import get_reward
from services.common.clients.picture_egress import may_see_text
from services.common.registry.directory import Registry
from services.gateway.app import create_gateway
from services.gateway.cds_hooks.schemas import SERVICE_PATH
from services.gateway.settings import GatewaySettings
from services.trainer.evaluation.prediction_run import PredictionPlan, predict
from services.trainer.grpo.config.training_config import AnswerConfig
from services.trainer.grpo.connection import Connection, ConnectionSettings, open_client
from services.trainer.grpo.scoring import Scorer
from services.trainer.model_settings import ModelSettings
from tests.prompt4trust.pictures.dicom.objects import ct, written
from tests.services.gateway.batches.streams import line, send
from tests.services.gateway.cds_hooks.hooks import BASE, hook
from tests.services.gateway.chat.chats import chat_body, messages
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import picture
from tests.support.openai_app import ScriptedServer
from tests.support.servers import running
from trustvqa.client import Client, InvalidQuestionError

HOST = "127.0.0.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
FAULT = "burned-in-annotation"
MAY_GO = {
    "plain": picture(),
    "ct": written(ct()),
    "us that says no": written(ct(Modality="US", BurnedInAnnotation="NO")),
    "capture that says no": written(ct(SOPClassUID=SECONDARY_CAPTURE, BurnedInAnnotation="NO")),
}
MUST_STAY = {
    "ct that says yes": written(ct(BurnedInAnnotation="YES")),
    "us that says yes": written(ct(Modality="US", BurnedInAnnotation="YES")),
    "us": written(ct(Modality="US")),
    "ultrasound in a vessel": written(ct(Modality="IVUS")),
    "capture": written(ct(SOPClassUID=SECONDARY_CAPTURE)),
    "capture of several frames": written(ct(SOPClassUID=f"{SECONDARY_CAPTURE}.4")),
    "converted": written(ct(ConversionType="WSD")),
    "ultrasound by its class": written(ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1")),
    "dose sheet": written(ct(ImageType=["DERIVED", "SECONDARY"])),
    "other": written(ct(Modality="OT")),
    "no modality": written(ct(Modality=None)),
    "statement that is none": written(ct(Modality="US", BurnedInAnnotation="NONE")),
}
OBJECTS = {**MAY_GO, **MUST_STAY}


@pytest.fixture(scope="module")
def hosted() -> Iterator[tuple[ScriptedServer, str]]:
    """A hosted model, and the policy beside it."""
    server = ScriptedServer(lambda _: "The answer is A with confidence 80.")
    with running(server.app, address=HOST) as url:
        yield server, url


@contextmanager
def gateway(hosted_url: str, folder: Path, archives: frozenset[str], **settings: Any) -> Iterator[str]:
    chosen = {
        "policy_url": hosted_url,
        "downstream_url": f"{hosted_url}/v1",
        "downstream_model": "scripted",
        "egress_hosts": {HOST},
        "warm_prefix": "never",
        "registry": Registry(folder / "registry").root,
        "shipped": folder / "none",
        "records_url": "",
        "cds_hooks_url": BASE,
        "archives": archives,
        **settings,
    }
    with running(create_gateway(GatewaySettings(**chosen))) as url:
        yield url


@pytest.fixture(scope="module")
def archive() -> Iterator[frozenset[str]]:
    """A DICOMweb service that has each object, in the study of its place among them."""
    app = FastAPI()
    contents = list(OBJECTS.values())

    @app.get("/dicom-web/studies/1.{place}/series/{series}/instances/{instance}")
    def retrieve(place: int) -> Response:
        return Response(contents[place], headers={"Content-Type": "application/dicom"})

    with running(app) as url:
        yield frozenset({f"{url}/dicom-web"})


@pytest.fixture(scope="module")
def wary(
    hosted: tuple[ScriptedServer, str], archive: frozenset[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with gateway(hosted[1], tmp_path_factory.mktemp("wary"), archive) as url:
        yield url


@pytest.fixture(scope="module")
def trusting(
    hosted: tuple[ScriptedServer, str], archive: frozenset[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with gateway(hosted[1], tmp_path_factory.mktemp("trusting"), archive, burned_in_hosts={HOST}) as url:
        yield url


Way = Callable[[httpx.Client, str, frozenset[str]], str | None]
"""A client of the gateway, an object's name and the archives -> the fault that it was refused by, or None."""


def text(name: str) -> str:
    return base64.b64encode(OBJECTS[name]).decode()


def fault_of(reply: httpx.Response) -> str | None:
    return None if reply.status_code == 200 else str(reply.json()["type"]).rpartition(":")[2]


def by_form(http: httpx.Client, name: str, _: frozenset[str]) -> str | None:
    fields = {"question": "Which?", "options": '["x", "y"]'}
    return fault_of(http.post("/vqa", data=fields, files={"image": ("a", OBJECTS[name], "image/*")}))


def by_json(http: httpx.Client, name: str, _: frozenset[str]) -> str | None:
    return fault_of(http.post("/vqa", json=body(image=text(name))))


def watched(http: httpx.Client, name: str, _: frozenset[str]) -> str | None:
    reply = http.post("/vqa", json=body(image=text(name)), headers={"Accept": "text/event-stream"})
    return FAULT if FAULT in reply.text else None


def by_batch(http: httpx.Client, name: str, _: frozenset[str]) -> str | None:
    replies, _end = send(http, [line("one", image=text(name))])
    told = replies["one"]
    return None if told.get("reply") is not None else str(told["problem"]["type"]).rpartition(":")[2]


def by_chat(http: httpx.Client, name: str, _: frozenset[str]) -> str | None:
    kind = "image/png" if name == "plain" else "application/dicom"
    asked = chat_body(messages=messages(url=f"data:{kind};base64,{text(name)}"))
    reply = http.post("/v1/chat/completions", json=asked)
    return None if reply.status_code == 200 else str(reply.json()["error"]["code"]).replace("_", "-")


def by_hook(http: httpx.Client, name: str, _: frozenset[str]) -> str | None:
    return fault_of(http.post(SERVICE_PATH, json=hook(image=text(name))))


def by_address(http: httpx.Client, name: str, archives: frozenset[str]) -> str | None:
    if name == "plain":
        return None  # archives have no such files
    [root] = archives
    place = list(OBJECTS).index(name)
    address = f"{root}/studies/1.{place}/series/1.2/instances/{ct().SOPInstanceUID}"
    return fault_of(http.post("/vqa", json=body(image=address)))


def by_client(http: httpx.Client, name: str, _: frozenset[str]) -> str | None:
    with Client(str(http.base_url)) as client:
        try:
            client.ask(OBJECTS[name], "Which?", ["x", "y"])
        except InvalidQuestionError as error:
            return error.kind
    return None


WAYS: dict[str, Way] = {
    each.__name__: each for each in (by_form, by_json, watched, by_batch, by_chat, by_hook, by_address, by_client)
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_through_the_gateway_leads_to_a_hosted_model(
    wary: str, hosted: tuple[ScriptedServer, str], archive: frozenset[str], way: str
) -> None:
    server, _ = hosted
    with httpx.Client(base_url=wary, timeout=30) as http:
        for name in MUST_STAY:
            asked = len(server.bodies)
            assert WAYS[way](http, name, archive) == FAULT, name
            assert len(server.bodies) == asked, name
        for name in MAY_GO:
            assert WAYS[way](http, name, archive) is None, name


@pytest.mark.parametrize("way", WAYS)
def test_a_host_that_is_named_is_sent_them(
    trusting: str, hosted: tuple[ScriptedServer, str], archive: frozenset[str], way: str
) -> None:
    server, _ = hosted
    with httpx.Client(base_url=trusting, timeout=30) as http:
        for name in list(MUST_STAY)[::3]:
            asked = len(server.bodies)
            assert WAYS[way](http, name, archive) is None, name
            assert len(server.bodies) > asked, name


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A question about each object."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for place, (name, content) in enumerate(OBJECTS.items()):
        (folder / f"{place}.{'png' if name == 'plain' else 'dcm'}").write_bytes(content)
        rows.append({"id": name, "q": f"Which of {place}?", "A": "x", "B": "y", "answer": "A", "image": f"{place}.dcm"})
    rows[0]["image"] = "0.png"
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"question": "q", "options": "A+B", "answer": "answer", "image": "image", "id": "id"}
    return load_dataset(folder / "questions.jsonl", columns=columns, images=folder)


@contextmanager
def unwatched(_: Path) -> Iterator[Any]:
    yield lambda progress: None


@pytest.mark.parametrize("is_named", [False, True])
async def test_neither_do_evaluations(
    hosted: tuple[ScriptedServer, str], data: Dataset, tmp_path: Path, is_named: bool
) -> None:
    server, url = hosted
    plan = PredictionPlan(("verbalized",), concurrency=4, deadline_s=10.0, policy_version=None, recheck=False)
    settings = ModelSettings(
        downstream_url=f"{url}/v1",
        downstream_model="scripted",
        egress_hosts=frozenset({HOST}),
        burned_in_hosts=frozenset({HOST} if is_named else ()),
    )
    asked = len(server.bodies)
    _, _, rows = await predict(data, plan, settings, tmp_path / "run", unwatched)
    refused = {row.id for row in rows if row.failure is not None}
    assert refused == (set() if is_named else set(MUST_STAY))
    assert len(server.bodies) - asked == len(OBJECTS) - len(refused)
    assert all(FAULT in row.failure.detail for row in rows if row.failure is not None)


@pytest.mark.parametrize("is_named", [False, True])
async def test_nor_do_rewards(
    hosted: tuple[ScriptedServer, str], data: Dataset, tmp_path: Path, is_named: bool
) -> None:
    server, url = hosted
    settings = ConnectionSettings(
        downstream_url=f"{url}/v1",
        downstream_model="scripted",
        egress_hosts=frozenset({HOST}),
        burned_in_hosts=frozenset({HOST} if is_named else ()),
        registry=tmp_path,
    )
    connection = Connection.model_validate_json(Connection.of(settings).model_dump_json())
    answer = AnswerConfig(max_in_flight=8, deadline_s=10.0, attempts=1)
    http, client = open_client(connection, answer, None)
    template, reward = load_template("answer-compact@1"), get_reward("log_score")
    scorer = Scorer(client, template, answer.sampling(), reward, 8, connection.takes_burned_in)
    asked = len(server.bodies)
    async with http:
        outcomes = await scorer.score([(question, "Weigh the edges.") for question in data.questions])
    lost = {outcome.question.id: outcome.lost for outcome in outcomes if outcome.lost is not None}
    assert set(lost) == (set() if is_named else set(MUST_STAY))
    assert all(FAULT in reason for reason in lost.values())
    assert len(server.bodies) - asked == len(OBJECTS) - len(lost)
    rewards = [outcome.reward for outcome in outcomes if outcome.lost is None]
    assert rewards == [pytest.approx(math.log(0.8))] * (len(OBJECTS) - len(lost))


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://127.0.0.1:8082/v1", True),
        ("http://[::1]:8082/v1", True),
        ("http://downstream:8082/v1", True),
        ("https://models.example/v1", False),
        ("https://named.example/v1", True),
        ("https://NAMED.example./v1", True),
        ("https://named.example.evil.example/v1", False),
        ("https://named.example@models.example/v1", False),
        ("http://127.0.0.2/v1", False),
        ("http://3405803781/v1", False),
        ("http://0xcb007105/v1", False),
        ("", False),
        ("no address", False),
    ],
)
def test_whose_the_text_is(url: str, may: bool) -> None:
    assert may_see_text(url, frozenset({"named.example"})) is may
