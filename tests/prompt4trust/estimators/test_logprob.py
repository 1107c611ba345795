"""Letter probabilities: the right token, the right sum, and a clear outcome where there are none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import exp, log

import pytest

from prompt4trust.estimators import _tokens, get_estimator
from prompt4trust.estimators._tokens import find_letter, text_probability
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.models import Completion, Cost, Generation, Guidance, Sampling
from prompt4trust.prompts import Message
from prompt4trust.verdict import Invalid, Verdict, answers_in
from tests.prompt4trust.estimators.scripts import IMAGE, OPTIONS, TEMPLATE

Step = tuple[str, Mapping[str, float]]
GREEDY = Sampling(seed=3)


class Tokens:
    """Replies with tokens and their alternatives."""

    def __init__(self, steps: Sequence[Step], *, offered: bool = True) -> None:
        self._steps = steps
        self._offered = offered
        self.asked: list[tuple[Sampling, int, int | None]] = []
        self.messages: list[Sequence[Message]] = []

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        self.asked.append((sampling, n, top_logprobs))
        self.messages.append(messages)
        tokens, likely = zip(*self._steps, strict=True)
        completion = Completion("".join(tokens).strip(), "stop")
        if self._offered:
            completion = Completion(completion.text, "stop", likely, tokens)
        return Generation([completion], Cost(1, 10, 5, 0.5))


def sure(*tokens: str) -> list[Step]:
    return [(token, {token: 0.0}) for token in tokens]


LETTER = {" B": log(0.5), "B": log(0.1), " (a": log(0.3), " A": log(0.2), " the": log(0.05), " E": log(0.04)}
REPLY = [*sure("Find", "ing: B", "one. In conclusion, the", " answer", " is"), (" B", LETTER)]
END = sure(" with", " confidence", " 9", "5", ".", " Not", " A", ".", "<end>")


async def test_the_letters_share_of_the_option_letters() -> None:
    downstream = Tokens([*REPLY, *END])
    answer = await get_estimator("logprob", downstream, None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    # " (a" is no capital and " E" no option; B in both spellings counts.
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.answer == "B"
    assert answer.verdict.confidence == pytest.approx(0.6 / 0.8)
    assert answer.signals["stated"] == 0.95
    assert answer.signals["letter_logprob"] == pytest.approx(log(0.6))
    assert answer.signals["letter_mass"] == pytest.approx(0.8)
    assert answer.signals["letter_margin"] == pytest.approx(0.5)
    assert option_probabilities(answer.signals) == pytest.approx({"A": 0.25, "B": 0.75, "C": 0.0, "D": 0.0})
    assert answer.cost == Cost(1, 10, 5, 0.5)
    assert downstream.asked == [(GREEDY, 1, 20)]


async def test_a_letter_in_lower_case_is_weighed_against_lower_case() -> None:
    steps = [*sure("The answer is ("), ("b", {"b": log(0.6), "a": log(0.2), "B": log(0.1)}), *sure(") confidence: 80")]
    answer = await get_estimator("logprob", Tokens(steps), None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.confidence == pytest.approx(0.75)


async def test_where_nothing_is_offered_the_answer_is_invalid_and_says_why() -> None:
    downstream = Tokens([*REPLY, *END], offered=False)
    answer = await get_estimator("logprob", downstream, None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Invalid("no_logprobs")
    assert answer.signals == {"stated": 0.95}
    assert "answer is B" in answer.text
    # A token that is more than the letter tells nothing of the letter.
    whole = Tokens(sure("the answer is B with confidence 95"))
    answer = await get_estimator("logprob", whole, None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Invalid("no_logprobs")


OPEN: Sequence[Step] = [
    *sure("The", " answer", " is"),
    (" a", {" a": log(0.5)}),
    (" cyst", {" cyst": log(0.8)}),
    (" with", {" with": log(0.1)}),  # behind the answer: how the confidence is worded is no doubt about it
    *sure(" confidence", " 70", "."),
]


async def test_a_reply_without_a_verdict() -> None:
    answer = await get_estimator("logprob", Tokens(REPLY), None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Invalid("no_confidence")


async def test_of_an_open_answer_it_is_the_probability_of_the_reply_up_to_its_end() -> None:
    downstream = Tokens(OPEN)
    answer = await get_estimator("logprob", downstream, None, TEMPLATE, GREEDY).answer("What?", {}, IMAGE)
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.answer == "a cyst"
    assert answer.verdict.confidence == pytest.approx(0.4)
    assert answer.signals == {"stated": 0.7}
    assert downstream.asked == [(GREEDY, 1, 20)]
    # A server that reports none, and one that leaves out the token that it wrote.
    gap = [*OPEN[:4], (" cyst", {" mass": log(0.8)}), *OPEN[5:]]
    for model in (Tokens(OPEN, offered=False), Tokens(gap)):
        answer = await get_estimator("logprob", model, None, TEMPLATE, GREEDY).answer("What?", {}, IMAGE)
        assert (answer.verdict, answer.signals) == (Invalid("no_logprobs"), {"stated": 0.7})


async def test_beside_guidance_it_is_a_signal_and_the_stated_confidence_stays() -> None:
    downstream = Tokens(OPEN)
    answer = await get_estimator("cgp+logprob", downstream, Hints(), TEMPLATE, GREEDY).answer("What?", {}, IMAGE)
    assert answer.verdict == Verdict("a cyst", 0.7)
    assert answer.signals == {"reply_probability": pytest.approx(0.4)}
    assert downstream.asked == [(GREEDY, 1, 20)]
    silent = Tokens(OPEN, offered=False)
    answer = await get_estimator("cgp+logprob", silent, Hints(), TEMPLATE, GREEDY).answer("What?", {}, IMAGE)
    assert (answer.verdict, answer.signals) == (Verdict("a cyst", 0.7), {})


@pytest.mark.parametrize(
    ("tokens", "letter", "place"),
    [
        (["the answer is ", "B", " with confidence 9"], "B", 1),
        (["B", " or not, the answer is", " B", ", for B", "B"], "B", 2),
        (["the answer is", " a", " benign lesion. Answer", ":", " A"], "A", 4),
        (["**Answer:** ", "(", "C", ")", " C"], "C", 2),
        (["Finding: Round", ".", " The answer is", " A", " with confidence 9"], "A", 3),
        (["the answer is D"], "D", None),
        (["the answer is unclear"], "A", None),
    ],
)
def test_the_token_that_wrote_the_letter(tokens: list[str], letter: str, place: int | None) -> None:
    assert find_letter("".join(tokens), tokens, letter, OPTIONS) == place


@pytest.mark.parametrize(
    "tokens", [["the", "answer", "is", "C", "with"], ["▁the", "▁answer", "<0x20>", "is", "▁C", "▁with"]]
)
def test_tokens_whose_blanks_are_written_otherwise(tokens: list[str]) -> None:
    assert find_letter("the answer is C with confidence 9", [*tokens, "</s>"], "C", OPTIONS) == len(tokens) - 2


@pytest.mark.parametrize(
    ("tokens", "said", "counted"),
    [
        (["I cannot see a fracture.\n", "Answer:", " no", "\nConfidence: 60"], "no", 3),  # not the "no" of "cannot"
        (["No effusion? ", "The answer is no", " effusion", " with confidence 60"], "no effusion", 3),
        (["The answer is no", "dule", ". The answer is no", "dule with confidence 60"], "nodule", 2),
        (['{"answer": "', "r\\u00e9", 'al \\"x\\"', '"', ', "confidence"', ": 80}"], 'réal "x"', 3),
        (['{"reason": "cannot", ', '"answer": "no', '"', ', "confidence": 80}'], "no", 2),
        (["Answer：", " ５ mm", "\nConfidence: 60"], "5 mm", 2),
        (["答案：", "左肺", "\n置信度：60"], "左肺", 2),
        (["I cannot say."], "no", None),
    ],
)
def test_a_reply_up_to_its_answers_end(tokens: list[str], said: str, counted: int | None) -> None:
    likely = [{token: log(0.5)} for token in tokens]
    found = text_probability(Completion("".join(tokens), "stop", likely, tokens), said)
    assert found == (None if counted is None else pytest.approx(0.5**counted))


def test_a_reply_of_many_possible_ends_is_read_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[str] = []

    def counted(text: str, options: Collection[str]) -> list[str]:
        readings.append(text)
        return answers_in(text, options)

    monkeypatch.setattr(_tokens, "answers_in", counted)
    before = [" no", " effusion,"] * 300
    tokens = [*before, "\nAnswer:", " no", "\nConfidence: 60.", *[" no"] * 300]
    likely = [{token: 0.0} for token in tokens]
    likely[len(before) + 1] = {" no": log(0.5)}
    likely[len(before) + 2] = {tokens[len(before) + 2]: log(0.5)}
    assert text_probability(Completion("".join(tokens), "stop", likely, tokens), "no") == pytest.approx(0.5)
    assert len(readings) <= 30
    readings.clear()
    letters = [*["A", " lesion. "] * 300, "The answer is", " A", " with confidence 60. ", *["A", " lesion. "] * 300]
    assert find_letter("".join(letters), letters, "A", OPTIONS) == 601
    assert len(readings) <= 64


async def test_probabilities_above_one_do_not_break_the_sum() -> None:
    steps = [*sure("the answer is"), (" A", {" A": 1e-9, " B": log(1e-9)}), *sure(" with confidence 50")]
    answer = await get_estimator("logprob", Tokens(steps), None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.confidence == pytest.approx(1 / (1 + exp(log(1e-9))))


async def test_the_replys_probability_is_that_of_all_that_leads_to_the_letter() -> None:
    steps = [("Oval", {"Oval": log(0.7), "Round": log(0.3)}), (".", {".": log(0.9)}), *sure(" The answer is")]
    steps += [(" B", {" B": log(0.8), " A": log(0.2)}), (" with", {" with": log(0.5)}), *sure(" confidence 90")]
    answer = await get_estimator("logprob", Tokens(steps), None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.signals["reply_probability"] == pytest.approx(0.7 * 0.9 * 0.8)
    # What it would have answered had it not written "Oval." is anybody's guess.
    rest = (1 - 0.63) / 4
    assert option_probabilities(answer.signals) == pytest.approx(
        {"A": 0.63 * 0.2 + rest, "B": 0.63 * 0.8 + rest, "C": rest, "D": rest}
    )
    # A server that reports alternatives but not what it sampled.
    steps[1] = (".", {"!": log(0.9)})
    answer = await get_estimator("logprob", Tokens(steps), None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert "reply_probability" not in answer.signals
    assert answer.signals["letter_probability"] == pytest.approx(0.8)
    assert option_probabilities(answer.signals)["B"] == pytest.approx(0.8)


class Hints:
    """A policy with one hint."""

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        return Guidance("Look at the margin.", "v1", Cost(1, 3, 2, 0.25))


async def test_guidance_with_log_probabilities_beside_what_is_stated() -> None:
    downstream = Tokens([*REPLY, *END])
    answer = await get_estimator("cgp+logprob", downstream, Hints(), TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Verdict("B", 0.95)
    assert answer.guidance is not None
    assert "Look at the margin." in str(downstream.messages[0])
    assert answer.signals["reply_probability"] == pytest.approx(0.5)
    assert answer.signals["letter_probability"] == pytest.approx(0.6 / 0.8)
    assert answer.cost == Cost(2, 13, 7, 0.75)
    assert downstream.asked == [(GREEDY, 1, 20)]


async def test_guidance_where_no_log_probabilities_are_offered_or_of_use() -> None:
    silent = Tokens([*REPLY, *END], offered=False)
    answer = await get_estimator("cgp+logprob", silent, Hints(), TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert (answer.verdict, answer.signals) == (Verdict("B", 0.95), {})
    unread = await get_estimator("cgp+logprob", Tokens(REPLY), Hints(), TEMPLATE, GREEDY).answer("?", OPTIONS, IMAGE)
    assert (unread.verdict, unread.signals) == (Invalid("no_confidence"), {})
