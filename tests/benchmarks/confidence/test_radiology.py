"""Other packages beside ours on kept replies: answers as the estimators make them, one procedure, figures alone."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from benchmarks.confidence.radiology import BESIDE, DRAWN, KeptReplies, measured, report, theirs
from models.radiology.bench import ReplyBook
from models.radiology.data.questions import Asked
from prompt4trust.evaluation import Prediction
from prompt4trust.models import Completion

PART_SIZES = {"fitting": 60, "validation": 60, "guarding": 110, "test": 90}
TEXT = "Is the made-up finding there?"
SURE, UNSURE = 0.98, 0.6


def reply(letter: str, probability: float) -> Completion:
    tokens = ["Finding", ":", " Yes" if letter == "A" else " No", " =", f" {letter}", ".", " The", " answer", " is"]
    tokens += [f" {letter}", " with", " confidence", " ", "9", "5", "."]
    likely = [{token: math.log(0.999), "?": math.log(0.001)} for token in tokens]
    other = " B" if letter == "A" else " A"
    likely[4] = {tokens[4]: math.log(probability), other: math.log(1 - probability)}
    return Completion("".join(tokens), "stop", likely, tokens)


def sample(letter: str) -> Completion:
    return Completion(reply(letter, SURE).text, "stop")


@pytest.fixture(scope="module")
def kept() -> KeptReplies:
    """Replies that are right nine times in ten where they are probable and their samples agree, else by chance."""
    rng, book, parts = random.Random(0), ReplyBook(), {}
    for part, count in PART_SIZES.items():
        parts[part] = [
            Asked(f"{part}-{n}", f"{part}-{n // 3}.png", part, "head", "presence", TEXT, ("Yes", "No"), n % 2)
            for n in range(count)
        ]
        for each in parts[part]:
            sure = rng.random() < 0.5
            right = rng.random() < (0.9 if sure else 0.5)
            letter, other = ("AB", "BA")[each.gold if right else 1 - each.gold]
            greedy = reply(letter, SURE if sure else UNSURE)
            agreeing = DRAWN - 1 if sure else 12
            drawn = [sample(letter)] * agreeing + [sample(other)] * (DRAWN - agreeing)
            book.add([(each, "", [greedy]), (each, "", drawn)])
    return KeptReplies(parts, book)


@pytest.fixture(scope="module")
def ours(kept: KeptReplies) -> dict[str, dict[str, list[Prediction]]]:
    return kept.ours()


def test_methods_answer_from_what_was_kept(ours: dict[str, dict[str, list[Prediction]]]) -> None:
    assert {name: len(parts["test"]) for name, parts in ours.items()} == dict.fromkeys(ours, PART_SIZES["test"])
    stated, likely, agreed = (ours[name]["test"][0] for name in ("verbalized", "logprob", "consistency"))
    assert (stated.confidence, stated.cost.calls, stated.picture) == (0.95, 1, "test-0.png")
    assert likely.signals["letter_probability"] == pytest.approx(1.0)
    assert likely.signals["reply_probability"] < SURE
    assert agreed.confidence in {11 / 20, 19 / 20}
    assert agreed.cost.calls == DRAWN
    # Where all samples hold a verdict, leaving out those without makes no difference.
    entropies = [[each.confidence for each in ours[name]["test"]] for name in ("entropy", "entropy-spread")]
    assert entropies[0] == entropies[1]


def test_missing_replies_are_told(kept: KeptReplies) -> None:
    lost = Asked("lost", "lost.png", "test", "head", "presence", TEXT, ("Yes", "No"), 0)
    book = KeptReplies({"test": [*kept.asked["test"], lost]}, kept.book)
    with pytest.raises(ValueError, match="lacks 1 reply to 1 test questions"):
        book.greedy("test")
    with pytest.raises(ValueError, match="lacks 21 replies to 1 test questions"):
        book.samples("test")


def test_other_packages_score_the_greedy_reply_and_samples_beside_it(
    kept: KeptReplies, ours: dict[str, dict[str, list[Prediction]]], tmp_path: Path
) -> None:
    material = tmp_path / "material.jsonl"
    kept.write_material(material)
    lines = [json.loads(line) for line in material.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == sum(PART_SIZES.values())
    assert {len(each["samples"]) for each in lines} == {BESIDE}
    assert all(each["reply"]["tokens"] and not any(one["tokens"] for one in each["samples"]) for each in lines)
    scores = {each["id"]: place / len(lines) for place, each in enumerate(lines)}
    found = {
        "one": {"scale": "confidence", "samples": False, "scores": scores},
        "many": {"scale": "uncertainty", "samples": True, "scores": scores},
        "refused": {"third": "needs what is not here"},
        "versions": {"package": "1"},
    }
    base = ours["verbalized"]
    made = dict(theirs(found, base, material))
    assert set(made) == {"one", "many"}
    one, many = made["one"]["test"], made["many"]["test"]
    assert [each.answer for each in one] == [each.answer for each in base["test"]]
    assert [each.confidence for each in one] == sorted(scores[each.id] for each in base["test"])
    assert [each.confidence for each in many] == sorted((each.confidence or 0 for each in many), reverse=True)
    assert (one[0].cost.calls, many[0].cost.calls) == (1, DRAWN)


def test_figures_are_of_the_test_pictures_and_hold_no_question_and_no_reply(
    kept: KeptReplies, ours: dict[str, dict[str, list[Prediction]]]
) -> None:
    rows = [measured(method, ours[method], resamples=5) for method in ("verbalized", "logprob")]
    told = report(kept, rows, {"downstream": "made-up"})
    stated, likely = told["rows"]
    assert (likely["n"], likely["calls"]) == (PART_SIZES["test"], 1)
    assert stated["auroc"]["value"] == 0.5  # 95 to all
    assert likely["auroc"]["value"] > 0.6
    assert likely["ece"]["value"] < likely["ece_raw"]["value"]
    assert likely["wrong_at_20"]["value"] <= 0.2 * likely["answered_at_20"]["value"] + 0.05
    assert told["less logprob"]["verbalized"]["auroc"]["value"] == pytest.approx(0.5 - likely["auroc"]["value"])
    assert told["settings"]["pictures"]["test"] == PART_SIZES["test"] // 3
    written = json.dumps(told)
    assert not any(text in written for text in (TEXT, "The answer", "test-0", "Yes"))
