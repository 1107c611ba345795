"""The parser against METHOD's examples, the published expressions, arbitrary text and adversarial sizes."""

from __future__ import annotations

import re
from string import ascii_uppercase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from tests.prompt4trust.growth import takes_linear_time

FOUR = "ABCD"


def assert_reads(text: str, letters: str, answer: str, confidence: float) -> None:
    verdict = parse_verdict(text, letters)
    assert isinstance(verdict, Verdict), verdict
    assert verdict.answer == answer
    assert verdict.confidence == pytest.approx(confidence, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "answer", "confidence"),
    [
        ("the answer is B with confidence 85", "B", 0.85),
        ("THE ANSWER IS b WITH CONFIDENCE 85", "B", 0.85),
        ("The answer is (B) with confidence 85%.", "B", 0.85),
        ("The answer is **B** with confidence **85**", "B", 0.85),
        ("The answer is 'C', confidence \"85 %\"", "C", 0.85),
        ("The answer is “D” with confidence “7”", "D", 0.07),
        ("Answer: C\nConfidence: 85.5", "C", 0.855),
        ("**Answer:** B\n**Confidence:** 0.85", "B", 0.85),
        ("**Answer**: (b) Left lung\n**Confidence**: 85%", "B", 0.85),
        ("Final answer: option D, confidence of 40", "D", 0.4),
        ("the answer is: A. Confidence is 0.9", "A", 0.9),
        ("the answer is A and my confidence level is 90 percent", "A", 0.9),
        ('{"answer": "D", "confidence": 0.25}', "D", 0.25),
        ("Answer: A) Radiograph. Confidence (0-100): 85", "A", 0.85),
        ("the answer is A. Confidence - 85", "A", 0.85),
        ("the answer is B with confidence 80/100", "B", 0.8),
        ("the answer is B with confidence 8/10", "B", 0.8),
        ("the answer is B with confidence 8 out of 10", "B", 0.8),
        ("the answer is B with confidence 4 (on a scale of 1-5)", "B", 0.8),
        ("with confidence 70, the answer is B", "B", 0.7),
        ("the answer is B.Left lung with confidence 70", "B", 0.7),
    ],
)
def test_reads_what_models_write(text: str, answer: str, confidence: float) -> None:
    assert_reads(text, FOUR, answer, confidence)


@pytest.mark.parametrize(
    ("stated", "confidence"),
    [
        ("0", 0.0),
        ("0.0", 0.0),
        ("1", 0.01),
        ("1%", 0.01),
        ("1.0", 1.0),
        ("1.00", 1.0),
        ("1.5", 0.015),
        ("0.9", 0.9),
        (".9", 0.9),
        ("0.9%", 0.009),
        ("85.", 0.85),
        ("99.9", 0.999),
        ("100", 1.0),
        ("100.0", 1.0),
        ("101", 1.0),
        ("٨٥", 0.85),
    ],
)
def test_confidence_scale_and_clipping(stated: str, confidence: float) -> None:
    assert_reads(f"the answer is A with confidence {stated}", FOUR, "A", confidence)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\t\u2003", "empty"),
        ("I cannot tell from this image.", "no_answer"),
        ("with confidence 80", "no_answer"),
        ("the answer is a benign lesion with confidence 80", "no_answer"),
        ("the answer is a 5 cm mass with confidence 80", "no_answer"),
        ("Answer: a **benign** lesion, confidence 80", "no_answer"),
        ("THE ANSWER IS A BENIGN LESION WITH CONFIDENCE 80", "no_answer"),
        ("the answer is C-reactive protein with confidence 80", "no_answer"),
        ("the answer is B12 deficiency with confidence 80", "no_answer"),
        ("the answer is A/B with confidence 80", "no_answer"),
        ("the answer is bacterial with confidence 80", "no_answer"),
        ("the answer isn't B, confidence 80", "no_answer"),
        ("the answer is not B, confidence 80", "no_answer"),
        ("the answer is {LETTER} with confidence {0-100}", "no_answer"),
        ("the answer is E with confidence 80", "unknown_option"),
        ("the answer is B", "no_confidence"),
        ("the answer is B with high confidence", "no_confidence"),
        ("the answer is B with confidence high", "no_confidence"),
        ("the answer is B with confidence 80-90", "no_confidence"),
        ("the answer is B with confidence 8/10/2024", "no_confidence"),
        ("the answer is B with confidence 50/50", "no_confidence"),
        ("the answer is B with confidence between 80 and 90", "no_confidence"),
        ("the answer is B with confidence 80% - 90%", "no_confidence"),
        ("the answer is B with confidence of at least 80", "no_confidence"),
        ("the answer is B, confidence (1-10): 80", "no_confidence"),
        ("the answer is A or B with confidence 80", "ambiguous"),
        ("the answer is B virus hepatitis with confidence 80", "no_answer"),
        ("the answer is B with confidence 0,9", "no_confidence"),
        ("the answer is B with confidence 1e-3", "no_confidence"),
        ("the answer is B with confidence 1000", "no_confidence"),
        ("the answer is B with confidence -5", "no_confidence"),
        ("the answer is B with confidence " + "9" * 5000, "no_confidence"),
        ("Answer: B\nConfidence: 150", "no_confidence"),
        ("Answer: B\nConfidence: 101%", "no_confidence"),
        ("Answer: B. I am 110% sure.", "no_confidence"),
    ],
)
def test_anything_else_is_invalid_with_its_reason(text: str, reason: str) -> None:
    assert parse_verdict(text, FOUR) == Invalid(reason)  # type: ignore[arg-type]


def test_first_complete_pair_wins() -> None:
    text = "The answer is B with confidence 85. Had it been round, the answer is C with confidence 20."
    assert parse_verdict(text, FOUR) == Verdict("B", 0.85)
    assert parse_verdict("The answer is B with confidence 85. The answer is C with confidence 20.", FOUR) == Verdict(
        "B", 0.85
    )


def test_whole_verdicts_that_differ_are_none_in_any_other_form() -> None:
    text = "Answer: (B)\nConfidence: 85%\n\nAnswer: (C)\nConfidence: 20%"
    assert parse_verdict(text, FOUR) == Invalid("ambiguous")
    assert parse_verdict(text, FOUR, order="reason-first") == Invalid("ambiguous")


def test_what_is_no_option_or_no_letter_is_passed_over() -> None:
    text = "the answer is a tumour; of E and B the answer is E, or rather the answer is B, with confidence 30"
    assert parse_verdict(text, FOUR) == Verdict("B", 0.3)
    assert parse_verdict("the answer is D. No: answer is A, confidence 3", "ABC") == Verdict("A", 0.03)


def test_a_decimal_is_not_passed_over_for_a_later_whole_number() -> None:
    text = "the answer is B with confidence 0.9. Others state confidence 20"
    assert parse_verdict(text, FOUR) == Verdict("B", 0.9)


@pytest.mark.parametrize("letters", ["ABCDE", "edcba", ["A", "B", "C", "D", "E"], {"A": "x", "E": "y"}, {"e"}])
def test_letters_come_as_any_collection(letters: list[str]) -> None:
    assert parse_verdict("the answer is e with confidence 5", letters) == Verdict("E", 0.05)


@pytest.mark.parametrize("letter", ascii_uppercase)
def test_all_twenty_six_letters(letter: str) -> None:
    for form in (
        f"the answer is {letter} with",
        f"the answer is {letter.lower()} with",
        f"Answer: ({letter}).",
        letter,
    ):
        text = form if "nswer" in form else f"answer is **{letter}**"
        assert parse_verdict(f"{text} confidence 50", ascii_uppercase) == Verdict(letter, 0.5)


def test_pronoun_is_not_the_ninth_option() -> None:
    assert parse_verdict("Answer: I think it is round. Confidence 50", ascii_uppercase) == Invalid("no_answer")


@pytest.mark.parametrize(
    ("text", "answer", "confidence"),
    [
        ("the answer is a benign lesion with confidence 80", "a benign lesion", 0.8),
        ("The answer is **3.5 cm**, with a confidence of 0.5", "3.5 cm", 0.5),
        ("**Answer:** The answer is **oedema** with confidence 4", "oedema", 0.04),
        ("Answer: pleural effusion\nConfidence: 90%", "pleural effusion", 0.9),
        (
            "Answer: , confidence\nanswer is left (upper lobe) and my confidence is 7",
            "left (upper lobe)",
            0.07,
        ),
    ],
)
def test_open_questions(text: str, answer: str, confidence: float) -> None:
    assert_reads(text, "", answer, confidence)


def test_open_question_without_an_answer_or_confidence() -> None:
    assert parse_verdict("answer: with confidence 30", ()) == Invalid("no_answer")
    assert parse_verdict("the answer is oedema", ()) == Invalid("no_confidence")


# --- Properties -------------------------------------------------------------------------------------------------------

FRAGMENTS = [
    *[
        "the answer is ",
        "answer is\n",
        "Answer: ",
        "confidence ",
        "Confidence: ",
        "confidence\t",
        "with ",
        "is ",
        "of ",
    ],
    *["A", "b", "C ", "D. ", "(B)", "**a**", "E", "a benign ", "I ", "level ", "option ", "(0-100)"],
    *["0.9", "85", "7 ", "100%", "1.0", *"-/., *{'\n\u2003", '"'],
]
PIECES = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5))
TEXTS = st.lists(PIECES, max_size=20).map("".join)


@given(TEXTS, st.sampled_from(["", "AB", FOUR, ascii_uppercase]))
def test_never_raises_and_stays_in_range(text: str, letters: str) -> None:
    verdict = parse_verdict(text, letters)
    if isinstance(verdict, Verdict):
        assert 0 <= verdict.confidence <= 1
        assert verdict.answer in letters if letters else verdict.answer.strip()


REFERENCE_ANSWER = re.compile(r"answer is\s+([A-D])", re.IGNORECASE)
ANY_ANSWER = re.compile(r"answer", re.IGNORECASE)
ANY_CONFIDENCE = re.compile(r"confidence", re.IGNORECASE)
REFERENCE_CONFIDENCE = re.compile(r"confidence\s+(\d{1,3})", re.IGNORECASE)


@given(TEXTS)
@example("Answer: C. the answer is B with confidence 80")
@example("confidence: 3, the answer is B with confidence 80")
@example("confidence 80, the answer is b")
@example("the answer is B. the answer is C with confidence 80")
def test_agrees_with_the_published_expressions_where_they_read_a_letter_and_a_whole_number(text: str) -> None:
    answer, confidence = REFERENCE_ANSWER.search(text), REFERENCE_CONFIDENCE.search(text)
    if answer is None or confidence is None:
        return
    after_letter, after_number = text[answer.end(1) :], text[confidence.end(1) :]
    # Not a lone letter: part of a word, an article, or one of several. Not a whole number: part of another one, a range
    # or a fraction.
    if re.match(r"[^\W_]|[-'’&/.][^\W_]|[^\S\n\r]+[*_`\"“‘]*[^\W_]|[^\w\n]*,\W*[A-Da-d]\b", after_letter):
        return
    if re.match(r"\d|[.,*\-–]\d|\s*[-/]\s*\d|[eE][-+]?\d|\s*/", after_number):
        return
    verdict = parse_verdict(text, FOUR)
    several = len(ANY_ANSWER.findall(text)) > 1 or len(ANY_CONFIDENCE.findall(text)) > 1
    if '"' in text or (several and isinstance(verdict, Invalid)):
        return  # quoted, or verdicts that may differ: none is better than a wrong one
    assert verdict == Verdict(answer[1].upper(), min(int(confidence[1]) / 100, 1.0))


@given(
    # What would quote the sentence, Chinese words and lone letters ("B:") that announce an answer of their own, which
    # is then left open, and words that deny or date it ("initial").
    st.text(max_size=20).filter(lambda before: not re.search(r"> |选|答案|[A-Za-z]{3}|\b[A-Da-d]\b", before)),
    st.sampled_from("ABCDabcd"),
    st.sampled_from([" with ", ", ", ". ", " and ", " because it is round; ", "\n"]),
    st.integers(0, 999),
    st.sampled_from(["", ".", "%", " percent", ", as it is round", "\nThe border is sharp. the answer is C"]),
)
def test_agrees_with_the_published_expressions_on_the_asked_sentence(
    before: str, letter: str, between: str, number: int, after: str
) -> None:
    text = f"{before}the answer is {letter}{between}confidence {number}{after}"
    answer, confidence = REFERENCE_ANSWER.search(text), REFERENCE_CONFIDENCE.search(text)
    assert answer
    assert confidence
    assert parse_verdict(text, FOUR) == Verdict(answer[1].upper(), min(int(confidence[1]) / 100, 1.0))


@pytest.mark.parametrize(
    "unit",
    [
        *["answer", "answer is ", "answer: ", "answer is a ", "answer is option ", "answer: confidence "],
        *["confidence ", "confidence is ", "confidence 1-2 ", "confidence 0.", *"9 *(\n", "a ", "with "],
    ],
)
@pytest.mark.parametrize("head", ["", "answer is", "answer is A confidence", "answer is A confidence 1"])
def test_a_long_reply_of_anything_is_read_in_linear_time(head: str, unit: str) -> None:
    def read(text: str) -> None:
        parse_verdict(f"{head}{text}confidence", FOUR)
        parse_verdict(f"{head}{text}confidence", ())

    assert takes_linear_time(read, unit, 7_500 // len(unit))
