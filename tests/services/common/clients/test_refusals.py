"""Servers that refuse a part of a request: asked again without it, at once the next time, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest

from prompt4trust.models import Generation, Sampling, TransportError
from prompt4trust.prompts import Message
from services.common.clients.chat_request import ChatRequest
from services.common.clients.downstream import DownstreamClient
from services.common.clients.errors import ParameterRefusedError, RefusedError
from services.common.clients.http_pool import HttpPool
from services.common.clients.refusals import changes_to_try
from tests.services.common.clients.scripted_server import QUICK
from tests.support.habits import REFUSALS, VERDICT, HabitsServer

MESSAGES: list[Message] = [
    {"role": "system", "content": "Look closely."},
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "text", "text": "Which shape?"},
        ],
    },
]
FORM = '{"type": "json_schema", "json_schema": {"name": "verdict", "schema": {"type": "object"}}}'
ALL = Sampling(temperature=0.5, top_p=0.95, top_k=50, max_tokens=99, seed=7, response_format=FORM)


@pytest.fixture
def server(serving: tuple[HabitsServer, str]) -> HabitsServer:
    serving[0].behave()
    return serving[0]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def ask(url: str, *times: float, n: int = 2, sampling: Sampling = ALL, **options: Any) -> list[Generation]:
    """Ask the same at each of several times."""
    clock = Clock()
    async with HttpPool(f"{url}/v1") as http:
        client = DownstreamClient(http, "model-1", QUICK, **{"exact": False, **options}, clock=clock)
        found = []
        for clock.now in times:
            found.append(await client.complete(MESSAGES, sampling, n=n, top_logprobs=5))
        return found


@pytest.mark.parametrize(
    ("habits", "without", "first", "second"),
    [
        ([], set(), 1, 1),
        (["refuses max_tokens"], set(), 2, 1),
        (["refuses logprobs"], {"logprobs"}, 2, 1),
        (["refuses top_k"], {"decoding"}, 2, 1),
        (["refuses top_p"], {"decoding"}, 2, 1),
        (["refuses temperature"], {"decoding"}, 2, 1),
        (["refuses seed"], {"seed"}, 2, 1),
        (["refuses a system message"], {"system-message"}, 2, 1),
        (["refuses json_schema"], {"response-format"}, 2, 1),
        (["refuses response_format"], {"response-format"}, 3, 1),
        (["refuses n"], set(), 3, 2),  # each completion is a request
        (["returns one choice"], set(), 2, 2),
        (["refuses logprobs and seed in one text"], {"logprobs", "seed"}, 4, 1),
        (["refuses top_k under the id of each request"], {"decoding"}, 3, 1),
        (["refuses top_k", "refuses seed", "refuses max_tokens"], {"decoding", "seed"}, 4, 1),
        (
            sorted(REFUSALS.keys() - {"refuses for another reason", "refuses max_completion_tokens"}),
            {"logprobs", "decoding", "seed", "system-message", "response-format"},
            None,
            2,
        ),
    ],
)
async def test_a_refused_part_is_left_out_and_remembered(
    serving: tuple[HabitsServer, str],
    server: HabitsServer,
    habits: list[str],
    without: set[str],
    first: int | None,
    second: int,
) -> None:
    server.behave(*habits)
    before, after = await ask(serving[1], 0, 599)
    for generation in (before, after):
        assert [each.text for each in generation.completions] == [VERDICT] * 2
        assert generation.without == without
    assert first is None or len(server.asked) == first + second
    again = len(server.asked)
    await ask(serving[1], 0)  # another client knows nothing of it
    assert len(server.asked) - again == again - second


async def test_after_the_pause_the_whole_is_asked_for_again(
    serving: tuple[HabitsServer, str], server: HabitsServer
) -> None:
    server.behave("refuses seed")
    refused: list[str] = []
    await ask(serving[1], 0, 30, 61, refusal_pause_s=60, refused=refused.append)
    assert ["seed" in body for body in server.asked] == [True, False, False, True, False]
    assert refused == ["seed", "seed"]


async def test_a_length_is_asked_for_by_the_name_that_the_server_takes(
    serving: tuple[HabitsServer, str], server: HabitsServer
) -> None:
    async with HttpPool(f"{serving[1]}/v1") as http:
        client = DownstreamClient(http, "model-1", QUICK)
        for habit in ("refuses max_tokens", "refuses max_completion_tokens"):  # its model was replaced
            server.behave(habit)
            for _ in range(2):
                assert not (await client.complete(MESSAGES, Sampling(max_tokens=9))).without
            named = ["max_tokens" if "max_tokens" in body else "max_completion_tokens" for body in server.asked]
            assert named == [habit.removeprefix("refuses "), *[named[1]] * 2]
            assert all(body[name] == 9 for body, name in zip(server.asked, named, strict=True))


async def test_a_system_message_goes_to_the_head_of_the_question_behind_the_picture(
    serving: tuple[HabitsServer, str], server: HabitsServer
) -> None:
    server.behave("refuses a system message")
    await ask(serving[1], 0)
    [message] = server.asked[-1]["messages"]
    picture, text = message["content"]
    assert (picture["type"], text) == ("image_url", {"type": "text", "text": "Look closely.\n\nWhich shape?"})


async def test_samples_one_by_one_have_seeds_of_their_own(
    serving: tuple[HabitsServer, str], server: HabitsServer
) -> None:
    server.behave("returns one choice")
    [generation] = await ask(serving[1], 0, n=4)
    assert sorted(body["seed"] for body in server.asked) == [7, 8, 9, 10]
    assert len(generation.completions) == 4
    assert (generation.cost.calls, generation.cost.completion_tokens) == (4, 16)


async def test_neutral_values_are_missed_by_nobody(serving: tuple[HabitsServer, str], server: HabitsServer) -> None:
    server.behave("refuses top_p", "refuses any n")
    [generation] = await ask(serving[1], 0, n=1, sampling=Sampling(), exact=True)
    assert not generation.without
    assert set(server.asked[-1]) == {"model", "messages", "temperature", "max_tokens", "logprobs", "top_logprobs"}


@pytest.mark.parametrize(
    ("habit", "omission"),
    [
        ("refuses temperature", "decoding"),
        ("refuses top_k", "decoding"),
        ("refuses a system message", "system-message"),
        ("refuses json_schema", "response-format"),
        ("refuses logprobs", "logprobs"),
    ],
)
async def test_where_the_very_request_counts_a_refusal_is_an_error(
    serving: tuple[HabitsServer, str], server: HabitsServer, habit: str, omission: str
) -> None:
    server.behave(habit)
    with pytest.raises(ParameterRefusedError, match="it refuses ") as caught:
        await ask(serving[1], 0, exact=True)
    assert (caught.value.omission, caught.value.status) == (omission, REFUSALS[habit][1])
    assert len(server.asked) == 1


async def test_another_refusal_stays_one_whatever_words_it_uses(
    serving: tuple[HabitsServer, str], server: HabitsServer
) -> None:
    server.behave("refuses for another reason")
    refused: list[str] = []
    for _ in range(2):
        with pytest.raises(TransportError, match="status 400"):
            await ask(serving[1], 0, refused=refused.append)
    assert not refused
    assert len(server.asked) == 4  # the length by its other name, each time


def refusal(said: str, status: int = 400) -> RefusedError:
    return RefusedError("downstream", "it replied", status=status, retry_after=None, said=said)


@pytest.mark.parametrize(
    ("said", "status", "expected"),
    [
        ('{"error": {"message": "temperature and top_p cannot both be given", "param": null}}', 400, "temperature"),
        ('{"error": {"message": "temperature or top_p", "param": "top_p"}}', 400, "top_p"),
        ('{"error": {"message": "Unsupported", "param": "messages[0].role"}}', 400, "system"),
        ("Developer instruction is not enabled for this model", 400, "system"),
        ("conversation roles must alternate user/assistant", 400, "system"),
        ('{"message": {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs"}]}}', 422, "seed"),
        ("[{'loc': ('body',), 'msg': 'unknown: top_k', 'input': {'seed': 7, 'temperature': 0.5}}]", 400, "top_k"),
        ('{"detail": [{"loc": ["body"], "msg": "no top_k", "input": {"seed": 7}}]}', 422, "top_k"),
        ("property 'n' is unsupported", 400, "n"),
        ("no seed", 500, None),
        ("no seed", 404, None),
        ("[" * 2000, 400, None),
        ("", 400, None),
    ],
)
def test_what_a_refusal_names(said: str, status: int, expected: str | None) -> None:
    request = ChatRequest("m", MESSAGES, ALL, n=2, top_logprobs=5)
    named = changes_to_try(refusal(said, status), request, ())
    assert (named[0] if named else None) == expected


def test_only_what_was_asked_for_can_be_left_out() -> None:
    request = ChatRequest("m", [{"role": "user", "content": "?"}], Sampling(), vendor_parameters=False)
    said = "no logprobs, no seed, no top_k, no 'system' role, no response_format"
    assert changes_to_try(refusal(said), request, ()) == []
