"""The quick ones of the faults; all of them by `make test-faults`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.conftest import Stack
from tests.system.faults.catalogue import CATALOGUE
from tests.system.faults.load import SHORT_RATE
from tests.system.faults.questions import Question, judge
from tests.system.faults.site import opened, record_faults
from tests.system.faults.suffering import suffer, table

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]


async def test_whatever_fails_every_answer_is_right_or_says_what_it_lacks(stack: Stack, tmp_path: Path) -> None:
    async with opened(stack, tmp_path, rate=SHORT_RATE) as site:
        rows = [await suffer(site, fault, count=8, slack=8) for fault in CATALOGUE if fault.in_short]
    assert not [row.complaints for row in rows if row.complaints], table(rows)
    assert sum(row.kinds.get("wrong", 0) for row in rows) == 0, table(rows)


# --- The judge itself -------------------------------------------------------------------------------------------------

BASIS = {"code": "confident-enough"}
TOLD: dict[str, Any] = {
    "id": "1", "answer": {"letter": "A"}, "guess": None, "confidence": 0.9, "decision": "answer",
    "degraded": [], "recorded": True,
    "calibration": {"calibrated": True, "reason": None}, "decision_basis": BASIS,
}  # fmt: skip
DEFERRED = {"answer": None, "guess": {"letter": "A"}, "decision": "defer"}
UNKNOWN = {"code": "atypicality-unknown"}
QUESTION = Question(b"", TOLD, {**TOLD, "confidence": 0.6})


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("right", {}),
        ("right", {"confidence": 0.9001}),
        ("wrong", {"confidence": 0.91}),
        ("wrong", {"answer": {"letter": "B"}}),
        ("wrong", {"answer": None, "confidence": None}),
        ("wrong", {"calibration": {"calibrated": False, "reason": "x"}}),
        ("flagged", {"recorded": False}),
        ("flagged", {"degraded": ["policy"], "confidence": 0.6}),
        ("wrong", {"degraded": ["policy"]}),
        ("flagged", {**DEFERRED, "calibration": {"calibrated": False, "reason": "x"}, "confidence": 0.7}),
        ("wrong", {**DEFERRED, "calibration": {"calibrated": False, "reason": None}}),
        ("flagged", {**DEFERRED, "decision_basis": UNKNOWN}),
        ("flagged", {**DEFERRED, "guess": None, "decision_basis": UNKNOWN}),
        ("wrong", {**DEFERRED, "guess": {"letter": "B"}, "decision_basis": UNKNOWN}),
        ("wrong", {**DEFERRED, "answer": {"letter": "A"}, "decision_basis": UNKNOWN}),
        ("wrong", DEFERRED),
    ],
)
def test_a_reply_is_judged_by_those_of_before(kind: str, changes: dict[str, object]) -> None:
    assert judge(QUESTION, httpx.Response(200, json={**TOLD, **changes})).kind == kind


def test_what_is_no_reply_is_refused_by_a_problem_document_or_wrong() -> None:
    problem = {"type": "urn:trustvqa:problem:busy"}
    kind = {"Content-Type": "application/problem+json"}
    assert judge(QUESTION, httpx.Response(503, json=problem, headers=kind)).kind == "refused"
    assert judge(QUESTION, httpx.Response(500, json=problem, headers=kind)).kind == "wrong"
    assert judge(QUESTION, httpx.Response(503, json=problem)).kind == "wrong"
    assert judge(QUESTION, httpx.Response(200, text="Well, ...")).kind == "wrong"


def test_records_are_those_of_the_replies() -> None:
    told = judge(QUESTION, httpx.Response(200, json=TOLD))
    assert record_faults([told], {"1": ("A", 0.9, "answer"), "0": ("B", 0.5, "defer")}, {"0"}) == []
    assert record_faults([told], {}, set()) == ["1 is said to be recorded"]
    assert record_faults([told], {"1": ("A", 0.8, "answer")}, set()) != []
    assert record_faults([told], {"1": ("A", 0.9, "answer"), "2": ("A", 0.9, "answer")}, set()) != []
