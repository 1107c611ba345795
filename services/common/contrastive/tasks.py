"""Classification tasks within a set of multiple-choice questions, and few shots of their classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from prompt4trust.questions import Question


@dataclass(frozen=True, slots=True)
class Task:
    """Questions that are answered by one set of classes.

    Attributes:
        classes: The options' texts, sorted; at least two.
        questions: The questions.
        labels: Each question's right class, as an index of classes.
    """

    classes: tuple[str, ...]
    questions: tuple[Question, ...]
    labels: tuple[int, ...]


def find_tasks(questions: Iterable[Question]) -> list[Task]:
    """Sort questions by the classes that their options are.

    Options that ever stand in one question belong to one task: of five levels a question may show four, and the next
    one another four. Questions without options, or without a known answer, belong to none.

    Args:
        questions: The questions, in any order.

    Returns:
        The tasks, by their first class.

    Example:
        >>> asked = Question(id="1", text="Side?", options={"A": "Left", "B": "Right"}, answer="A")
        >>> find_tasks([asked])[0].classes
        ('Left', 'Right')
    """
    known = [question for question in questions if question.options and question.answer in question.options]
    root: dict[str, str] = {}

    def top(text: str) -> str:
        root.setdefault(text, text)
        while root[text] != text:
            root[text] = root[root[text]]
            text = root[text]
        return text

    for question in known:
        first, *others = question.options.values()
        for other in others:
            root[top(other)] = top(first)
    members: dict[str, list[str]] = {}
    for text in sorted(root):
        members.setdefault(top(text), []).append(text)
    asked: dict[str, list[Question]] = {}
    for question in known:
        asked.setdefault(top(next(iter(question.options.values()))), []).append(question)
    tasks = []
    for key, classes in members.items():
        if len(classes) < 2:
            continue
        right = [question.options[str(question.answer)] for question in asked[key]]
        tasks.append(Task(tuple(classes), tuple(asked[key]), tuple(classes.index(text) for text in right)))
    return sorted(tasks, key=lambda task: task.classes)


def few_shots(labels: Sequence[int], shots: int, seed: int) -> list[int]:
    """Draw as many rows of each class as are wanted, or all where a class has fewer.

    Args:
        labels: Classes of the rows.
        shots: Rows a class, at least 1.
        seed: Of the draw.

    Returns:
        The rows' places, in order.

    Raises:
        ValueError: If shots is less than 1.

    Example:
        >>> few_shots([0, 0, 1], 1, seed=0)[-1]
        2
    """
    if shots < 1:
        raise ValueError(f"shots must be at least 1, not {shots}")
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in sorted(set(labels)):
        rows = [row for row, each in enumerate(labels) if each == label]
        chosen += random.permutation(rows)[:shots].tolist()
    return sorted(chosen)
