"""A model's own words of certainty: found in whatever form, and no finding's content lost."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.verdict import Verdict, mark_self_assessments, parse_verdict, self_assessments
from tests.prompt4trust.verdict.certainty_checker import claims_in
from tests.prompt4trust.verdict.forms.test_languages import LABELS
from tests.prompt4trust.verdict.test_corpus import CORPUS, LATER

N = "[number left out]"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The answer is B with confidence 85.", f"The answer is B with confidence {N}."),
        ("**Confidence**: 80% - 90%", f"**Confidence**: {N}"),
        ("confidence between 70 and 80 per cent", f"confidence between {N}"),
        ("Confidence: 85 ± 10", f"Confidence: {N}"),
        ("Confidence: at least 80%.", f"Confidence: at least {N}."),
        ("B (85%)", f"B ({N})"),
        ("B|90", f"B|{N}"),
        ("A: 0.1, B: 0.7", f"A: {N}, B: {N}"),
        ("Odds 9:1 for B. 9 times out of 10 sure.", f"Odds {N} for B. {N} [unchecked: sure]."),
        ("I'm ninety-five percent sure.", f"I'm {N} [unchecked: sure]."),
        ("Confidence: ★★★★☆", f"Confidence: {N}"),
        ('{"answer": "B", "confidence": 95}', f'{{"answer": "B", "confidence": {N}}}'),
        ("| Answer | Confidence |\n|---|---|\n| B | 95% |", f"| Answer | Confidence |\n|---|---|\n| B | {N} |"),
        ("Con\u200bfidence： ９５％", f"Con\u200bfidence： {N}"),
        ("百分之九十的把握，肯定是B", f"{N}的把握，[unchecked: 肯定]是B"),
        ("Sicherheit: 85 %", f"Sicherheit: {N}"),
        ("I would say 8/10 for B.", "I would say [unchecked: 8/10] for B."),
        ("Clearly a mass, no doubt.", "[unchecked: Clearly] a mass, [unchecked: no doubt]."),
        ("I am not quite sure.", "I am [unchecked: not quite sure]."),
        ("Confidence: high.", "Confidence: [unchecked: high]."),
        ("<think>The answer is A, 99%.</think>It is B.", "It is B."),
    ],
)
def test_numbers_are_left_out_and_words_are_marked(said: str, shown: str) -> None:
    assert mark_self_assessments(said, "ABCD") == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("A possible fracture of L4.", "A [unchecked: possible] fracture of L4."),
        ("Clearly defined margins.", "[unchecked: Clearly] defined margins."),
        ("Pneumothorax 30%", "Pneumothorax [unchecked: 30%]"),
    ],
)
def test_what_may_be_a_findings_content_stays_in_its_sentence(said: str, shown: str) -> None:
    assert mark_self_assessments(said, {"A": "Pneumothorax"}) == shown


@pytest.mark.parametrize(
    "said",
    [
        "A 70% stenosis of the LAD, 3.5 cm, in a 60-year-old.",
        "Consistent with pneumonia, suspicious for malignancy, suggestive of oedema.",
        "The lesion is 3.5 cm (95% CI 2-4).",
        "Clear lungs. The costophrenic angle is clear.",
        "Make sure to look at a certain degree of blur.",
        "",
        "\n",
    ],
)
def test_findings_and_their_numbers_are_left_alone(said: str) -> None:
    assert mark_self_assessments(said, {"A": "Oval"}) == said


@pytest.mark.parametrize("case", CORPUS["cases"], ids=lambda case: case["reply"][:30])
def test_no_verdict_can_be_read_from_a_marked_reply(case: dict[str, object]) -> None:
    options = CORPUS["options"][case.get("options", "chest")]
    shown = mark_self_assessments(str(case["reply"]), options)
    for scale in ("per-cent", "probability"):
        for order in ("conclude-first", "reason-first"):
            assert not isinstance(parse_verdict(shown, options, scale=scale, order=order), Verdict)
    assert claims_in(shown) == []


@pytest.mark.parametrize("name", LATER)
def test_nor_from_one_of_the_later_corpora(name: str) -> None:
    for case in LATER[name]["cases"]:
        options = LATER[name]["options"][case.get("options", "chest")]
        shown = mark_self_assessments(case["reply"], options)
        for scale in ("per-cent", "probability"):
            assert not isinstance(parse_verdict(shown, options, scale=scale), Verdict), shown


@pytest.mark.parametrize(("answer", "confidence"), LABELS)
def test_nor_in_another_language(answer: str, confidence: str) -> None:
    for said in (f"{confidence}: 72,5 %", f"{confidence}: 8/10", f"{confidence} (0-100): 72"):
        shown = mark_self_assessments(f"{answer}: B\n{said}", "ABCD")
        assert N in shown
        assert not isinstance(parse_verdict(shown, "ABCD"), Verdict)


def test_the_checker_itself_sees_claims() -> None:
    cases = [case["reply"] for case in CORPUS["cases"] if "reads" in case]
    assert sum(bool(claims_in(reply)) for reply in cases) >= 0.9 * len(cases)
    for said in ("Clearly B.", "I am 85% sure.", "置信度85", "no doubt", "It is certain.", "confidence: 8 out of 10"):
        assert claims_in(said)
    assert claims_in("A 70% stenosis. [unchecked: Clearly] B, confidence [number left out].") == []


def test_the_places_are_those_of_the_text_as_it_came() -> None:
    text = "**Confidence**：  ８５％, \u200bclearly"
    assert [(text[each.start : each.end], each.kind) for each in self_assessments(text)] == [
        ("８５％", "number"),
        ("clearly", "words"),
    ]


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["confidence", "85%", "B", "(", "I am", "İ", "9/10", "\n", "|"])).map(" ".join)
)
def test_places_are_in_order_and_none_overlaps(text: str) -> None:
    found = self_assessments(text, {"A": "b"})
    assert all(0 <= each.start < each.end <= len(text) for each in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    mark_self_assessments(text, {"A": "b"})


@pytest.mark.parametrize(
    "piece", ["confidence: is of at as ", "no a doubt ", "| confidence |\n", "9%", "1 ", "(((", "I am "]
)
def test_marking_takes_time_linear_in_the_text(piece: str) -> None:
    def seconds(size: int) -> float:
        text = (piece * size)[:size]
        times = []
        for _ in range(3):
            began = time.process_time()
            self_assessments(text)
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(48_000) < 16 * max(seconds(6_000), 0.005)


def test_a_text_that_nobody_reads_is_cut() -> None:
    assert len(mark_self_assessments("word " * 100_000)) < 20_100
