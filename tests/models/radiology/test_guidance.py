"""Effects of guidance: the fixed hint is chosen on validation alone, and gains come out as they are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from models.radiology.bench import Exam
from models.radiology.data.hints import EVIDENCE, draw_hint, family_of, fixed_hints
from models.radiology.data.questions import Asked
from models.radiology.guidance import Outcome, compare, figures, measured, outcome
from prompt4trust.rewards import log_score
from prompt4trust.verdict import Verdict

KINDS = ("presence", "body part", "side", "size")


def exam(split: str, pictures: int) -> Exam:
    asked = [
        Asked(f"{split}{place}-{kind}", f"{split}{place}", split, "head", kind, "What?", ("Yes", "No"), place % 2)
        for place in range(pictures)
        for kind in KINDS
    ]
    return Exam(asked, [0] * len(asked), torch.zeros(1, 1, 1))


def replying(seen: list[tuple[str, str]], told: Sequence[str] = ()) -> object:
    """A model that always says A, is sure without a fitting hint and half sure with one; fixed hints of `told` help."""

    def ask(given: Exam, hints: Sequence[str]) -> Outcome:
        replies = []
        for each, hint in zip(given.asked, hints, strict=True):
            seen.append((each.split, hint))
            fits = family_of(hint) == EVIDENCE[each.kind] or hint in told
            replies.append(f"Finding: Yes = A. The answer is A with confidence {50 if fits else 95}.")
        return outcome(replies, given.asked)

    return ask


def test_a_fitting_policy_gains_what_the_stated_numbers_say() -> None:
    import random

    seen: list[tuple[str, str]] = []
    favourite = fixed_hints()[-1]
    test = exam("test", 12)
    rng = random.Random(0)
    policies = {
        "good": lambda asked: [draw_hint(EVIDENCE[each.kind], "held out", rng) for each in asked],
        "mute": lambda asked: [""] * len(asked),
    }
    found = measured(replying(seen, [favourite]), exam("validation", 6), test, policies, lambda _: None)  # type: ignore[arg-type]
    assert found["fixed"]["chosen"] == favourite
    assert {hint for split, hint in seen if split == "test" and hint in fixed_hints()} - {
        hint for hint in fixed_hints() if family_of(hint) in EVIDENCE.values()
    } == {favourite}  # of the others none was tried on the test questions but as a fitting one
    assert found["hints"] == {
        "good": {"fitting": 1.0, "other": 0.0, "unknown": 0.0},
        "mute": {"fitting": 0.0, "other": 0.0, "unknown": 1.0},
    }
    figures = found["test"]
    assert figures["none"]["accuracy"]["value"] == 0.5
    assert figures["none"]["ece"]["value"] == pytest.approx(0.45)
    assert figures["good"]["ece"]["value"] == pytest.approx(0.0)
    gain = (log_score(Verdict("A", 0.5), "A") + log_score(Verdict("A", 0.5), "B")) / 2
    gain -= (log_score(Verdict("A", 0.95), "A") + log_score(Verdict("A", 0.95), "B")) / 2
    assert found["against"]["good"]["none"]["reward"]["value"] == pytest.approx(gain, abs=1e-4)
    assert found["against"]["good"]["none"]["ece"]["value"] == pytest.approx(-0.45)
    assert found["against"]["good"]["fitting"]["reward"]["value"] == 0
    assert found["against"]["mute"]["none"]["accuracy"] == {"value": 0, "low": 0, "high": 0}
    told = found["against"]["best fixed hint"]
    assert told["none"]["reward"] == found["against"]["good"]["none"]["reward"]  # both have half of the answers doubted
    assert told["good"]["reward"] == {"value": 0, "low": 0, "high": 0}
    assert [figures[name]["confident_errors"] for name in ("none", "best fixed hint", "good")] == [24, 0, 0]


def test_fitting_hints_are_asked_only_where_they_are_wanted() -> None:
    seen: list[tuple[str, str]] = []
    found = measured(replying(seen), exam("validation", 2), exam("test", 3), {}, lambda _: None, fitting=False)  # type: ignore[arg-type]
    assert list(found["test"]) == ["none", "best fixed hint"]
    assert {hint for split, hint in seen if split == "test"} == {"", found["fixed"]["chosen"]}


def test_intervals_are_of_pictures_and_not_of_questions() -> None:
    """Copies of a picture's questions say nothing new: the interval must not shrink with them."""
    right = [place % 2 == 0 for place in range(10)]
    once, often = (Outcome([0.5] * 10 * n, right * n, [0.0] * 10 * n) for n in (1, 20))
    wrong = [not each for each in right]
    other, others = (
        Outcome([0.5] * 10 * n, [wrong[p] if p < 4 else right[p] for p in range(10)] * n, [1.0] * 10 * n)
        for n in (1, 20)
    )
    names = [f"{place}" for place in range(10)]
    assert compare(once, other, names)["accuracy"] == compare(often, others, names * 20)["accuracy"]


def test_the_interval_of_no_difference_in_ece_holds_it() -> None:
    """Two that are both calibrated differ by nothing: intervals may miss 0 rarely, and plain percentiles often do."""
    rng = np.random.default_rng(5)
    names = [f"{place // 4}" for place in range(160)]
    missed, trials = 0, 20
    for _ in range(trials):
        chance = rng.uniform(0.5, 1.0, 160)
        right = rng.random(160) < chance  # the one knows the chance of each, the other states their mean
        own, other = (Outcome(list(stated), list(right), [0.0] * 160) for stated in (chance, np.full(160, 0.75)))
        found = compare(own, other, names)["ece"]
        assert found["low"] <= found["value"] <= found["high"]
        missed += not found["low"] <= 0 <= found["high"]
    assert missed <= 2  # of one expected; plain percentiles miss 4 of these 20


def test_a_real_difference_in_ece_is_found() -> None:
    right = [place % 10 < 7 for place in range(200)]
    own, other = (Outcome([stated] * 200, right, [0.0] * 200) for stated in (0.7, 0.95))
    assert compare(own, other, [f"{place // 10}" for place in range(200)])["ece"]["high"] < 0


def test_replies_without_a_verdict_are_told_though_they_look_calibrated() -> None:
    asked = exam("test", 3).asked
    found = outcome(["no idea"] * len(asked), asked)
    told = figures(found, [each.picture for each in asked])
    assert (told["without_verdict"], told["n"], told["ece"]["value"]) == (12, 12, 0.0)
