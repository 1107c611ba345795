"""The estimators: what they ask, what they make of the reply, what they cost; and their table of names."""

from __future__ import annotations

import base64
from io import BytesIO

import pytest
from PIL import Image

from prompt4trust.estimators import ESTIMATORS, PolicyNeededError, get_estimator
from prompt4trust.estimators.base import Estimator
from prompt4trust.estimators.fixed_prompt import load_fixed_guidance
from prompt4trust.models import Completion, Cost, Decoding, Generation, Sampling, TransportError
from prompt4trust.prompts import answer_messages, load_template
from prompt4trust.verdict import Invalid, Verdict
from tests.support.models import ScriptedDownstream, ScriptedPolicy, overconfident

TEMPLATE = load_template("answer-compact@1")
OPTIONS = {"A": "Round", "B": "Oval"}
SAMPLING = Sampling(temperature=0.1, seed=3)
IMAGE = "data:image/png;base64,AA=="


def picture_url() -> str:
    """A picture that can be read."""
    buffer = BytesIO()
    Image.new("L", (8, 8), 128).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


async def test_verbalized_asks_once_without_guidance() -> None:
    downstream = ScriptedDownstream(lambda _: "The answer is B with confidence 85.")
    estimator = get_estimator("verbalized", downstream, None, TEMPLATE, SAMPLING)
    answer = await estimator.answer("What shape?", OPTIONS, IMAGE)
    assert answer.verdict == Verdict("B", 0.85)
    assert answer.estimator == estimator.name == "verbalized"
    assert answer.guidance is None
    assert answer.cost == Cost(1, 10, 5, 0.5)
    assert downstream.asked == [answer_messages(TEMPLATE, "What shape?", OPTIONS, image_url=IMAGE)]
    assert downstream.samplings == [SAMPLING]


async def test_cgp_asks_the_policy_greedily_and_puts_its_guidance_in() -> None:
    downstream, policy = ScriptedDownstream(lambda _: "Answer: (a), confidence: 0.6"), ScriptedPolicy()
    estimator = get_estimator("cgp", downstream, policy, TEMPLATE, SAMPLING)
    answer = await estimator.answer("What shape?", OPTIONS, IMAGE)
    hint = "Weigh the edges in: What shape?"
    assert policy.asked == [("What shape?", OPTIONS, None)]
    assert downstream.asked == [answer_messages(TEMPLATE, "What shape?", OPTIONS, image_url=IMAGE, guidance=hint)]
    assert answer.verdict == Verdict("A", 0.6)
    assert answer.guidance is not None
    assert (answer.guidance.text, answer.guidance.version) == (hint, "policy-1")
    assert answer.cost == Cost(2, 17, 8, 0.75)


@pytest.mark.parametrize("name", list(ESTIMATORS))
async def test_an_estimator_says_the_decoding_that_it_uses(name: str) -> None:
    downstream, sampling = ScriptedDownstream(overconfident), Sampling(0.3, 0.8, 7, 99, seed=3)
    estimator = get_estimator(name, downstream, ScriptedPolicy(), TEMPLATE, sampling, second=downstream)
    await estimator.answer("What shape?", OPTIONS, picture_url())
    samples = ESTIMATORS[name].replies if ESTIMATORS[name].samples else None
    assert sum(downstream.counts) == samples or samples is None or name == "cgp+vote"  # which stops when it is decided
    error = 0.02 if name == "cgp+vote" else None
    used = estimator.decoding.model_copy(update={"counted": None})  # which changes no text
    assert {Decoding.of(asked, samples, error) for asked in downstream.samplings} == {used}
    assert estimator.decoding.max_tokens == 99


@pytest.mark.parametrize("name", list(ESTIMATORS))
async def test_prose_is_an_invalid_verdict_and_keeps_its_text(name: str) -> None:
    downstream = ScriptedDownstream(lambda _: "I cannot say.")
    estimator = get_estimator(name, downstream, ScriptedPolicy(), TEMPLATE, SAMPLING, second=downstream)
    answer = await estimator.answer("Q?", OPTIONS, IMAGE)
    assert answer.verdict == Invalid("no_answer")
    assert answer.text == "I cannot say."


@pytest.mark.parametrize("name", list(ESTIMATORS))
async def test_a_transport_failure_is_not_an_answer(name: str) -> None:
    downstream = ScriptedDownstream(lambda _: TransportError("downstream", "refused"))
    estimator = get_estimator(name, downstream, ScriptedPolicy(), TEMPLATE, SAMPLING, second=downstream)
    with pytest.raises(TransportError, match="refused"):
        await estimator.answer("Q?", OPTIONS, IMAGE)


async def test_a_reply_without_completions_is_a_transport_failure() -> None:
    class Mute(ScriptedDownstream):
        async def complete(self, *args: object, **kwargs: object) -> Generation:
            return Generation([], Cost(1))

    with pytest.raises(TransportError, match="no completion"):
        await get_estimator("verbalized", Mute(str), None, TEMPLATE, SAMPLING).answer("Q?", OPTIONS, None)


async def test_only_the_first_completion_is_read() -> None:
    class Two(ScriptedDownstream):
        async def complete(self, *args: object, **kwargs: object) -> Generation:
            texts = ("the answer is A with confidence 10", "the answer is B with confidence 90")
            return Generation([Completion(text, "stop") for text in texts], Cost(1))

    answer = await get_estimator("verbalized", Two(str), None, TEMPLATE, SAMPLING).answer("Q?", OPTIONS, None)
    assert answer.verdict == Verdict("A", 0.1)


async def test_a_fixed_prompt_stands_where_guidance_would_and_is_the_same_for_all() -> None:
    downstream = ScriptedDownstream(lambda _: "The answer is B with confidence 85.")
    estimator = get_estimator("fixed-prompt", downstream, None, TEMPLATE, SAMPLING)
    sentence = load_fixed_guidance().text
    answers = [await estimator.answer(question, OPTIONS, IMAGE) for question in ("What shape?", "How many?")]
    assert answers[0].verdict == Verdict("B", 0.85)
    assert answers[0].guidance is None
    assert answers[0].cost == Cost(1, 10, 5, 0.5)
    assert downstream.asked == [
        answer_messages(TEMPLATE, question, OPTIONS, image_url=IMAGE, guidance=sentence)
        for question in ("What shape?", "How many?")
    ]
    assert not set("{}") & set(sentence)


async def test_an_open_question_is_answered_with_text() -> None:
    downstream = ScriptedDownstream(lambda _: "The answer is pneumonia with confidence 70.")
    answer = await get_estimator("verbalized", downstream, None, TEMPLATE, SAMPLING).answer("What?", {}, IMAGE)
    assert answer.verdict == Verdict("pneumonia", 0.7)


def test_the_table_of_names() -> None:
    downstream, policy = ScriptedDownstream(str), ScriptedPolicy()
    for name, entry in ESTIMATORS.items():
        estimator: Estimator = get_estimator(name, downstream, policy, TEMPLATE, SAMPLING, second=downstream)
        assert estimator.name == name
        assert estimator.needs_policy is entry.needs_policy
    with pytest.raises(PolicyNeededError, match="'cgp' needs a policy"):
        get_estimator("cgp", downstream, None, TEMPLATE, SAMPLING)
    with pytest.raises(KeyError, match="no estimator 'oracle'; there are verbalized, fixed-prompt, top-k, consistency"):
        get_estimator("oracle", downstream, policy, TEMPLATE, SAMPLING)
    with pytest.raises(ValueError, match="role 'guide'"):
        get_estimator("verbalized", downstream, None, load_template("guide-compact@1"), SAMPLING)
