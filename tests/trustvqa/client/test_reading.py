"""Replies are read as what they are declared to be, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from trustvqa.client.reading import UnreadableReplyError, read
from trustvqa.client.results import VqaResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    kind: Literal["a", "b"]
    share: float = 0.0
    is_new: bool = False
    part: Part | None = None
    names: tuple[str, ...] = ()
    ends: tuple[float, float] | None = None
    by_name: Mapping[str, float] = field(default_factory=dict)
    other: Mapping[str, Any] | None = None


def test_what_is_told_is_read_and_what_is_new_left_out() -> None:
    told = {
        "kind": "b",
        "share": 1,
        "is_new": True,
        "part": {"name": "x", "count": 3, "more": []},
        "names": ["y", "z"],
        "ends": [0, 1],
        "by_name": {"total": 3},
        "other": {"n": [1]},
        "more": None,
    }
    found = read(Whole, told)
    assert found == Whole(
        kind="b",
        share=1.0,
        is_new=True,
        part=Part(name="x", count=3),
        names=("y", "z"),
        ends=(0.0, 1.0),
        by_name={"total": 3.0},
        other={"n": [1]},
    )
    assert isinstance(found.share, float)
    assert read(Whole, {"kind": "a"}) == Whole(kind="a")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({}, "kind is missing"),
        ({"kind": "c"}, "Whole.kind"),
        ({"kind": None}, "Whole.kind"),
        ({"kind": "a", "share": "0.5"}, "share is no float"),
        ({"kind": "a", "share": True}, "Whole.share"),
        ({"kind": "a", "share": None}, "Whole.share"),
        ({"kind": "a", "share": 10**400}, "share is no finite number"),
        ({"kind": "a", "share": float("nan")}, "share is no finite number"),
        ({"kind": "a", "ends": [0.0, float("inf")]}, "Whole.ends"),
        ({"kind": "a", "is_new": 1}, "Whole.is_new"),
        ({"kind": "a", "part": {"count": 1}}, "Part.name is missing"),
        ({"kind": "a", "part": {"name": "x", "count": True}}, "Part.count"),
        ({"kind": "a", "part": "x"}, "Part is no object"),
        ({"kind": "a", "names": "xy"}, "Whole.names"),
        ({"kind": "a", "names": ["x", 1]}, "Whole.names"),
        ({"kind": "a", "ends": [1.0]}, "ends has 1 values"),
        ({"kind": "a", "by_name": {"total": "x"}}, "Whole.by_name.total"),
        ({"kind": "a", "other": []}, "Whole.other"),
        ([], "Whole is no object"),
        (None, "Whole is no object"),
    ],
)
def test_what_is_something_else_is_refused_by_name(wrong: object, named: str) -> None:
    with pytest.raises(UnreadableReplyError, match=named.replace(".", r"\.")):
        read(Whole, wrong)


def test_a_result_can_neither_be_changed_nor_be_without_its_decision() -> None:
    result = VqaResult.from_reply({"id": "1", "decision": "answer"})
    with pytest.raises(AttributeError):
        result.decision = "defer"  # type: ignore[misc]
    for wrong in ({"id": "1"}, {"id": "1", "decision": "perhaps"}, {"id": 1, "decision": "answer"}):
        with pytest.raises(ValueError, match="VqaResult"):
            VqaResult.from_reply(wrong)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, 1e300, -(10**400), float("nan")])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(UnreadableReplyError, match=r"VqaResult\.confidence"):
        VqaResult.from_reply({"id": "1", "decision": "answer", "confidence": confidence})
