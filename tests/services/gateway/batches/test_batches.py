"""POST /vqa/batch over real HTTP: answers as they come, faults line by line, and a bound on everything."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.services.gateway.batches.streams import NDJSON, line, send, stream
from tests.services.gateway.checks import assert_problem, body, said
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.records.conftest import sqlite_place
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import until


def test_a_line_has_the_answer_that_the_question_has_alone(client: httpx.Client) -> None:
    alone = client.post("/vqa", json=body(max_risk=0.9, method="verbalized")).json()
    told, summary = send(client, [line("a", max_risk=0.9, method="verbalized"), b"\n", line("b")])
    assert set(told) == {"a", "b"}
    assert {(each["line"], each["status"], each["replayed"]) for each in told.values()} == {
        (1, 200, False),
        (3, 200, False),
    }
    reply = told["a"]["reply"]
    changing = {"id": "", "timing_ms": {}}
    assert reply | changing == alone | changing
    assert summary["complete"] is True
    assert summary["counts"]["lines"] == 2
    decisions = [each["reply"]["decision"] for each in told.values()]
    assert summary["counts"]["answered"] == decisions.count("answer")
    assert summary["counts"]["deferred"] == decisions.count("defer")
    assert client.get(f"/vqa/{told['b']['reply']['id']}").json()["id"] == told["b"]["reply"]["id"]


def test_what_is_wrong_with_a_line_is_said_in_its_place(client: httpx.Client, upstream: Upstream) -> None:
    text = base64.b64encode(b"no picture at all").decode()
    lines = [
        b"{not json}\n",
        b"[1]\n",
        line(None),
        line("bad\nid"),
        line("no-question", question=""),
        line("no-picture", image=text),
        line("extra", surplus=1),
        line("good"),
        b'{"id": "last", "question": "no newline behind"}',
    ]
    told, summary = send(client, lines)
    found = {
        name: (each["status"], each.get("problem", {}).get("type", "").rpartition(":")[2])
        for name, each in told.items()
    }
    assert found == {
        "line 1": (400, "malformed-json"),
        "line 2": (422, "invalid-request"),
        "line 3": (422, "invalid-request"),
        "line 4": (422, "invalid-request"),
        "no-question": (422, "invalid-request"),
        "no-picture": (415, "unsupported-image"),
        "extra": (422, "invalid-request"),
        "good": (200, ""),
        "last": (422, "invalid-request"),
    }
    assert told["no-question"]["problem"]["errors"][0]["field"] == "question"
    assert (summary["counts"]["lines"], summary["counts"]["failed"], summary["complete"]) == (9, 8, True)
    assert len(upstream.asked) == 1


def test_a_model_that_is_away_fails_its_lines_and_says_when_to_come_back(
    client: httpx.Client, upstream: Upstream
) -> None:
    upstream.downstream = 503
    told, summary = send(client, [line("a")])
    assert told["a"]["status"] == 503
    assert told["a"]["problem"]["type"].endswith(":downstream-busy")
    assert told["a"]["retry_after"] >= 1
    assert "secret-path" not in json.dumps(told)
    assert summary["counts"]["failed"] == 1


def test_a_line_that_is_too_long_is_skipped_and_the_next_one_answered(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with make_gateway(max_image_bytes=1000) as url, httpx.Client(base_url=url, timeout=20) as client:
        long = b'{"id": "long", "image": "' + b"A" * 1_100_000 + b'"}\n'
        told, _ = send(client, [long, line("next"), long.strip()])
    assert told["line 1"]["problem"]["type"].endswith(":line-too-long")
    assert told["line 3"]["status"] == 413
    assert told["next"]["status"] == 200


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"Content-Type": "application/json"}, 415, "unsupported-media-type"),
        (NDJSON | {"Content-Encoding": "gzip"}, 415, "unsupported-content-encoding"),
        (NDJSON | {"Idempotency-Key": "short"}, 400, "bad-idempotency-key"),
        (NDJSON | {"Webhook-Url": "https://elsewhere.example/"}, 422, "webhook-not-allowed"),
    ],
)
def test_a_batch_that_cannot_be_taken_is_refused_whole(
    client: httpx.Client, upstream: Upstream, headers: dict[str, str], status: int, kind: str
) -> None:
    assert_problem(client.post("/vqa/batch", content=line("a"), headers=headers), status, kind)
    assert upstream.asked == []


def test_lines_that_are_sent_again_get_their_recorded_answers_and_ask_no_model(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    key, place = str(uuid.uuid4()), sqlite_place(tmp_path / "records.db")
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        first, _ = send(client, [line("a"), line("b")], key)
        kept = client.post(f"/vqa/{first['b']['reply']['id']}/feedback", json={"who": "dr. x", "right": True})
        assert kept.status_code == 201
    asked = len(upstream.asked)
    upstream.text = "the answer is C with confidence 80"
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        again, summary = send(client, [line("b"), line("a"), line("c")], key)
        assert len(upstream.asked) == asked + 1
        assert summary["counts"]["replayed"] == 2
        for name in ("a", "b"):
            assert again[name]["replayed"] is True
            lost = {"explanation": None, "model_text": None, "guidance_prompt": None}
            assert again[name]["reply"] == first[name]["reply"] | lost
        assert said(again["c"]["reply"])["letter"] == "C"
        # Under other conditions it is another answer; under another batch's key another record.
        other, _ = send(client, [line("a", method="verbalized")], key)
        assert (other["a"]["replayed"], said(other["a"]["reply"])["letter"]) == (False, "C")
        assert other["a"]["reply"]["id"] == first["a"]["reply"]["id"]
        fresh, _ = send(client, [line("a")], str(uuid.uuid4()))
        assert fresh["a"]["reply"]["id"] != first["a"]["reply"]["id"]
        reused, _ = send(client, [line("a", question="Another one?")], key)
        assert reused["a"]["problem"]["type"].endswith(":idempotency-key-reused")
    assert place.query("SELECT count(*) FROM answers") == [(4,)]
    stored = " ".join(str(row) for row in place.query("SELECT reply FROM answers"))
    assert not [text for text in ("Oval", "confidence 95", "Weigh the border") if text in stored]


def test_texts_that_are_kept_are_told_again(make_gateway: MakeGateway, upstream: Upstream) -> None:
    key = str(uuid.uuid4())
    with make_gateway(record_texts=True) as url, httpx.Client(base_url=url, timeout=20) as client:
        first, _ = send(client, [line("open", options=[]), line("a")], key)
        again, summary = send(client, [line("open", options=[]), line("a")], key)
    assert summary["counts"]["replayed"] == 2
    assert {name: each["reply"] for name, each in again.items()} == {
        name: each["reply"] for name, each in first.items()
    }


async def test_answers_come_while_lines_are_still_sent(gateway_url: str, upstream: Upstream) -> None:
    told = anyio.Event()

    async def lines() -> AsyncIterator[bytes]:
        yield line("first")
        await told.wait()
        yield line("second")

    seen = []
    with anyio.fail_after(20):
        async for each in stream(gateway_url, lines()):
            seen.append(each.get("id"))
            told.set()
    assert seen == ["first", "second", None]


async def test_no_more_is_read_than_is_in_flight(make_gateway: MakeGateway, upstream: Upstream) -> None:
    sent = 0

    async def lines() -> AsyncIterator[bytes]:
        nonlocal sent
        padded = json.loads(line("x"))
        for number in range(120):
            sent += 1
            yield json.dumps(padded | {"id": str(number)}).encode() + b" " * 100_000 + b"\n"

    upstream.downstream = "held"
    with make_gateway(batch_in_flight=3, max_in_flight=16) as url, anyio.fail_after(40):
        replies = stream(url, lines())
        first = asyncio.ensure_future(anext(replies))
        await until(lambda: len(upstream.asked) == 3)
        before = -1
        while before != sent:  # until no buffer on the way takes more
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 120
        assert len(upstream.asked) == 3
        upstream.release.set()
        ids = {(await first)["id"]}
        async for each in replies:
            ids.add(each.get("id"))
        assert ids == {*map(str, range(120)), None}


async def test_a_client_that_leaves_ends_what_was_begun_for_it(gateway_url: str, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    host, _, port = gateway_url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    first = line("a")
    head = f"POST /vqa/batch HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-ndjson\r\n"
    writer.write(f"{head}Content-Length: 1000000\r\n\r\n".encode() + first)
    await writer.drain()
    await until(lambda: len(upstream.asked) == 1)
    writer.close()
    await until(upstream.hung_up.is_set)


async def test_a_client_that_leaves_once_all_is_sent_ends_it_too(gateway_url: str, upstream: Upstream) -> None:
    upstream.downstream = "hang"
    async with httpx.AsyncClient(base_url=gateway_url, timeout=20) as http:
        asking = asyncio.create_task(http.post("/vqa/batch", content=line("a"), headers=NDJSON))
        await until(lambda: len(upstream.asked) == 1)
        asking.cancel()
    await until(upstream.hung_up.is_set)


async def test_slow_lines_are_waited_for_and_endless_ones_are_not(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    async def honest() -> AsyncIterator[bytes]:
        for number in range(4):
            whole = line(str(number))
            yield whole[:30]
            await asyncio.sleep(0.2)
            yield whole[30:]

    async def dribbling() -> AsyncIterator[bytes]:
        for byte in line("slow"):
            yield bytes([byte])
            await asyncio.sleep(0.1)

    async def silent() -> AsyncIterator[bytes]:
        yield line("only")
        await asyncio.sleep(30)

    with make_gateway(upload_deadline_s=0.6, batch_idle_s=0.6) as url, anyio.fail_after(30):
        *told, end = [each async for each in stream(url, honest())]
        assert [each["status"] for each in told] == [200] * 4
        assert end["summary"]["complete"] is True
        [end] = [each async for each in stream(url, dribbling())]
        assert end["summary"]["problem"]["type"].endswith(":request-timeout")
        assert end["summary"]["complete"] is False
        [only, end] = [each async for each in stream(url, silent())]
        assert (only["status"], end["summary"]["complete"]) == (200, False)


async def test_there_are_so_many_batches_and_a_client_has_half_of_them(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    go_on = anyio.Event()

    async def lines() -> AsyncIterator[bytes]:
        yield line("a")
        await go_on.wait()

    with make_gateway(max_batches=3) as url, anyio.fail_after(30):
        held = stream(url, lines())
        assert (await anext(held))["status"] == 200
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            refused = await http.post("/vqa/batch", content=line("b"), headers=NDJSON)
            assert_problem(refused, 503, "too-many-batches")
            assert int(refused.headers["Retry-After"]) >= 1
            go_on.set()
            rest: list[dict[str, Any]] = [each async for each in held]
            assert rest[-1]["summary"]["complete"] is True
            assert (await http.post("/vqa/batch", content=line("b"), headers=NDJSON)).status_code == 200


def test_pictures_in_data_urls_and_open_questions_are_taken(client: httpx.Client) -> None:
    coded = base64.b64encode(picture("RGB", form="JPEG")).decode()
    told, _ = send(client, [line("a", image=f"data:image/jpeg;base64,{coded}", options=[])])
    assert told["a"]["status"] == 200
    assert told["a"]["reply"]["picture"]["source"]["format"] == "JPEG"
