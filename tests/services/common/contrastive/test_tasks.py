"""Tasks within questions, and few shots of their classes."""

from __future__ import annotations

import pytest

from prompt4trust.datasets.phantoms import FAMILIES
from prompt4trust.datasets.phantoms.generator import samples
from prompt4trust.questions import Question, letter_options
from services.common.contrastive.tasks import few_shots, find_tasks


def test_the_families_of_phantoms_are_found_from_their_options_alone() -> None:
    questions = [
        Question(str(number), asked.text, letter_options(asked.options), "ABCD"[asked.answer])
        for number, (_, asked) in enumerate(samples(400, 0, "train"))
    ]
    tasks = find_tasks(questions)
    assert sorted(task.classes for task in tasks) == sorted(tuple(sorted(values)) for values in FAMILIES.values())
    assert sum(len(task.questions) for task in tasks) == 400
    for task in tasks:
        for question, label in zip(task.questions, task.labels, strict=True):
            assert question.options[str(question.answer)] == task.classes[label]


def test_questions_without_options_or_answer_belong_to_no_task() -> None:
    options = {"A": "Left", "B": "Right"}
    assert find_tasks([Question("1", "What is it?", answer=None), Question("2", "Side?", options)]) == []


def test_as_many_shots_of_each_class_are_drawn_as_there_are() -> None:
    labels = [0] * 10 + [1] * 3
    chosen = few_shots(labels, 5, seed=1)
    assert [labels[row] for row in chosen] == [0] * 5 + [1] * 3
    assert chosen == few_shots(labels, 5, seed=1) != few_shots(labels, 5, seed=2)
    with pytest.raises(ValueError, match="at least 1"):
        few_shots(labels, 0, seed=1)
