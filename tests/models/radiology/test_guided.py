"""Figures of guided and sampled methods: rows as the library's estimators make them, and evidence that stays apart."""

from __future__ import annotations

import math
import random

import pytest
import torch

from models.radiology.bench import Exam
from models.radiology.data.questions import Asked
from models.radiology.guided import (
    PARTS,
    cross_fitted,
    figures,
    guided_rows,
    plain_rows,
    sampled_rows,
    worded,
    words_figures,
)
from models.radiology.results import stated_by_kind, table
from prompt4trust.models import Completion
from prompt4trust.question_signals.words import word_signals

TOKENS = (
    "Finding",
    ":",
    " Yes",
    " =",
    " A",
    ".",
    " The",
    " answer",
    " is",
    " A",
    " with",
    " confidence",
    " ",
    "8",
    "0",
)


def asked(name: str, picture: str, gold: int = 0) -> Asked:
    return Asked(name, picture, "test", "head", "presence", "Is it?", ("Yes", "No"), gold)


def reply(letter: str = "A", stated: int = 80) -> Completion:
    tokens = [token.replace("A", letter) for token in TOKENS[:-2]] + [*str(stated)]
    likely = [{token: math.log(0.9), "?": math.log(0.1)} for token in tokens]
    return Completion("".join(tokens), "stop", likely, tokens)


def test_guided_rows_differ_by_their_signals_alone() -> None:
    exam = Exam([asked("q1", "p1"), asked("q2", "p1", gold=1)], [0, 0], torch.zeros(1, 1, 1))
    plain, told, _, invalid = guided_rows(exam, [reply(), Completion("no idea", "stop")])
    assert (plain.estimator, plain.answer, plain.confidence, plain.signals) == ("cgp", "A", 0.8, {})
    assert (told.estimator, told.answer, told.confidence) == ("cgp+logprob", "A", 0.8)
    assert math.isclose(told.signals["reply_probability"], 0.9**10)  # up to and with the letter of the verdict
    assert invalid.answer is None
    assert invalid.invalid is not None


def test_plain_rows_state_what_the_model_says_and_how_likely_its_letter_was() -> None:
    said = reply()
    assert said.tokens is not None
    assert said.top_logprobs is not None
    likely = [
        {" A": math.log(0.6), " B": math.log(0.2), "?": math.log(0.2)} if token == " A" else each
        for token, each in zip(said.tokens, said.top_logprobs, strict=True)
    ]
    exam = Exam([asked("q1", "p1"), asked("q2", "p1"), asked("q3", "p2", gold=1)], [0] * 3, torch.zeros(1, 1, 1))
    replies = [Completion(said.text, "stop", likely, said.tokens), Completion("no idea", "stop"), reply()]
    rows = plain_rows(exam, replies)
    assert [row.estimator for row in rows] == ["verbalized", "logprob"] * 3
    assert [row.confidence for row in rows[::2]] == [0.8, None, 0.8]
    assert rows[1].confidence == pytest.approx(0.75)  # of the letters' 0.6 and 0.2
    told = stated_by_kind(rows[::2])
    assert (told["all"]["n"], told["all"]["pictures"], told["all"]["without_answer"]) == (3, 2, 1)
    assert told["asked"] == told["presence"] == told["all"]
    assert told["all"]["accuracy"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert told["all"]["mean_confidence"]["value"] == pytest.approx((0.8 + 0 + 0.8) / 3, abs=1e-4)
    assert table(told).splitlines()[0] == "| kind | n | accuracy | confidence | ECE | AUROC |"


def test_samples_agree_with_the_first_one() -> None:
    exam = Exam([asked("q1", "p1")], [0], torch.zeros(1, 1, 1))
    [row] = sampled_rows(exam, [[reply("B"), reply("A"), reply("B"), Completion("?", "stop")]])
    assert (row.answer, row.confidence, row.correct) == ("B", 1 / 3, False)


def test_evidence_is_made_of_the_parts_that_it_is_named_after() -> None:
    """Test answers that are all wrong change neither calibrator nor guard."""
    rng = random.Random(3)

    def part(name: str, n: int, right: float | None) -> list[Asked]:
        made = []
        for place in range(n):
            sure = place % 2
            chance = (0.97 if sure else 0.5) if right is None else right
            made.append(asked(f"{name}{place}-{sure}", f"{name}{place // 4}", gold=int(rng.random() > chance)))
        return made

    exams = {
        name: Exam(part(name, n, right), [0] * n, torch.zeros(1, 1, 1))
        for name, n, right in zip(PARTS, (200, 120, 200, 80), (None, None, None, 0.0), strict=True)
    }
    rows = {
        name: guided_rows(exam, [reply("A", 95 if each.id.endswith("1") else 60) for each in exam.asked])
        for name, exam in exams.items()
    }
    found = figures(rows, "cgp")
    assert found["n"] == {"fitting": 200, "validation": 120, "guarding": 200, "test": 80}
    assert found["cross_fitted"]["n"] == 320
    own = [row for part in ("fitting", "validation") for row in rows[part] if row.estimator == "cgp"]
    assert found["cross_fitted"] == cross_fitted(own)
    # The test answers are far from what was calibrated: chance alone explains nothing of it.
    assert found["ece_by_chance"]["high"] < 0.2 < found["kinds"]["all"]["ece"]["value"]
    assert found["kinds"]["all"]["accuracy"]["value"] == 0
    assert 0.6 < found["kinds"]["all"]["mean_confidence"]["value"] < 0.85
    assert found["least_risk"] < 0.2
    unguarded = figures({part: rows[part] for part in PARTS if part != "guarding"}, "cgp")
    assert "least_risk" not in unguarded
    assert unguarded["kinds"]["all"] == {
        name: value for name, value in found["kinds"]["all"].items() if not name.startswith("at_")
    }


def test_words_are_told_as_a_run_tells_them_and_are_worth_what_they_tell() -> None:
    """Questions with "mass" are answered rightly, others half of the time, and no signal of the model shows it."""
    rng = random.Random(5)

    def part(name: str, n: int) -> tuple[list[Asked], Exam]:
        made = []
        for place in range(n):
            easy = place % 2 == 0
            gold = 0 if easy else int(rng.random() < 0.5)
            question = "Is a mass there?" if easy else "Is it enlarged?"
            made.append(Asked(f"{name}{place}", f"{name}{place // 4}", "test", "head", "presence", question,
                              ("Yes", "No"), gold))  # fmt: skip
        return made, Exam(made, [0] * n, torch.zeros(1, 1, 1))

    rows = {}
    for name, n in (("known", 240), ("test", 160)):
        made, exam = part(name, n)
        plain = [row for row in plain_rows(exam, [reply()] * n) if row.estimator == "logprob"]
        rows[name] = worded(plain, made)
    first = rows["known"][0]
    assert word_signals("Is a mass there?", "Yes").items() <= first.signals.items()
    assert "reply_probability" in first.signals
    found = words_figures(rows["known"], rows["test"])
    assert (found["chosen"], found["refused"]) == ("correctness", {})
    assert (found["cross-fitted"]["n"], found["test"]["n"], found["test"]["pictures"]) == (240, 160, 40)
    for where in ("cross-fitted", "test"):
        less = found[where]["correctness less two-signal"]
        assert less["nll"]["high"] < 0 < less["auroc"]["low"]
        own, other = (found[where][family]["nll"]["value"] for family in ("correctness", "two-signal"))
        assert less["nll"]["value"] == pytest.approx(own - other, abs=2e-4)
