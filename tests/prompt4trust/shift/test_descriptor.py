"""Questions, described."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from prompt4trust.questions import Question
from prompt4trust.shift import PictureAndWords
from prompt4trust.shift.descriptor import describe_questions
from tests.prompt4trust.shift.questions import picture


def test_questions_are_described_in_order(tmp_path: Path) -> None:
    picture(np.random.default_rng(0)).save(tmp_path / "one.png")
    asked = [Question("1", "Which side?", {"A": "Left", "B": "Right"}, image=tmp_path / "one.png"), Question("2", "?")]
    seen = []
    found = describe_questions(asked, PictureAndWords(), lambda: seen.append(1))
    assert [list(each.traits) for each in found] == [["picture", "words"], ["words"]]
    assert len(seen) == 2
