"""Answers by an option's text or by a letter within a sentence, and what takes them back; and doubt in all forms."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.verdict import Invalid, Verdict, answers_in, parse_verdict

OPTIONS = {"A": "Pleural effusion", "B": "Pneumothorax", "C": "Consolidation", "D": "No abnormality"}
SURE = [". Confidence: 60", "\nConfidence: 60%", ", confidence 60", " (60%)", ". I'm 60% sure."]
CLAIMS = [
    *["Consolidation", "The main finding is consolidation", "Diagnosis: Consolidation (C)", "It's consolidation"],
    *["Answer: consolidation", "The most likely diagnosis is a consolidation", "This is most likely consolidation"],
    *["No pneumothorax is seen. The diagnosis is consolidation", "Pneumothorax is ruled out; it is consolidation"],
    *["The image shows consolidation (option C)", "It is C", "Neither A nor B; it is C", "I'd lean toward C"],
    *["Final verdict: C", "Answer: the third option (C)"],
]


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("sure", SURE)
def test_what_is_claimed_without_a_letter_s_label_is_read(claim: str, sure: str) -> None:
    assert parse_verdict(claim + sure, OPTIONS) == Verdict("C", 0.6)


@pytest.mark.parametrize(
    "claim",
    [
        *["No consolidation is seen", "Consolidation is unlikely", "It is not consolidation", "Unlike consolidation"],
        *["Consolidation or pneumothorax", "Diagnosis: consolidation vs pneumothorax", "Consolidation?"],
        *["Diagnosis: consolidation. Pneumothorax is as likely", "Diagnosis: Consolidation (B)"],
        *["The image excludes consolidation (option C)", "The image shows pneumothorax (option C)"],
        *["Answer: the second option (C)", "It is C-shaped", "It is C or D", "Diagnosis: C. difficile colitis"],
        *["The report says: consolidation", "The report's diagnosis is consolidation", "Answer C is wrong"],
        *["Consolidation. Actually, it is pneumothorax", "Consolidations are seen in pneumonia"],
    ],
)
@pytest.mark.parametrize("sure", SURE)
def test_what_is_denied_doubted_or_one_of_several_is_not(claim: str, sure: str) -> None:
    assert isinstance(parse_verdict(claim + sure, OPTIONS), Invalid)


@pytest.mark.parametrize(
    "options",
    [
        {"A": "Consolidation", "B": "No consolidation"},  # a mention of one may be one of the other
        {"A": "Consolidation", "B": "consolidation."},
        {"A": "Consolidation", "B": "2"},
        {"A": "Consolidation", "B": ""},
        "AB",
    ],
)
def test_texts_that_could_be_taken_for_another_are_not_read(options: dict[str, str]) -> None:
    assert parse_verdict("The diagnosis is consolidation. Confidence: 60", options) == Invalid("no_answer")


def test_yes_and_no() -> None:
    options = {"A": "Yes", "B": "No"}
    assert parse_verdict("No. Confidence: 60", options) == Verdict("B", 0.6)
    assert parse_verdict("Answer: Yes. No effusion elsewhere. Confidence: 60", options) == Invalid("ambiguous")
    assert parse_verdict("No. I cannot see it. Confidence: 60", options) == Invalid("no_answer")


def test_a_letter_that_is_announced_goes_before_a_text() -> None:
    assert parse_verdict("Finding: Consolidation. The answer is B with confidence 60.", OPTIONS) == Verdict("B", 0.6)
    assert answers_in("Finding: Consolidation", {"A": "x", "C": "Consolidation"}) == []


# --- Doubt, in whatever company ---------------------------------------------------------------------------------------

NO_ANSWER = [
    *["No pneumothorax is seen.", "I doubt that the answer is B.", "Is it B?", "If upright, the answer would be B."],
    *[
        "The note says the answer is B.",
        "It is not B.",
        "Option B is incorrect.",
        "Pneumothorax is unlikely.",
        "B12 is low.",
    ],
    *["The differential includes consolidation and pneumothorax.", "La respuesta no es B.", "答えはBではありません。"],
    *["Die Antwort ist nicht B.", "A 45-year-old.", "C7 is intact.", "Neither A nor B.", "Vitamin C is normal."],
]
NO_CONFIDENCE = [
    *[
        "Uncertainty: 20.",
        "Doubt: 20%.",
        "Error probability: 20%.",
        "I am 80% sure that I am wrong.",
        "I'm 20% unsure.",
    ],
    *["There is a 20% chance that I'm wrong.", "Incertitude : 20 %.", "Unsicherheit: 20 %.", "不确定性：20%。"],
    *["Confidence: high.", "Confidence: 80-90.", "Confidence: 150.", "Confidence: -5.", "Confidence: at least 80%."],
    *[
        "Sensitivity is 85%.",
        "The mass is 12 mm.",
        "BI-RADS 4.",
        "p = 0.05.",
        "Confidence interval: 80 to 90.",
        "Lack of confidence: 20.",
    ],
    *["Confidence that I am wrong: 20.", "I'm 20% confident that it is not B.", "Konfidenz: 80 bis 90 %."],
]
PARTS = st.sampled_from([". ", "\n", " ", "\n\n- "])


@given(
    st.lists(st.sampled_from(NO_ANSWER), min_size=1, max_size=4),
    st.sampled_from(["Confidence: 80", "80% sure."]),
    PARTS,
)
def test_no_company_of_doubts_makes_an_answer(said: list[str], sure: str, between: str) -> None:
    assert isinstance(parse_verdict(between.join([*said, sure]), OPTIONS), Invalid)
    assert isinstance(parse_verdict(between.join([sure, *said]), OPTIONS), Invalid)


@given(st.lists(st.sampled_from(NO_CONFIDENCE), min_size=1, max_size=4), PARTS)
def test_no_company_of_doubts_makes_a_confidence(said: list[str], between: str) -> None:
    assert isinstance(parse_verdict(between.join(["Answer: C", *said]), OPTIONS), Invalid)
    assert isinstance(parse_verdict(between.join([*said, "The answer is C."]), OPTIONS), Invalid)


@given(st.lists(st.sampled_from([*NO_ANSWER, *NO_CONFIDENCE]), max_size=4), st.integers(0, 4), PARTS)
def test_nor_changes_what_is_stated_among_them(said: list[str], place: int, between: str) -> None:
    verdict = parse_verdict(
        between.join([*said[:place], "The answer is C with confidence 70.", *said[place:]]), OPTIONS
    )
    assert isinstance(verdict, Invalid) or verdict == Verdict("C", 0.7)


@pytest.mark.parametrize(
    "unit",
    [
        *["respuesta: B ", "konfidenz: 80 bis ", "mit einer sicherheit von ", "정답은 ", "ninety ", "| Answer | B |\n"],
        *[
            "it is consolidation. ",
            "(option B) shows ",
            "80% sure that ",
            "answer: <",
            "most likely ",
            "> Answer ",
            ", so option B ",
            "No, there is no ",
            "confidence that B is ",
            "Answer: B (MRI ",
            "82% confident: ",
            "sure. ",
            "confidence 1 - ",
            "答案：B 不 ",
            "shows a right left (option B) ",
            "Impression: A - ",
            "Finding: Consolidation. ",
            "Respuesta: B, ",
            "the table is ",
        ],
    ],
)
def test_long_replies_of_these_forms_are_read_in_linear_time(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    began = time.process_time()
    parse_verdict(text, OPTIONS)
    # Less than half a second; anything quadratic would take minutes.
    assert time.process_time() - began < 5
