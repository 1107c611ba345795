"""The clients against a real server that misbehaves as real ones do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from prompt4trust.models import Guidance, Sampling, TransportError
from services.common.clients.downstream import DownstreamClient
from services.common.clients.errors import PictureEgressRefusedError
from services.common.clients.policy import PolicyClient
from services.common.clients.retries import RetrySettings
from services.common.clients.transport import make_http_client, post_json
from tests.support.servers import free_port, running

QUICK = RetrySettings(deadline_s=5.0, attempts=3, wait_initial_s=0.01, wait_max_s=0.05)
MESSAGES = [{"role": "user", "content": "Hello"}]
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]


class Hang(Response):
    """Stands for a reply that never comes."""


@dataclass
class Server:
    """Gives the replies that it is told to, the last one again and again."""

    url: str = ""
    replies: list[Response] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    server = Server()
    app = FastAPI()

    @app.post("/{path:path}")
    async def reply(request: Request) -> Response:
        server.times.append(time.monotonic())
        server.bodies.append(json.loads(await request.body()))
        server.headers.append(dict(request.headers))
        found = server.replies[0] if len(server.replies) == 1 else server.replies.pop(0)
        if isinstance(found, Hang):
            while (await request.receive())["type"] != "http.disconnect":
                pass
        return found

    with running(app) as url:
        server.url = url
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    for log in (shared_server.replies, shared_server.bodies, shared_server.headers, shared_server.times):
        log.clear()
    return shared_server


def choice(index: int, text: str | None = "Hi", **more: Any) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}


def chat(*choices: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"choices": list(choices), "usage": {"prompt_tokens": 9, "completion_tokens": 4}})


def status(code: int, **headers: str) -> JSONResponse:
    return JSONResponse({"error": "hunter2"}, status_code=code, headers=headers)


async def post(server: Server, policy: RetrySettings = QUICK) -> dict[str, Any]:
    async with make_http_client(server.url) as http:
        return await post_json(http, "policy", "v1/things", {"a": 1}, policy)


@pytest.mark.parametrize("passing", [429, 500, 502, 503, 504])
async def test_a_passing_failure_is_tried_again(server: Server, passing: int) -> None:
    server.replies = [status(passing), JSONResponse({"ok": True})]
    assert await post(server) == {"ok": True}
    assert server.bodies == [{"a": 1}] * 2


@pytest.mark.parametrize("lasting", [400, 401, 404, 413, 422, 301])
async def test_what_will_not_change_is_not_tried_again(server: Server, lasting: int) -> None:
    server.replies = [status(lasting)]
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert (caught.value.status, caught.value.timed_out, len(server.bodies)) == (lasting, False, 1)
    assert "hunter2" not in str(caught.value)


async def test_it_gives_up_after_its_attempts(server: Server) -> None:
    server.replies = [status(500)]
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert (caught.value.status, len(server.bodies)) == (500, 3)


async def test_retry_after_is_honoured(server: Server) -> None:
    server.replies = [status(503, **{"Retry-After": "0.3"}), JSONResponse({})]
    await post(server)
    assert server.times[1] - server.times[0] >= 0.3


async def test_a_retry_after_beyond_the_deadline_ends_it_at_once(server: Server) -> None:
    server.replies = [status(503, **{"Retry-After": "3600"})]
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        await post(server)
    assert time.monotonic() - began < QUICK.deadline_s / 2
    assert (caught.value.status, caught.value.retry_after, len(server.bodies)) == (503, 3600, 1)


@pytest.mark.parametrize("value", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "-5"])
async def test_a_retry_after_that_is_no_number_of_seconds_does_not_matter(server: Server, value: str) -> None:
    server.replies = [status(503, **{"Retry-After": value}), JSONResponse({})]
    assert await post(server) == {}


async def test_a_server_that_hangs_costs_the_deadline(server: Server) -> None:
    server.replies = [Hang()]
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        await post(server, RetrySettings(deadline_s=0.3))
    assert 0.3 <= time.monotonic() - began < 3
    assert caught.value.timed_out
    assert caught.value.status is None


async def test_a_deadline_that_falls_into_a_pause_tells_the_failure(server: Server) -> None:
    server.replies = [status(502)]
    with pytest.raises(TransportError) as caught:
        await post(server, RetrySettings(deadline_s=2.0, wait_initial_s=60, wait_max_s=60))
    assert (caught.value.status, caught.value.timed_out) == (502, False)


async def test_a_refused_connection_is_tried_again_and_then_told(server: Server) -> None:
    async with make_http_client(f"http://127.0.0.1:{free_port()}") as http:
        with pytest.raises(TransportError, match="connection failed") as caught:
            await post_json(http, "policy", "v1/things", {}, QUICK)
    assert (caught.value.status, caught.value.timed_out) == (None, False)


async def test_a_caller_that_is_cancelled_stays_cancelled(server: Server) -> None:
    server.replies = [Hang()]
    task = asyncio.create_task(post(server))
    async with asyncio.timeout(5):
        while not server.bodies:  # noqa: ASYNC110 - filled by the server's thread
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("reply", [PlainTextResponse("Well, ..."), JSONResponse([1]), PlainTextResponse("")])
async def test_a_reply_that_is_no_json_object_is_a_transport_error(server: Server, reply: Response) -> None:
    server.replies = [reply]
    with pytest.raises(TransportError, match=r"not (JSON|a JSON object)") as caught:
        await post(server)
    assert (caught.value.status, len(server.bodies)) == (200, 1)


async def test_the_pool_sends_its_key_and_keeps_the_base_path(server: Server) -> None:
    server.replies = [JSONResponse({})]
    async with make_http_client(f"{server.url}/v1", api_key="k-1") as http:
        await post_json(http, "downstream", "chat/completions", {}, QUICK)
    assert server.headers[0]["authorization"] == "Bearer k-1"


async def complete(server: Server, sampling: Sampling | None = None, **more: Any) -> Any:
    options = {key: more.pop(key) for key in ("vendor_parameters", "egress_hosts") if key in more}
    async with make_http_client(f"{server.url}/v1") as http:
        client = DownstreamClient(http, "m-1", QUICK, **options)
        return await client.complete(more.pop("messages", MESSAGES), sampling or Sampling(), **more)


async def test_a_completion_is_asked_for_in_openai_s_words(server: Server) -> None:
    server.replies = [chat(choice(1, "second"), choice(0, "first", finish_reason="length"))]
    sampling = Sampling(temperature=0.1, top_p=0.95, top_k=50, max_tokens=99, seed=7)
    generation = await complete(server, sampling, n=2, top_logprobs=3)
    assert server.bodies == [
        {
            "model": "m-1", "messages": MESSAGES, "n": 2, "temperature": 0.1, "top_p": 0.95, "top_k": 50,
            "max_tokens": 99, "seed": 7, "logprobs": True, "top_logprobs": 3,
        }
    ]  # fmt: skip
    assert [(made.text, made.finish_reason) for made in generation.completions] == [
        ("first", "length"),
        ("second", "stop"),
    ]
    cost = generation.cost
    assert (cost.calls, cost.prompt_tokens, cost.completion_tokens) == (1, 9, 4)
    assert cost.seconds > 0


async def test_a_strict_server_gets_openai_s_own_parameters_only(server: Server) -> None:
    server.replies = [chat(choice(0))]
    await complete(server, Sampling(top_k=50), vendor_parameters=False)
    assert set(server.bodies[0]) == {"model", "messages", "n", "temperature", "top_p", "max_tokens"}


async def test_log_probabilities_come_by_token(server: Server) -> None:
    likely = [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -2}]
    tokens = [
        {"token": "A", "logprob": -0.1, "top_logprobs": likely},
        {"token": ".", "logprob": 0, "top_logprobs": []},
    ]
    server.replies = [chat(choice(0, logprobs={"content": tokens}))]
    generation = await complete(server, top_logprobs=2)
    assert generation.completions[0].top_logprobs == [{"A": -0.1, "B": -2.0}, {".": 0.0}]


async def test_a_completion_without_text_is_empty(server: Server) -> None:
    server.replies = [chat(choice(0, None))]
    assert (await complete(server)).completions[0].text == ""


async def test_a_request_that_the_server_gave_up_is_not_an_answer(server: Server) -> None:
    server.replies = [chat(choice(0, "the answer is"), choice(1, "the ans", finish_reason="abort"))]
    async with make_http_client(server.url) as http:
        with pytest.raises(TransportError) as caught:
            await DownstreamClient(http, "eye", QUICK).complete(MESSAGES, Sampling(), n=2)
    assert caught.value.status == 503


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": []},
        {"choices": None},
        {"choices": [{}]},
        {"choices": ["text"]},
        {"choices": [{"index": 0, "message": None}]},
        {"choices": [choice(0), choice(1)]},
        {"choices": [choice(0)], "usage": {"prompt_tokens": "many"}},
        {"error": {"message": "no"}},
    ],
)
async def test_a_reply_without_usable_choices_is_a_transport_error(server: Server, reply: dict[str, Any]) -> None:
    server.replies = [JSONResponse(reply)]
    with pytest.raises(TransportError) as caught:
        await complete(server)
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("base_url", "egress", "allowed"),
    [
        ("http://127.0.0.1:9/v1", (), True),
        ("http://localhost:9/v1", (), True),
        ("http://[::1]:9/v1", (), True),
        ("http://downstream:9/v1", (), True),
        ("https://api.example.org/v1", (), False),
        ("https://api.example.org/v1", ("api.example.org",), True),
        ("https://api.example.org/v1", ("example.org",), False),
        ("http://203.0.113.5/v1", (), False),
        ("http://127.0.0.1.example.org/v1", (), False),
        ("http://localhost@api.example.org/v1", (), False),
        ("http://localhost./v1", (), False),
        ("http://[2001:db8::1]/v1", (), False),
        ("http://[2001:db8::1]/v1", ("2001:db8::1",), True),
        ("http://3405803781/v1", (), False),
        ("http://0xcb007105/v1", (), False),
    ],
)
async def test_a_picture_leaves_only_for_hosts_that_are_named(
    base_url: str, egress: tuple[str, ...], allowed: bool
) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"choices": [choice(0)]})

    # No such host may be asked from a test: the transport stands where the network would be.
    async with httpx.AsyncClient(base_url=f"{base_url}/", transport=httpx.MockTransport(answer)) as http:
        client = DownstreamClient(http, "m-1", QUICK, egress_hosts=frozenset(egress))
        if allowed:
            await client.complete(PICTURE, Sampling())
        else:
            with pytest.raises(PictureEgressRefusedError, match="egress_hosts"):
                await client.complete(PICTURE, Sampling())
            assert sent == []
        await client.complete(MESSAGES, Sampling())  # text may always go
    assert len(sent) == 1 + allowed


async def guide(server: Server, **more: Any) -> Guidance:
    async with make_http_client(server.url) as http:
        client = PolicyClient(http, QUICK, version=more.pop("version", None))
        return await client.guide("Which?", {"A": "x", "B": "y"}, **more)


async def test_guidance_is_read_with_its_version_and_cost(server: Server) -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 8}
    server.replies = [JSONResponse({"version": "p-1", "prompts": [{"text": "Look."}], "usage": usage})]
    found = await guide(server)
    assert (found.text, found.version) == ("Look.", "p-1")
    assert (found.cost.calls, found.cost.prompt_tokens, found.cost.completion_tokens) == (1, 20, 8)
    await guide(server, version="p-2", seed=5)
    plain = {"question": "Which?", "options": {"A": "x", "B": "y"}}
    assert server.bodies == [plain, {**plain, "version": "p-2", "temperature": 1.0, "seed": 5}]


@pytest.mark.parametrize(
    "reply",
    [{}, {"version": "p-1"}, {"version": "p-1", "prompts": []}, {"version": "p-1", "prompts": [None]},
     {"prompts": [{"text": "Look."}]}, {"version": "p-1", "prompts": [{"text": "Look."}], "usage": [1]}],
)  # fmt: skip
async def test_a_reply_without_guidance_is_a_transport_error(server: Server, reply: dict[str, Any]) -> None:
    server.replies = [JSONResponse(reply)]
    with pytest.raises(TransportError, match="guidance") as caught:
        await guide(server)
    assert caught.value.service == "policy"
