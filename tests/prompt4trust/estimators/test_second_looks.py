"""Methods that ask a second question about an answer: of a blank picture, or whether it is right."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import minimize_scalar
from scipy.special import expit

from prompt4trust.estimators import get_estimator
from prompt4trust.estimators.cgp_relative import STORED
from prompt4trust.models import Completion, Cost, Generation, Guidance, Sampling, TransportError
from prompt4trust.prompts import Message
from prompt4trust.verdict import Invalid, Verdict
from tests.prompt4trust.estimators.scripts import OPTIONS, TEMPLATE

GREEDY = Sampling(seed=3)
NONE: Mapping[str, float] = {}


def data_url(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


PICTURE = data_url((np.arange(64 * 48) % 251).astype(np.uint8).reshape(64, 48))


def shown(messages: Sequence[Message]) -> np.ndarray:
    [url] = [part["image_url"]["url"] for part in messages[-1]["content"] if part["type"] == "image_url"]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def written(messages: Sequence[Message]) -> str:
    return "".join(part["text"] for part in messages[-1]["content"] if part["type"] == "text")


class Model:
    """Replies with a letter and its alternatives, by the picture that it is shown and the words that it reads."""

    def __init__(self, likely: Callable[[Sequence[Message]], Mapping[str, float]], *, offered: bool = True) -> None:
        self._likely = likely
        self._offered = offered
        self.asked: list[Sequence[Message]] = []

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        self.asked.append(messages)
        probabilities = self._likely(messages)
        if not probabilities:
            return Generation([Completion("I cannot say.", "stop", [{}] * 1, ["I"])], Cost(1, 10, 5, 0.5))
        letter = max(probabilities, key=lambda each: probabilities[each])
        tokens = ["The answer is", f" {letter}", " with confidence 90."]
        alternatives = {f" {each}": log(share) for each, share in probabilities.items()}
        likely = [{tokens[0]: 0.0}, alternatives, {tokens[2]: 0.0}] if self._offered else None
        return Generation(
            [Completion("".join(tokens), "stop", likely, tokens if self._offered else None)], Cost(1, 10, 5, 0.5)
        )


class Policy:
    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        return Guidance("Weigh the edges.", "policy-1", Cost(1, 7, 3, 0.25))


def by_picture(whole: Mapping[str, float], blank: Mapping[str, float]) -> Callable[..., Mapping[str, float]]:
    return lambda messages: blank if np.ptp(shown(messages)) == 0 else whole


async def test_an_answer_that_needs_the_picture_has_support() -> None:
    model = Model(by_picture({"A": 0.8, "B": 0.2}, {"A": 0.2, "B": 0.6, "C": 0.2}))
    answer = await get_estimator("cgp+picture", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert answer.verdict == Verdict("A", 0.9)
    assert answer.signals["picture_support"] == pytest.approx(0.8)
    assert answer.signals["picture_shift"] == pytest.approx((0.6 + 0.4 + 0.2) / 2)
    assert answer.signals["letter_probability"] == pytest.approx(0.8)
    assert answer.cost == Cost(3, 27, 13, 1.25)  # guidance is written once
    blank = shown(model.asked[1])
    assert blank.shape == (64, 48)
    assert np.all(blank == blank[0, 0])
    assert abs(int(blank[0, 0]) - int(shown(model.asked[0]).mean())) <= 1
    assert written(model.asked[0]) == written(model.asked[1])


async def test_an_answer_from_the_words_alone_has_none() -> None:
    model = Model(lambda _: {"A": 0.7, "B": 0.3})
    answer = await get_estimator("cgp+picture", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert answer.signals["picture_support"] == pytest.approx(0.5)
    assert answer.signals["picture_shift"] == pytest.approx(0)


async def test_no_verdict_on_the_blank_picture_is_no_opinion() -> None:
    model = Model(by_picture({"A": 0.75, "B": 0.25}, NONE))
    answer = await get_estimator("cgp+picture", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert answer.signals["picture_support"] == pytest.approx(0.75)


@pytest.mark.parametrize("name", ["cgp+picture", "cgp+self-check", "cgp+typicality", "cgp+relative"])
async def test_a_second_reply_whose_letter_has_no_probability_gives_no_signal(name: str) -> None:
    class InWords(Model):
        async def complete(self, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Generation:
            found = await super().complete(messages, sampling, **how)
            if len(self.asked) == 1:
                return found
            text = "The answer is A with confidence 90."
            return Generation([Completion(text, "stop", [{"The": 0.0}], ["The"])], Cost(1, 10, 5, 0.5))

    model = InWords(lambda _: {"A": 0.7, "B": 0.3})
    answer = await get_estimator(name, model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert not {"picture_support", "picture_shift", "self_check", "stated_typicality", "relative_confidence"} & set(
        answer.signals
    )
    assert answer.verdict == Verdict("A", 0.9)


async def test_noise_is_a_third_look() -> None:
    model = Model(lambda _: {"A": 0.7, "B": 0.3})
    name = "cgp+picture+noise"
    answer = await get_estimator(name, model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert answer.signals["noise_support"] == pytest.approx(0.5)
    assert (answer.estimator, answer.cost.calls) == (name, 4)
    pictures = [shown(messages).astype(float) for messages in model.asked]
    assert pictures[1].std() == 0
    assert 0.2 < np.corrcoef(pictures[0].ravel(), pictures[2].ravel())[0, 1] < 0.95


@pytest.mark.parametrize(
    ("says_right", "expected"), [({"A": 0.9, "B": 0.1}, 0.9), ({"B": 0.8, "A": 0.2}, 0.2), (NONE, 0.5)]
)
async def test_the_model_is_asked_whether_its_answer_is_right(says_right: Mapping[str, float], expected: float) -> None:
    model = Model(lambda messages: says_right if "proposed" in written(messages) else {"C": 0.6, "D": 0.4})
    answer = await get_estimator("cgp+self-check", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert answer.verdict == Verdict("C", 0.9)
    assert answer.signals["self_check"] == pytest.approx(expected)
    assert answer.cost.calls == 3
    asked = written(model.asked[1])
    assert "The proposed answer is: Lobulated." in asked
    assert all(option in asked for option in OPTIONS.values())
    assert "Weigh the edges" not in asked


async def test_the_model_is_asked_whether_the_picture_is_typical() -> None:
    model = Model(lambda messages: {"A": 0.3, "B": 0.7} if "Suppose" in written(messages) else {"C": 0.6, "D": 0.4})
    answer = await get_estimator("cgp+typicality", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert answer.verdict == Verdict("C", 0.9)
    assert answer.signals["stated_typicality"] == pytest.approx(0.3)
    assert answer.cost.calls == 3
    assert "Suppose that the answer is: Lobulated." in written(model.asked[1])
    assert "Weigh the edges" not in written(model.asked[1])


@pytest.mark.parametrize(
    "name", ["cgp+picture", "cgp+picture+noise", "cgp+self-check", "cgp+typicality", "cgp+relative", "cgp+open"]
)
async def test_what_cannot_be_looked_at_twice_is_answered_once(name: str) -> None:
    silent = Model(lambda _: {"A": 0.7, "B": 0.3}, offered=False)
    answer = await get_estimator(name, silent, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, answer.signals, len(silent.asked)) == (Verdict("A", 0.9), {}, 1)

    lost = Model(lambda _: NONE)
    answer = await get_estimator(name, lost, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, len(lost.asked)) == (Invalid("no_answer"), 1)


class Failing(Model):
    """Fails from a number of requests on."""

    def __init__(self, fails: Callable[[Sequence[Message]], bool]) -> None:
        super().__init__(lambda _: {"A": 0.7, "B": 0.3})
        self._fails = fails

    async def complete(self, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Generation:
        if self._fails(messages):
            self.asked.append(messages)
            raise TransportError("downstream", "it is away")
        return await super().complete(messages, sampling, **how)


@pytest.mark.parametrize(
    ("name", "fails", "becomes", "signals"),
    [
        ("cgp+picture", "blank", "cgp+logprob", set()),
        ("cgp+picture+noise", "noise", "cgp+picture", {"picture_support", "picture_shift"}),
        ("cgp+picture+noise", "blank", "cgp+logprob", set()),
        ("cgp+self-check", "proposed", "cgp+logprob", set()),
    ],
)
async def test_a_lost_look_makes_the_answer_that_of_the_method_without_it(
    name: str, fails: str, becomes: str, signals: set[str]
) -> None:
    original = shown([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}])

    def is_lost(messages: Sequence[Message]) -> bool:
        picture = shown(messages)
        blank = np.ptp(picture) == 0
        noisy = not blank and not np.array_equal(picture, original)
        return bool({"blank": blank, "noise": noisy, "proposed": "proposed" in written(messages)}[fails])

    estimator = get_estimator(name, Failing(is_lost), Policy(), TEMPLATE, GREEDY)
    answer = await estimator.answer("What?", OPTIONS, PICTURE)
    assert answer.verdict == Verdict("A", 0.9)
    assert answer.estimator == becomes
    assert str(answer.lost) == "downstream: it is away"
    assert {each for each in answer.signals if each.startswith(("picture", "noise", "self"))} == signals
    asked_and_answered = 2 if name.endswith("noise") else 1
    assert answer.cost.calls == 1 + asked_and_answered  # the policy's, and each that was replied to


async def test_a_lost_comparison_takes_the_signal_and_not_the_cost_of_those_made() -> None:
    model = Failing(lambda messages: STORED[2] in written(messages))
    answer = await get_estimator("cgp+relative", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, answer.estimator) == (Verdict("A", 0.9), "cgp+logprob")
    assert str(answer.lost) == "downstream: it is away"
    assert "relative_confidence" not in answer.signals
    assert answer.cost.calls == 1 + 1 + len(STORED) - 1  # the policy's, the answer's, and each that was replied to


async def test_the_question_itself_must_be_answered() -> None:
    estimator = get_estimator("cgp+picture", Failing(lambda _: True), Policy(), TEMPLATE, GREEDY)
    with pytest.raises(TransportError, match="away"):
        await estimator.answer("What?", OPTIONS, PICTURE)


async def test_looks_are_taken_side_by_side() -> None:
    together = asyncio.Event()

    class Waiting(Model):
        """Replies to the looks once both have been asked for."""

        async def complete(self, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Generation:
            found = await super().complete(messages, sampling, **how)
            if len(self.asked) == 3:
                together.set()
            if len(self.asked) > 1:
                await asyncio.wait_for(together.wait(), 5)
            return found

    estimator = get_estimator("cgp+picture+noise", Waiting(lambda _: {"A": 0.7, "B": 0.3}), Policy(), TEMPLATE, GREEDY)
    assert (await estimator.answer("What?", OPTIONS, PICTURE)).cost.calls == 4


@pytest.mark.parametrize("left_s", [0.3, 0.0, -1.0])
async def test_a_look_has_the_time_that_is_left_and_the_answer_stays(left_s: float) -> None:
    class Hanging(Model):
        """Never replies to the look under noise."""

        async def complete(self, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Generation:
            found = await super().complete(messages, sampling, **how)
            if len(self.asked) > 1 and np.ptp(shown(messages)) > 0:
                await asyncio.Event().wait()
            return found

    model = Hanging(lambda _: {"A": 0.7, "B": 0.3})
    found = get_estimator("cgp+picture+noise", model, Policy(), TEMPLATE, GREEDY, lambda: left_s)
    answer = await asyncio.wait_for(found.answer("What?", OPTIONS, PICTURE), 10)
    assert answer.verdict == Verdict("A", 0.9)
    assert answer.estimator == ("cgp+picture" if left_s > 0 else "cgp+logprob")
    assert answer.lost is not None
    assert answer.lost.timed_out
    assert ("picture_support" in answer.signals) is (left_s > 0)
    assert len(model.asked) == (3 if left_s > 0 else 1)


async def test_a_picture_that_no_other_can_be_made_of_is_a_lost_look() -> None:
    broken = "data:image/png;base64," + base64.b64encode(b"not a picture").decode()
    model = Model(lambda _: {"A": 0.7, "B": 0.3})
    answer = await get_estimator("cgp+picture", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, broken)
    assert (answer.verdict, answer.estimator) == (Verdict("A", 0.9), "cgp+logprob")
    assert answer.lost is not None
    assert answer.lost.service == "image"


def prefers(mine: float) -> Callable[[Sequence[Message]], Mapping[str, float]]:
    """A model that prefers the picture's question with a probability, and the first one of two a little more."""

    def likely(messages: Sequence[Message]) -> Mapping[str, float]:
        text = written(messages)
        if "more certainty" not in text:
            return {"C": 0.6, "D": 0.4}
        is_first = "The first one is about this picture" in text
        first = (mine if is_first else 1 - mine) + 0.1
        return {"A": first, "B": 1 - first}

    return likely


async def test_the_question_is_compared_with_stored_ones_in_either_place() -> None:
    model = Model(prefers(0.3))
    answer = await get_estimator("cgp+relative", model, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, answer.estimator) == (Verdict("C", 0.9), "cgp+relative")
    assert answer.signals["relative_confidence"] == pytest.approx(0.3)  # the liking for the first place counts for none
    assert answer.cost.calls == 1 + 1 + len(STORED)
    compared = [written(messages) for messages in model.asked[1:]]
    assert all(f"about this picture: What? ({'; '.join(OPTIONS.values())})" in each for each in compared)
    assert [sum(stored in each for each in compared) for stored in STORED] == [1] * len(STORED)
    assert not any("Weigh the edges" in each for each in compared)


def test_bradley_and_terry_s_strength_follows_from_the_mean_preference_alone() -> None:
    """Whatever the stored questions' strengths are: the likelihood's maximum, found by search, rises with the mean."""

    def strength(preferred: Sequence[float], stored: Sequence[float]) -> float:
        def loss(at: float) -> float:
            chances = expit(at - np.array(stored))
            share = np.array(preferred)
            return -float(np.sum(share * np.log(chances) + (1 - share) * np.log(1 - chances)))

        return float(minimize_scalar(loss, bounds=(-20, 20), method="bounded", options={"xatol": 1e-9}).x)

    for stored in ((0, 0, 0, 0), (-2, -1, 1, 3)):
        found = [strength(each, stored) for each in ((0.1, 0.2, 0.6, 0.3), (0.3, 0.3, 0.3, 0.3), (0.9, 0.2, 0.2, 0.1))]
        assert found[0] == pytest.approx(found[1], abs=1e-5)
        assert found[2] > found[1]


async def test_a_lost_comparison_leaves_the_answer_without_them() -> None:
    lost = Failing(lambda messages: STORED[2] in written(messages))
    answer = await get_estimator("cgp+relative", lost, Policy(), TEMPLATE, GREEDY).answer("What?", OPTIONS, PICTURE)
    assert (answer.verdict, answer.estimator) == (Verdict("A", 0.9), "cgp+logprob")
    assert "relative_confidence" not in answer.signals
    assert str(answer.lost) == "downstream: it is away"
