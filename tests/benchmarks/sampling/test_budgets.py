"""Samples at budgets of calls: what comes of the first ones is what a request for so many gives."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.confidence.answer_runs import SAMPLING, TEMPLATE
from benchmarks.sampling.__main__ import ASKED, BUDGETS, SamplingStudy, see, tell
from benchmarks.sampling.budgets import PLAIN, Drawn, draw, judged, shortened, with_agreement
from prompt4trust.estimators import CgpConsistency, CgpVote, Estimator
from prompt4trust.estimators._samples import Draws
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.predictions import CostRecord
from prompt4trust.models import Completion, Cost, Generation, Sampling
from prompt4trust.prompts import Message, load_template
from prompt4trust.questions import Question
from tests.support.models import ScriptedPolicy, prompt_text, share

QUESTIONS = [
    Question(f"q{n}", f"Which side is number {n}?", {"A": "Left", "B": "Right"}, answer="A") for n in range(12)
]


class Drawing:
    """A model whose samples depend on the seed and on their place, as an engine's do; one in ten has no verdict."""

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        draws = [share(f"{prompt_text(messages)} {sampling.seed} {place}") for place in range(n)]
        replies = [
            "I cannot tell."
            if draw < 0.1
            else f"The answer is {'A' if draw < 0.7 else 'B'} with confidence {round(100 * draw)}."
            for draw in draws
        ]
        if not top_logprobs:
            return Generation([Completion(reply, "stop") for reply in replies], Cost(1, 10, 5 * n, 0.5))
        tokens = [re.findall(r"\S+ ?", reply) for reply in replies]
        return Generation(
            [
                Completion(reply, "stop", [{token: math.log(0.5 + draw / 2)} for token in each], each)
                for reply, each, draw in zip(replies, tokens, draws, strict=True)
            ],
            Cost(1, 10, 5 * n, 0.5),
        )


@pytest.fixture
async def plain() -> list[Drawn]:
    return [await draw(each, Drawing(), None) for each in QUESTIONS]


@pytest.mark.parametrize("name", PLAIN)
async def test_a_method_answers_from_the_first_samples_as_if_it_had_asked_for_so_many(
    plain: list[Drawn], name: str
) -> None:
    model, policy = Drawing(), ScriptedPolicy()
    asking = PLAIN[name](model, load_template(TEMPLATE), SAMPLING, Draws(count=5))
    await _same(judged(PLAIN[name], plain, 5, model, policy), asking, calls=5)


async def test_a_guided_method_does_with_its_guidance_counted() -> None:
    model, policy = Drawing(), ScriptedPolicy()
    guided = [await draw(each, model, policy) for each in QUESTIONS]
    asking = CgpConsistency(model, policy, load_template(TEMPLATE), SAMPLING, Draws(count=4))
    await _same(judged(CgpConsistency, guided, 4, model, policy), asking, calls=5)


async def test_a_vote_ends_where_the_samples_decide_it() -> None:
    model, policy = Drawing(), ScriptedPolicy()
    guided = [await draw(each, model, policy) for each in QUESTIONS]
    stopped = []
    for each, row in zip(guided, judged(CgpVote, guided, 21, model, policy, error=0.05), strict=True):
        drawn = round(row.signals["samples_drawn"])
        first = each.first(5).groups()
        assert (drawn == 5) == (len(set(first)) == 1 and None not in first)  # a lead of five, see `looks`
        assert row.cost.calls == drawn + 1
        assert row.signals["vote_share"] == pytest.approx(each.first(drawn).groups().count(row.answer) / drawn)
        stopped.append(drawn)
    assert len(set(stopped)) > 1


async def _same(found: Sequence[Prediction], asking: Estimator, calls: int) -> None:
    for question, row in zip(QUESTIONS, found, strict=True):
        alone = Prediction.of(question, await asking.answer(question.text, question.options, None))
        shown = ("estimator", "answer", "confidence", "invalid", "signals", "text", "guidance")
        assert [getattr(row, each) for each in shown] == [getattr(alone, each) for each in shown]
        assert row.cost.calls == alone.cost.calls == calls


async def test_all_is_measured_of_the_same_answers_and_no_method_takes_more_calls_than_it_may(tmp_path: Path) -> None:
    model, policy = Drawing(), ScriptedPolicy()
    asked = [Question(f"q{n}", f"Which half is number {n}?", QUESTIONS[0].options, answer="A") for n in range(60)]
    seen = [await see(each, (), model, policy) for each in asked]
    rows = {each.method: each for each in SamplingStudy(tmp_path, 60, (), None).measured(seen, model, policy, 2)}
    assert set(ASKED) < set(rows)
    for budget in BUDGETS:
        of_budget = [each for name, each in rows.items() if name.endswith(f", up to {budget} calls")]
        assert len(of_budget) == len(PLAIN) + 2 + 3  # two with guidance; three greedy ones with agreement
        assert all(1 < each.calls <= budget for each in of_budget)
    tell(list(rows.values()), 2, tmp_path / "results.json")
    told = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [each["method"] for each in told["rows"]] == list(rows)
    assert set(told["less cgp+logprob"]) == set(rows) - {"cgp+logprob"}


async def test_agreement_is_the_share_of_the_first_samples_with_the_answer(plain: list[Drawn]) -> None:
    rows = [
        Prediction(
            id=each.question.id,
            estimator="m",
            truth="A",
            answer="B",
            confidence=0.8,
            signals={"x": 0.5},
            cost=CostRecord(calls=2),
        )
        for each in plain
    ]
    rows[0] = Prediction(id="q0", estimator="m", truth="A", invalid="empty")
    joined = with_agreement("m, agreement", rows, plain, 7)
    assert joined[0].signals == {}
    for row, each in zip(joined[1:], plain[1:], strict=True):
        counted = sum("answer is B" in text for text in each.samples.texts[:7])
        assert row.signals == {"x": 0.5, "agreement": pytest.approx(counted / 7)}
        assert (row.estimator, row.answer, row.confidence, row.cost.calls) == ("m, agreement", "B", 0.8, 2 + 7)
    assert len({row.signals["agreement"] for row in joined[1:]}) > 2


def test_other_packages_get_the_first_samples_and_a_file_that_says_the_same_is_left_alone(tmp_path: Path) -> None:
    material = tmp_path / "guided-3.jsonl"
    samples = [{"text": each} for each in "ABC"]
    line = {"id": "q0", "reply": {"text": "A"}, "samples": samples, "calls": 5}
    material.write_text(json.dumps(line) + "\n", encoding="utf-8")
    short = shortened(material, 2)
    written = short.stat().st_mtime_ns
    assert json.loads(short.read_text(encoding="utf-8")) == line | {"samples": samples[:2], "calls": 4}
    assert shortened(material, 2) == short
    assert short.stat().st_mtime_ns == written
