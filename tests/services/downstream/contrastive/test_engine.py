"""A contrastive model behind a real server, asked by the official client and by the service's own."""

from __future__ import annotations

import asyncio
import io
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from prompt4trust.estimators.logprob import Logprob
from prompt4trust.models import Sampling
from prompt4trust.prompts import answer_messages, load_template
from prompt4trust.verdict import Verdict, parse_verdict
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.common.contrastive.model import ContrastiveModel
from services.common.engine.errors import ContextOverflowError
from services.common.engine.interface import GenerationRequest
from services.downstream.app import downstream_app
from services.downstream.contrastive import engine as engine_module
from services.downstream.contrastive.engine import ContrastiveEngine, ContrastiveOptions
from services.downstream.settings import DownstreamSettings
from tests.services.common.contrastive.tiny import save_clip
from tests.services.common.engine.tiny import data_url, png
from tests.support.servers import running
from tests.support.waiting import wait_until

MODEL = "tiny-comparer"
OPTIONS = {"A": "left", "B": "right", "C": "upper", "D": "lower"}
PICTURE = data_url(png(0, 40, 30))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("comparer"))


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[str]:
    settings = DownstreamSettings(
        model=MODEL, model_path=str(directory), max_batch=4, max_waiting=12, max_n=64, device="cpu"
    )
    with running(downstream_app(settings)) as url:
        wait_until(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        yield url


@pytest.fixture
def client(server: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def probabilities(directory: Path) -> dict[str, float]:
    """The model's own probabilities, computed beside the server."""
    model = ContrastiveModel.load(directory)
    picture = Image.open(io.BytesIO(png(0, 40, 30)))
    logits = model.scale * model.encode_options(list(OPTIONS.values())) @ model.encode_pictures([picture])[0]
    return dict(zip(OPTIONS, logits.softmax(0).tolist(), strict=True))


def messages(picture: str | None = PICTURE, template: str = "answer-compact@1", **how: Any) -> Any:
    return answer_messages(load_template(template), "Which side?", OPTIONS, image_url=picture, **how)


def ask(client: openai.OpenAI, **how: Any) -> Any:
    return client.chat.completions.create(**{"model": MODEL, "messages": messages(), "temperature": 0, **how})


def test_the_nearest_option_is_named_with_its_probability(
    client: openai.OpenAI, probabilities: dict[str, float]
) -> None:
    reply = ask(client, logprobs=True, top_logprobs=10)
    verdict = parse_verdict(reply.choices[0].message.content, list(OPTIONS))
    best = max(probabilities, key=lambda letter: probabilities[letter])
    assert isinstance(verdict, Verdict)
    assert verdict.answer == best
    assert verdict.confidence == pytest.approx(probabilities[best], abs=0.0051)
    assert reply.choices[0].finish_reason == "stop"
    tokens = reply.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == reply.choices[0].message.content
    letter = next(token for token in tokens if token.token == f" {best}")
    told = {other.token.strip(): math.exp(other.logprob) for other in letter.top_logprobs}
    assert told == {each: pytest.approx(value, abs=1e-6) for each, value in probabilities.items()}
    assert [token.logprob for token in tokens if token is not letter] == [0.0] * (len(tokens) - 1)
    assert reply.usage.completion_tokens == len(tokens)


def test_guidance_changes_nothing(client: openai.OpenAI) -> None:
    plain = ask(client).choices[0].message.content
    guided = ask(client, messages=messages(guidance="Be cautious.")).choices[0].message.content
    assert guided == plain


def test_samples_follow_the_probabilities_and_the_seed(client: openai.OpenAI, probabilities: dict[str, float]) -> None:
    def letters(seed: int) -> list[str]:
        reply = ask(client, temperature=1, n=16, seed=seed)
        found = [parse_verdict(choice.message.content, list(OPTIONS)) for choice in reply.choices]
        return [verdict.answer or "" for verdict in found if isinstance(verdict, Verdict)]

    assert letters(1) == letters(1)
    drawn = [letter for seed in range(12) for letter in letters(seed)]
    for letter, probability in probabilities.items():
        spread = 4 * math.sqrt(probability * (1 - probability) / len(drawn))
        assert drawn.count(letter) / len(drawn) == pytest.approx(probability, abs=spread)


def test_a_streamed_reply_is_the_same_text(client: openai.OpenAI) -> None:
    whole = ask(client, temperature=1, n=2, seed=3)
    texts, reasons, usage = ["", ""], ["", ""], None
    stream = ask(client, temperature=1, n=2, seed=3, stream=True, stream_options={"include_usage": True})
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert texts == [choice.message.content for choice in whole.choices]
    assert reasons == ["stop", "stop"]
    assert usage is not None
    assert usage.completion_tokens == whole.usage.completion_tokens


def test_lengths_and_stops_end_a_reply(client: openai.OpenAI) -> None:
    short = ask(client, max_tokens=3).choices[0]
    assert (short.message.content, short.finish_reason) == ("The answer is", "length")
    stopped = ask(client, stop=[" with"]).choices[0]
    assert stopped.message.content.startswith("The answer is ")
    assert len(stopped.message.content) == len("The answer is X")
    assert stopped.finish_reason == "stop"


def test_a_schema_is_kept(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"answer": {"enum": ["A"]}, "confidence": {"type": "integer"}}}
    schema |= {"required": ["answer", "confidence"]}
    form = {"type": "json_schema", "json_schema": {"name": "v", "schema": schema}}
    verdict = parse_verdict(ask(client, response_format=form).choices[0].message.content, list(OPTIONS))
    assert isinstance(verdict, Verdict)
    assert verdict.answer == "A"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"messages": messages(None)}, "one_image_needed"),
        ({"messages": [{"role": "user", "content": "hello"}]}, "options_missing"),
        ({"messages": messages(guidance="First:\nA. Look twice.")}, "options_ambiguous"),
        ({"messages": [{"role": "user", "content": "A. x\n" * 70_000}]}, "context_length_exceeded"),
        ({"logit_bias": {"5": 1}}, "invalid_value"),
        ({"extra_body": {"structured_outputs": {"regex": "[0-9]+"}}}, "invalid_value"),
        ({"messages": messages("data:image/png;base64,AAAA")}, "invalid_image"),
        ({"max_tokens": 100_000}, "context_length_exceeded"),
        ({"n": 17}, None),
        ({"n": 65}, "integer_above_max_value"),
    ],
)
def test_what_it_cannot_do_is_refused(client: openai.OpenAI, how: dict[str, Any], code: str | None) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **how)
    assert caught.value.code == code


def test_text_that_the_model_does_not_read_may_have_more_tokens_than_a_completion(client: openai.OpenAI) -> None:
    reply = ask(client, messages=messages(guidance="z q " * 5000))
    assert reply.choices[0].message.content == ask(client).choices[0].message.content
    # Of what it reads, the options.
    assert reply.usage.prompt_tokens == ask(client).usage.prompt_tokens < 100


async def test_what_is_kept_of_pictures_and_options_is_bounded_and_may_be_nothing(directory: Path) -> None:
    model = ContrastiveModel.load(directory)
    for kept in (0, 1):
        async with ContrastiveEngine(model, ContrastiveOptions(kept_pictures=kept)) as engine:
            steps = []
            for seed in (1, 1, 2):
                picture = data_url(png(seed, 40, 30))
                request = GenerationRequest(messages(picture), Sampling(), pictures=(picture,))
                await engine.complete(request)
                steps.append(engine.stats.steps)
            assert steps == ([5, 10, 15] if kept == 0 else [5, 5, 6])
            assert (len(engine._seen), len(engine._told)) == ((0, 0) if kept == 0 else (1, 4))


async def test_a_chat_is_measured_ahead_of_being_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.downstream.contrastive.engine.read_options", lambda _: pytest.fail("was read"))
    async with ContrastiveEngine(ContrastiveModel.load(directory), ContrastiveOptions(max_model_len=16)) as engine:
        with pytest.raises(ContextOverflowError, match="1024 characters"):
            await engine.complete(GenerationRequest([{"role": "user", "content": "x" * 1025}], Sampling()))


def test_the_tokenizer_is_used_on_the_models_thread_alone(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()
    for name in ("count_tokens", "encode_options"):
        plain = getattr(ContrastiveModel, name)

        def noted(self: ContrastiveModel, asked: Any, plain: Any = plain) -> Any:
            used.add(threading.current_thread().name)
            return plain(self, asked)

        monkeypatch.setattr(ContrastiveModel, name, noted)

    async def answer() -> None:
        async with ContrastiveEngine(ContrastiveModel.load(directory), ContrastiveOptions()) as engine:
            await engine.complete(GenerationRequest(messages(), Sampling(), pictures=(PICTURE,)))

    asyncio.run(answer())
    assert used == {"contrastive-model_0"}


async def test_a_picture_is_read_beside_the_event_loop(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: dict[str, threading.Thread] = {}
    for name in ("read_request_picture", "digest_of"):
        plain = getattr(engine_module, name)

        def noted(*asked: Any, name: str = name, plain: Any = plain) -> Any:
            used[name] = threading.current_thread()
            return plain(*asked)

        monkeypatch.setattr(engine_module, name, noted)
    async with ContrastiveEngine(ContrastiveModel.load(directory), ContrastiveOptions()) as engine:
        await engine.complete(GenerationRequest(messages(), Sampling(), pictures=(PICTURE,)))
    assert set(used) == {"read_request_picture", "digest_of"}
    assert threading.current_thread() not in used.values()


def test_an_option_that_is_too_long_is_refused_and_the_next_request_served(client: openai.OpenAI) -> None:
    long = answer_messages(
        load_template("answer-compact@1"), "Side?", {"A": "left " * 90, "B": "right"}, image_url=PICTURE
    )
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, messages=long)
    assert caught.value.code == "option_too_long"
    assert ask(client).choices[0].finish_reason == "stop"


async def test_the_services_own_client_reads_the_options_probabilities(
    server: str, probabilities: dict[str, float]
) -> None:
    async with HttpPool(f"{server}/v1") as http:
        asked = Logprob(
            DownstreamClient(http, MODEL, RetrySettings()), load_template("answer-compact@1"), Sampling(temperature=0)
        )
        found = await asked.answer("Which side?", OPTIONS, PICTURE)
    assert isinstance(found.verdict, Verdict)
    assert found.verdict.confidence == pytest.approx(max(probabilities.values()), abs=1e-6)
