"""The parser on the corpora of replies in the manner of real models: read right or not at all."""

from __future__ import annotations

import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from prompt4trust.verdict import Verdict, parse_verdict


def corpus(name: str) -> dict[str, Any]:
    """Options and cases of a file beside this one."""
    text = Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)  # as safe_load, in a tenth of its time
    return found


PAGE = Path(__file__).parents[3] / "docs" / "results-replies.md"
CORPUS = corpus("corpus")
LATER = {
    name: corpus(name)
    for name in (
        *("corpus_forms", "corpus_after", "corpus_traps", "corpus_last"),
        *("corpus_unseen", "corpus_neighbours", "corpus_traps_2", "corpus_traps_3"),
        *("corpus_unseen_2", "corpus_neighbours_2", "corpus_unseen_3", "corpus_unseen_4", "corpus_unseen_5"),
        *("corpus_unseen_6", "corpus_unseen_7", "corpus_unseen_8"),
        *("corpus_unseen_9", "corpus_unseen_10", "corpus_unseen_11", "corpus_unseen_12", "corpus_neighbours_3"),
        *("corpus_traps_4", "corpus_unseen_13"),
    )
}
TOLD = ("question", "scale", "order", "finish_reason")


def outcome(case: dict[str, Any], options: dict[str, Any]) -> str:
    """Outcome of a case: right, lost or wrong."""
    told = {name: case[name] for name in TOLD if name in case}
    verdict = parse_verdict(case["reply"], options[case.get("options", "chest")], **told)
    if not isinstance(verdict, Verdict):
        return "lost" if "reads" in case else "right"
    answer, confidence = case.get("reads", (None, None))
    return "right" if verdict.answer == answer and verdict.confidence == pytest.approx(confidence) else "wrong"


@functools.cache
def outcomes_of(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Outcome and case of each reply in a file: read once for all tests."""
    found = CORPUS if name == "corpus" else LATER[name]
    return [(outcome(case, found["options"]), case) for case in found["cases"]]


def assert_none_is_wrong_and_few_are_lost(outcomes: list[tuple[str, dict[str, Any]]]) -> None:
    assert [case for said, case in outcomes if said == "wrong"] == []
    readable = Counter(said for said, case in outcomes if "reads" in case)
    assert readable["lost"] <= 0.1 * readable.total()


def test_the_corpus_is_large_and_a_third_of_it_is_held_out() -> None:
    held_out = sum(case.get("held_out", False) for case in CORPUS["cases"])
    assert len(CORPUS["cases"]) >= 250
    assert held_out / len(CORPUS["cases"]) == pytest.approx(1 / 3, abs=0.01)
    assert len({case["kind"] for case in CORPUS["cases"]}) >= 20


@pytest.mark.parametrize("held_out", [False, True])
def test_no_reply_is_read_wrong_and_few_are_lost(held_out: bool) -> None:
    assert_none_is_wrong_and_few_are_lost(
        [(said, case) for said, case in outcomes_of("corpus") if case.get("held_out", False) == held_out]
    )


@pytest.mark.parametrize("name", LATER)
def test_nor_any_of_the_later_corpora(name: str) -> None:
    assert_none_is_wrong_and_few_are_lost(outcomes_of(name))


@pytest.mark.parametrize("name", ["corpus", *LATER])
def test_the_page_of_results_counts_what_there_is(name: str) -> None:
    """How many replies, how many of them readable, and how many are read wrong and lost now."""
    [row] = re.findall(rf"^\| `{name}\.yaml` \| (\d+ \| .*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    replies, readable, _, _, now = row.split(" | ")
    found = outcomes_of(name)
    outcomes = Counter(said for said, _ in found)
    assert (int(replies), int(readable)) == (len(found), sum("reads" in case for _, case in found))
    assert now.split(";")[0] == f"{outcomes['wrong']}, {outcomes['lost']}"
