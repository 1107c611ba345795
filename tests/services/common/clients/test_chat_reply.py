"""Replies in the shapes in which servers send them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from prompt4trust.models import Sampling, TransportError
from services.common.clients.chat_reply import read_reply
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from tests.services.common.clients.scripted_server import MESSAGES, QUICK
from tests.support.habits import TOKENS, VERDICT, HabitsServer
from tests.support.servers import running


@pytest.fixture(scope="module")
def serving() -> Iterator[tuple[HabitsServer, str]]:
    server = HabitsServer()
    with running(server.app) as url:
        yield server, url


LIKELY = [{token: -0.5} for token in TOKENS]


@pytest.mark.parametrize(
    ("habit", "reason", "likely", "tokens"),
    [
        (None, "stop", LIKELY, (9, 4)),
        ("logprobs in the old shape", "stop", LIKELY, (9, 4)),
        ("logprobs are strings", "stop", LIKELY, (9, 4)),
        ("logprobs are {}", "stop", None, (9, 4)),
        ("logprobs are []", "stop", None, (9, 4)),
        ("logprobs are null", "stop", None, (9, 4)),
        ("logprobs hold null", "stop", None, (9, 4)),
        ("logprobs cannot be read", "stop", None, (9, 4)),
        ("counts in nulls", "stop", LIKELY, (0, 0)),
        ("counts in strings", "stop", LIKELY, (9, 4)),
        ("usage is null", "stop", LIKELY, (0, 0)),
        ("has no usage", "stop", LIKELY, (0, 0)),
        ("has no index", "stop", LIKELY, (9, 4)),
        ("numbers all choices 0", "stop", LIKELY, (9, 4)),
        ("sends choices in another order", "stop", LIKELY, (9, 4)),
        ("gives no finish reason", "stop", LIKELY, (9, 4)),
        ("writes in parts", "stop", LIKELY, (9, 4)),
        ("ends by length", "length", LIKELY, (9, 4)),
        ("ends by content_filter", "content_filter", LIKELY, (9, 4)),
        ("ends by tool_calls", "tool_calls", LIKELY, (9, 4)),
        ("refuses in a field of its own", "refusal", LIKELY, (9, 4)),
    ],
)
async def test_every_habit_is_read(
    serving: tuple[HabitsServer, str],
    habit: str | None,
    reason: str,
    likely: list[dict[str, float]] | None,
    tokens: tuple[int, int],
) -> None:
    server, url = serving
    server.behave(*[habit] if habit else [])
    async with HttpPool(f"{url}/v1") as http:
        found = await DownstreamClient(http, "m", QUICK).complete(MESSAGES, Sampling(), n=2, top_logprobs=1)
    for each in found.completions:
        assert (each.text, each.finish_reason, each.top_logprobs) == (VERDICT, reason, likely)
        assert each.tokens == (list(TOKENS) if likely else None)
    assert (found.cost.prompt_tokens, found.cost.completion_tokens) == tokens
    assert (len(server.asked), found.without) == (1, frozenset())


def choice(text: str, **more: Any) -> dict[str, Any]:
    return {"message": {"content": text}, "finish_reason": "stop", **more}


@pytest.mark.parametrize(
    ("indices", "expected"),
    [([1, 0], "BA"), (["1", "0"], "BA"), ([None, 0], "AB"), ([0, 0], "AB"), ([2, 1], "BA")],
)
def test_choices_come_by_index_where_that_orders_them(indices: list[Any], expected: str) -> None:
    choices = [choice(text, index=index) for text, index in zip("AB", indices, strict=True)]
    assert "".join(each.text for each in read_reply({"choices": choices}, 1.0)[0]) == expected


def test_a_first_token_without_a_log_probability_has_its_alternatives_only() -> None:
    logprobs = {"tokens": ["A", "B"], "token_logprobs": [None, -1], "top_logprobs": [None, {"C": "-2", "D": None}]}
    [read], _ = read_reply({"choices": [choice("AB", logprobs=logprobs)]}, 1.0)
    assert read.top_logprobs == [{}, {"C": -2.0, "B": -1.0}]


@pytest.mark.parametrize(("written", "reason"), [(9, "stop"), (10, "length"), (None, "stop")])
def test_a_text_of_the_longest_length_without_a_finish_reason_was_cut_off(written: int | None, reason: str) -> None:
    reply = {"choices": [choice("The", finish_reason=None)], "usage": {"completion_tokens": written}}
    [read], _ = read_reply(reply, 1.0, max_tokens=10)
    assert read.finish_reason == reason


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_what_a_server_gave_up_is_no_answer(reason: str) -> None:
    with pytest.raises(TransportError) as caught:
        read_reply({"choices": [choice("The answer is A", finish_reason=reason)]}, 1.0)
    assert caught.value.status == 503
