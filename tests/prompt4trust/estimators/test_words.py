"""Words of a reply before its letter: whether they are the chosen option, another finding, or no opinion."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.estimators._tokens import letter_signals
from prompt4trust.estimators._words import NO_OPINION, words_agree, words_name
from prompt4trust.models import Completion
from tests.prompt4trust.estimators.scripts import OPTIONS

LUNGS = {"A": "Effusion", "B": "Pleural effusion", "C": "No effusion", "D": "Pneumothorax"}
SIDES = {"A": "Left", "B": "Right", "C": "Both", "D": "None of the above"}
YES_NO = {"A": "Yes", "B": "No"}
HALVES = {"A": "Left", "B": "Right"}
NUMBERS = {"A": "1", "B": "2", "C": "3"}
CHEST = {"A": "Effusion", "B": "Cardiomegaly", "C": "Pneumothorax", "D": "Normal"}
TUMOURS = {"A": "Glioblastoma", "B": "Meningioma", "C": "Abscess"}
KINDS = {"A": "MRI", "B": "CT", "C": "Ultrasound"}
CHINESE = {"A": "圆形", "B": "椭圆形"}  # the first is a part of the second


@pytest.mark.parametrize(
    ("says", "options", "named"),
    [
        ("effusion", {"A": "Pleural effusion", "B": "Fracture"}, "A"),
        ("No fracture", {"A": "No", "B": "Yes"}, "A"),
        ("Yes, there is", {"A": "No", "B": "Yes"}, "B"),
        ("no effusion", {"A": "Effusion", "B": "Fracture"}, ""),
        ("Fracture", {"A": "No fracture", "B": "Effusion"}, ""),
        ("effusion", {"A": "Pleural effusion", "B": "Pericardial effusion"}, "AB"),
        ("large pleural effusion", {"A": "Effusion", "B": "Pleural effusion"}, "B"),
        ("nodule", {"A": "No", "B": "Yes"}, ""),
        ("...", {"A": "No", "B": "Yes"}, ""),
    ],
)
def test_other_words_for_an_option_name_it(says: str, options: Mapping[str, str], named: str) -> None:
    assert words_name(says, options) == list(named)


@pytest.mark.parametrize(
    ("before", "letter", "options", "expected"),
    [
        ("Finding: Lobulated. The answer is ", "C", OPTIONS, 1),
        ("Finding: LOBULATED\nAnswer: ", "C", OPTIONS, 1),
        ('{"finding": "Lobulated", "answer": "', "C", OPTIONS, 1),
        ("It shows a lobulated mass (option ", "C", OPTIONS, 1),
        ("Finding: Lobulated. The answer is ", "A", OPTIONS, 0),
        ("Finding: Ring-shaped. The answer is ", "A", OPTIONS, 0),  # no option says so
        ("**Finding:** Ring-shaped, so it is ", "A", OPTIONS, 0),
        ("The diagnosis is ring-shaped.\n", "A", OPTIONS, 0),
        ('{"finding": "Ring-shaped", "answer": "', "A", OPTIONS, 0),
        # Nothing is said that could be an option.
        ("", "A", OPTIONS, 0.5),
        ("The answer is ", "A", OPTIONS, 0.5),
        ("Finding: . The answer is ", "A", OPTIONS, 0.5),
        ("Finding: C. The answer is ", "A", OPTIONS, 0.5),
        ("Finding: x. The answer is ", "A", OPTIONS, 0.5),
        ("Let me look at the margin. The best option is ", "A", OPTIONS, 0.5),
        ("Finding: a dense mass with an irregular margin. The answer is ", "A", OPTIONS, 0.5),  # a description
        # Several are said, or one is set aside.
        ("Round or oval? Finding: round. The answer is ", "A", OPTIONS, 0.5),
        ("Not round, since the margin has lobes. The answer is ", "C", OPTIONS, 0.5),
        ("It isn't round. Finding: ring-shaped. The answer is ", "A", OPTIONS, 0.5),
        ("A: round. B: oval. C: lobulated. The answer is ", "C", OPTIONS, 0.5),
        ("<think>Round? Oval? Not oval.</think>Finding: round. The answer is ", "A", OPTIONS, 1),
        # An explanation may lead from one option to another; a finding is one, however much was said before.
        ("Oval masses are mostly benign and this one has the lobes of many, so that the answer is ", "C", OPTIONS, 0.5),
        ("Oval would have an even margin. The answer is ", "C", OPTIONS, 0.5),
        ("The picture is an ultrasound of good quality with one mass in its middle. Finding: oval. ", "C", OPTIONS, 0),
        ("This one has the lobes of many, and so it is to be called lobulated; the answer is ", "C", OPTIONS, 1),
        ("The margin. " * 500 + "Finding: Lobulated. The answer is ", "C", OPTIONS, 1),
        (
            "Round. " + "The margin. " * 500 + "Finding: Lobulated. The answer is ",
            "C",
            OPTIONS,
            1,
        ),  # the last 2 000 count
        # A text within another one's, and what is denied.
        ("Finding: large pleural effusion. The answer is ", "B", LUNGS, 1),
        ("Finding: large pleural effusion. The answer is ", "A", LUNGS, 0),
        ("There is no effusion. The answer is ", "C", LUNGS, 1),
        ("There is no effusion. The answer is ", "A", LUNGS, 0.5),  # not said to be the finding
        ("Finding: no effusion. The answer is ", "A", LUNGS, 0),
        ("No pneumothorax. The answer is ", "D", LUNGS, 0.5),
        ("There is no effusion but a pneumothorax. The answer is ", "D", LUNGS, 0.5),
        ("Finding: pleural. The answer is ", "B", LUNGS, 1),  # a part of that option alone
        ("Finding: margin. The answer is ", "A", {"A": "Sharp margin", "B": "Blurred margin"}, 0.5),
        # The words around a letter are no finding.
        ("The right answer is ", "A", SIDES, 0.5),
        ("The lesion lies in the left lung, so the right answer is ", "A", SIDES, 1),
        ("Finding: midline. The answer is ", "D", SIDES, 0.5),  # that is what the option says
        ("Finding: left. The answer is ", "D", SIDES, 0),
        ("Finding: none of the above. The answer is ", "D", SIDES, 1),
        # Yes and no answer a question, and are not what is seen.
        ("Finding: fracture. The answer is ", "A", YES_NO, 0.5),
        ("There is no fracture. The answer is ", "B", YES_NO, 1),
        ("There is no fracture. The answer is ", "A", YES_NO, 0.5),  # agrees, where the question is "Is it clear?"
        ("Round and round. The answer is ", "A", {"A": "Round", "B": "round"}, 0.5),
    ],
)
def test_what_is_said_before_the_letter(before: str, letter: str, options: Mapping[str, str], expected: float) -> None:
    assert words_agree(before, letter, options) == expected


@pytest.mark.parametrize(
    ("before", "options", "letter", "expected"),
    [
        # A report says more than its conclusion.
        (
            "Findings: The heart is normal in size. There is blunting of the left costophrenic angle on the lateral "
            "view. Impression: fluid at the base. Answer: ",
            *(CHEST, "A", 0.5),
        ),
        ("Heart size is normal. Answer: ", CHEST, "A", 0.5),
        ("Findings: Opacity. Impression: Effusion. Answer: ", CHEST, "A", 1),
        ("Impression: Cardiomegaly. Answer: ", CHEST, "A", 0),
        ("Impression: Fracture. " * 9 + "Answer: ", CHEST, "A", 0.5),  # that one question allows a normal picture
        ("Finding: Stellate. " * 9 + "Answer: ", OPTIONS, "A", 0),
        ("".join(f"Finding: Stellate {each}. " for each in "abcde") + "Answer: ", OPTIONS, "A", 0.5),
        # What other options are not.
        *(
            (f"{said} Answer: ", OPTIONS, "B", 0.5)
            for said in (
                "Option A (Round) is incorrect.",
                "Ruled out: round.",
                "Finding: round is wrong.",
                "It excludes round.",
                "Hardly round.",
                "The question asks whether it is Round.",
                "Compared with a round mass, it is longer.",
                "Nicht round.",
            )
        ),
        ("Finding: nicht oval. Antwort: ", OPTIONS, "A", 0.5),
        ("Finding: sin derrame. Respuesta: ", {"A": "Derrame", "B": "Fractura"}, "A", 0.5),
        # Yes and no, sides and numbers are said of many things.
        ("No effusion is seen. Answer: ", YES_NO, "A", 0.5),
        ("The right lung is clear. Answer: ", HALVES, "A", 0.5),
        ("Finding: effusion. Answer: ", HALVES, "A", 0.5),
        ("Finding: right. Answer: ", HALVES, "A", 0),
        ("Finding: midline. Answer: ", HALVES, "A", 0),
        ("1. Look at the picture. Answer: ", NUMBERS, "B", 0.5),
        ("Findings: 1. The heart is large. Answer: ", NUMBERS, "B", 0.5),
        ("Confidence: 4/5. Answer: ", NUMBERS, "B", 0.5),
        ("Finding: calcification. Answer: ", NUMBERS, "B", 0.5),
        ("Finding: Five. Answer: ", NUMBERS, "B", 0),
        # What stands where a finding would.
        *(
            (f"{said} ", OPTIONS, "A", 0.5)
            for said in (
                "The diagnosis is clear. Answer:",
                "The diagnosis is as follows: Answer:",
                "Diagnosis: I choose",
                "Finding: see below. Answer:",
                "Finding: unclear. Answer:",
                "Finding: mass. Answer:",
            )
        ),
        # The same in other words.
        ("Impression: GBM. Answer: ", TUMOURS, "A", 0.5),
        ("Impression: glioblastoma. Answer: ", {"A": "GBM", "B": "MS"}, "A", 0.5),
        ("Finding: MR image. Answer: ", KINDS, "A", 0.5),
        ("Finding: PET. Answer: ", KINDS, "A", 0),
        ("Finding: PET. Answer: ", TUMOURS, "B", 0.5),
        ("Finding: circular. Answer: ", OPTIONS, "A", 0.5),
        ("Finding: rounded. Answer: ", OPTIONS, "A", 0.5),
        ("Finding: pneumonia. Answer: ", {"A": "Pneumothorax", "B": "Fracture"}, "A", 0),
        ("Finding: 明显的圆形肿块. 答案: ", CHINESE, "A", 1),
        ("Finding: 明显的椭圆形肿块. 答案: ", CHINESE, "B", 1),
        ("Finding: 明显的椭圆形肿块. 答案: ", CHINESE, "A", 0.5),
        ("Finding: 椭圆形. 答案: ", CHINESE, "A", 0),
        ("Finding: 肿块. 答案: ", CHINESE, "A", 0.5),
    ],
)
def test_only_a_short_finding_that_is_surely_another_contradicts(
    before: str, options: Mapping[str, str], letter: str, expected: float
) -> None:
    assert words_agree(before, letter, options) == expected


@given(
    before=st.lists(st.sampled_from([*'ab .,;\n"', " round ", " oval ", " no ", "Finding: ", "<think>"])).map("".join),
    chosen=st.sampled_from("AB"),
)
def test_it_never_speaks_for_two_options_and_knows_no_letters(before: str, chosen: str) -> None:
    options = {"A": "Round", "B": "Oval"}
    other = "B" if chosen == "A" else "A"
    found = words_agree(before, chosen, options)
    assert found in (0, NO_OPINION, 1)
    if found == 1:
        assert words_agree(before, other, options) in (0, NO_OPINION)  # 0 where it is said to be the finding
    if found == 0:
        assert "Finding: " in before
    # The same under other letters, whatever their order.
    assert words_agree(before, chosen, dict(reversed(options.items()))) == found
    assert words_agree(before, "Y", {"Y": options[chosen], "X": options[other]}) == found


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["Finding: ", "Oval", ". The answer is", " A", " with confidence 9", "0. Oval."], 0),
        (["The answer is", " A", " with confidence 9", "0. Finding: ", "Oval."], 0.5),  # what comes after is no sign
        (["<think>", "Oval", "</think>", "The answer is", " A", " with confidence 90."], 0.5),
    ],
)
def test_it_is_a_signal_of_the_reply_up_to_its_letter(tokens: list[str], expected: float) -> None:
    likely = [{token: 0.0} for token in tokens]
    signals = letter_signals(Completion("".join(tokens), "stop", likely, tokens), "A", OPTIONS)
    assert (signals["words_agree"], signals["reply_probability"]) == (expected, 1)
    assert signals["reply_support"] == (
        1 if expected else 1 / 4
    )  # another answer's probability speaks not for this one
    assert letter_signals(Completion("".join(tokens), "stop"), "A", OPTIONS) == {}
