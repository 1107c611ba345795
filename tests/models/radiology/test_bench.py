"""Replies that were given already: not asked for twice, not of other weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.radiology.bench import Bench, Exam, ReplyBook
from models.radiology.data.questions import Asked
from models.radiology.stages import LAST, STAGES
from models.radiology.workshop import Workshop
from models.staged_runs import run_stages
from prompt4trust.models import Completion

ASKED = Asked("q1", "p", "test", "head", "presence", "Is it?", ("Yes", "No"), 0)


def test_a_book_is_read_again_and_tells_hints_and_samples_apart(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    told = Completion("The answer is A.", "stop", [{"The": -0.1}], ["The"])
    ReplyBook(path, "w").add([(ASKED, "", [told]), (ASKED, "", [told, told])])
    again = ReplyBook(path, "w")
    assert again.get(ASKED, "") == [told]
    assert again.get(ASKED, "", 2) == [told, told]
    assert again.get(ASKED, "Look well.") is None
    assert len(again) == 2
    with pytest.raises(ValueError, match="other weights"):
        ReplyBook(path, "others")


def test_the_same_words_are_asked_once(shop: Workshop) -> None:
    run_stages(shop, STAGES, ["features", "answers", "confidence", LAST])
    model = shop.model(LAST)
    lines: list[str] = []
    bench = Bench(model, shop.encoder(model), shop.parts, log=lines.append)
    exam = bench.exam(shop.questions("test")[:3], shop.data)
    first = bench.greedy(exam, ["Look well."] * 3)
    asked = len(lines)
    assert bench.greedy(exam, ["Look well."] * 3) == first
    assert len(lines) == asked
    assert bench.greedy(exam.part([1]), ["Look well."]) == [first[1]]
    assert [len(own) for own in bench.sampled(exam)] == [21] * 3
    assert torch.equal(exam.part([2]).features, exam.features)
    assert isinstance(exam, Exam)
